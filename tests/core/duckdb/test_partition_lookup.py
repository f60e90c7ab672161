"""Summaries of many partitions are those of each partition alone, whatever lies in the table, however few statements it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dltsync_core.duckdb import partition_lookup as parting
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_stats import summarise_relation
from dltsync_core.duckdb.column_types import duckdb_type
from dltsync_core.duckdb.partition_scope import duckdb_condition, scope_for, starts_of
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import Boundary, PartitionRange, Side, parse_key, slots_of
from dltsync_core.typemap.column_stats import ColumnStats, Figure, StatsColumn
from dltsync_core.typemap.mapping import ColumnMapping
from tests.core.duckdb.partition_columns import FAMILIES, Family, column, raw_type

RELATION = q.qualified("memory", "main", "t")


def figures_of_n() -> list[StatsColumn]:
    facts = column("int", name="n")
    mapping = ColumnMapping(facts, pa.field("n", pa.int32()))
    return [StatsColumn(mapping, (Figure.NULLS, Figure.TOTAL))]


def filled(connection: duckdb.DuckDBPyConnection, family: Family, values: Sequence[int | None]) -> None:
    stored = pa.array([None if v is None else family.stored(v) for v in values], raw_type(family.arrow)).cast(
        family.arrow
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("arriving", pa.table({"n": pa.array(range(len(values)), pa.int32()), "when?": stored}))
    kind = duckdb_type(family.arrow)
    connection.execute(f'CREATE TABLE t AS SELECT n, CAST("when?" AS {kind}) AS "when?" FROM arriving')


def by_definition(connection: duckdb.DuckDBPyConnection, conditions: Mapping[str, str]) -> dict[str, ColumnStats]:
    """Each unit by a statement of its own."""
    found = {}
    for unit, condition in conditions.items():
        statement = f"SELECT count(*), count(*) - count(n), coalesce(sum(n), 0) FROM t WHERE {condition}"
        ((rows, nulls, total),) = connection.execute(statement).fetchall()
        found[unit] = ColumnStats(rows, {"n": {"nulls": str(nulls), "sum": str(total)}})
    return found


def scopes_of(family: Family, ranges: Sequence[PartitionRange]) -> dict[str, ReplaceScope | None]:
    return {range_.key: scope_for(family.column, family.arrow, [range_]) for range_ in ranges}


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=12, deadline=None)
@given(data=st.data(), side=st.sampled_from(["left", "right"]), null_boundary=st.booleans(), most=st.integers(1, 5))
def test_each_units_summary_is_that_of_its_rows_alone(
    name: str, data: st.DataObject, side: Side, null_boundary: bool, most: int
) -> None:
    """Also of some partitions only, in any order, and with boundaries that the column cannot tell from each other."""
    family = FAMILIES[name]
    values = data.draw(st.lists(st.one_of(st.none(), family.numbers), max_size=30))
    edges = [*sorted(data.draw(st.sets(family.boundaries, max_size=12)))]
    boundaries = [Boundary(None)] * null_boundary + [Boundary(family.text(edge)) for edge in edges]
    ranges = data.draw(st.permutations(slots_of(boundaries, side)))
    asked = scopes_of(family, data.draw(st.sampled_from([ranges, ranges[: len(ranges) // 2 + 1]])))
    conditions = {unit: duckdb_condition(scope) for unit, scope in asked.items() if scope is not None}
    starts = starts_of(asked)
    assert starts is not None
    with (
        duckdb.connect(":memory:") as connection,
        mock.patch.object(parting, "UNITS_PER_STATEMENT", most),
    ):
        filled(connection, family, values)
        found = summarise_relation(connection, RELATION, figures_of_n(), conditions, starts)
        assert found == by_definition(connection, conditions)


def of_numbers(ranges: Sequence[PartitionRange]) -> dict[str, ReplaceScope | None]:
    return scopes_of(FAMILIES["int"], ranges)


@pytest.mark.parametrize(
    "scopes",
    [
        {"all": None},
        {"two": scope_for(column("int"), pa.int32(), [parse_key("[1,2)"), parse_key("[8,9)")])},
        {"holds null too": scope_for(column("int"), pa.int32(), [replace(parse_key("[5,6)"), holds_null=True)])},
    ],
)
def test_what_is_not_one_slot_is_looked_for_in_every_row(scopes: dict[str, ReplaceScope | None]) -> None:
    """Its rows need not lie side by side: led through its beginning, some would be lost."""
    asked = scopes | of_numbers([parse_key("[6,8)"), parse_key("[2,4)")]) if "all" not in scopes else scopes
    conditions = {unit: q.EVERYTHING if s is None else duckdb_condition(s) for unit, s in asked.items()}
    assert starts_of(asked) is None
    with duckdb.connect(":memory:") as connection:
        filled(connection, FAMILIES["int"], [*range(10), None])
        assert summarise_relation(connection, RELATION, figures_of_n(), conditions, None) == by_definition(
            connection, conditions
        )


def asked_of(boundaries: int) -> tuple[dict[str, str], list[parting.Share]]:
    scopes = of_numbers(slots_of([Boundary(str(n)) for n in range(boundaries)], "right"))
    conditions = {unit: duckdb_condition(scope) for unit, scope in scopes.items() if scope is not None}
    with duckdb.connect(":memory:") as connection:
        return conditions, list(parting.shares(connection, conditions, starts_of(scopes)))


def test_a_row_is_held_against_few_of_many_partitions() -> None:
    """Tried on all of them it took the square: rows times partitions."""
    _, (share,) = asked_of(127)
    deepest = depth = 0
    for word in share.number.split():
        depth += {"CASE": 1, "END": -1}.get(word, 0)
        deepest = max(deepest, depth)
    assert deepest == 8, "seven halvings of 128, and the partition's own condition"
    assert share.number.count("WHEN") == 2 * 128 - 1


def test_each_statement_skips_what_belongs_to_the_others() -> None:
    """Or every one of them reads the whole table: statements times rows."""
    conditions, shares = asked_of(999)
    assert [unit for share in shares for unit in share.units] == list(conditions)
    assert [len(share.units) for share in shares] == [200] * 5
    with duckdb.connect(":memory:") as connection:
        connection.execute('CREATE TABLE t AS SELECT CAST(range AS INTEGER) AS "when?" FROM range(1000)')
        for share in shares[1:]:
            plan: list[Any] = connection.execute(f"EXPLAIN {q.summarise('t', share.condition, '1', [])}").fetchall()
            assert "Filters:" in str(plan), "the scan knows what it need not read"
