"""Quoting survives a round trip through DuckDB for every character."""

from __future__ import annotations

from pathlib import Path

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.warehouse import duckdb_sql as q
from dltsync_core.warehouse.dlt_destination import disguised_name, disguised_text, undisguised

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)


@given(
    names,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
    st.binary(max_size=20),
)
def test_names_texts_and_bytes_come_back(name: str, value: str, content: bytes) -> None:
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(f"SELECT {q.text(value)} AS {q.identifier(name)}, {q.blob(content)} AS b")
        assert found.description is not None
        assert found.description[0][0] == name
        assert found.fetchall() == [(value, content)]


@given(names, names)
def test_disguises_are_letters_and_digits_and_come_off(name: str, text: str) -> None:
    statement = f"SELECT {disguised_text(text)} AS {disguised_name(name)}"
    assert statement.replace("_", "").replace(" ", "").isalnum()
    assert undisguised(statement) == f"SELECT {text} AS {q.identifier(name)}"


def test_each_scope_is_counted_by_itself(tmp_path: Path) -> None:
    """Or every row is tried against the conditions of all partitions: rows times partitions, at every plan."""
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS n FROM range(10)")
        conditions = [q.compared("n", "<", str(most)) for most in (3, 5, 7)]
        statement = q.count_rows("w", ("main", "t"), conditions)
        assert sorted(connection.execute(statement).fetchall()) == [(0, 3), (1, 5), (2, 7)]
        plan = str(connection.execute(f"EXPLAIN {statement}").fetchall())
    assert plan.count("Filters:") == len(conditions), "each scan knows what it need not read"
