"""Quoting survives a round trip through DuckDB for every character."""

from __future__ import annotations

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.duckdb import sql as q

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
