"""Slices along a key cover every row exactly once and in order, NULL included: checked by an engine that is not ours (SQLite)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.tsql.fragments import Sql
from dltsync_core.tsql.slices import KeyText, after_key, upto_key
from tests.support.table_facts import column

VALUES = st.one_of(st.none(), st.integers(-3, 3))
COLUMNS = [column(name, "int", position) for position, name in enumerate("abc", start=1)]
ROWS = st.integers(1, 3).flatmap(
    lambda width: st.tuples(st.just(width), st.sets(st.tuples(*[VALUES] * width), min_size=1, max_size=25))
)


def _database(width: int, rows: Sequence[tuple[int | None, ...]]) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE t ({', '.join('abc'[:width])})")
    database.executemany(f"INSERT INTO t VALUES ({', '.join('?' * width)})", rows)
    return database


def _text(row: tuple[int | None, ...]) -> KeyText:
    return tuple(None if value is None else str(value) for value in row)


def _matching(database: sqlite3.Connection, width: int, condition: Sql) -> list[tuple[int | None, ...]]:
    statement = condition.render()
    order = ", ".join("abc"[:width])
    found = database.execute(f"SELECT * FROM t WHERE {statement.text} ORDER BY {order}", statement.parameters)
    return found.fetchall()


def _ranked(row: tuple[int | None, ...]) -> tuple[tuple[int, int], ...]:
    """NULL below every value."""
    return tuple((0, 0) if value is None else (1, value) for value in row)


@given(ROWS, st.data())
def test_after_and_upto_split_the_rows_at_any_key(
    made: tuple[int, set[tuple[int | None, ...]]], data: st.DataObject
) -> None:
    width, rows = made
    key = COLUMNS[:width]
    ordered = sorted(rows, key=_ranked)
    at = data.draw(st.one_of(st.sampled_from(ordered), st.tuples(*[VALUES] * width)))
    database = _database(width, ordered)
    beyond = _matching(database, width, after_key(key, _text(at)))
    within = _matching(database, width, upto_key(key, _text(at)))
    database.close()
    assert beyond == [row for row in ordered if _ranked(row) > _ranked(at)]
    assert within == [row for row in ordered if _ranked(row) <= _ranked(at)]


def test_columns_without_nulls_are_not_asked_for_them() -> None:
    key: list[ColumnFacts] = [column("a", "int", is_nullable=False), column("b", "int", 2, is_nullable=False)]
    for condition in (after_key(key, ("1", "2")), upto_key(key, ("1", "2"))):
        assert "NULL" not in condition.render().text
