"""U+FFFD that is stored passes; U+FFFD that the driver put there stops the load and names the first row."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dltsync_core.config import StaticTableConfig
from dltsync_core.errors import FidelityError
from dltsync_core.extract.replacement_characters import Replacements
from dltsync_core.identity import TableName
from dltsync_core.tsql.select import count_replacements
from dltsync_core.typemap import map_columns
from tests.support.table_facts import column, table

NAME = TableName("dbo", "t")
MAPPING = map_columns(
    table(column("id", "int"), column("a", "nvarchar", 2), column("b", "nvarchar", 3), column("c", "varchar", 4)),
    StaticTableConfig(table_name="t"),
)


def _seen(*batches: tuple[list[str | None], list[str | None]]) -> Replacements:
    seen = Replacements(MAPPING)
    row = 0
    for a, b in batches:
        ids = list(range(row, row + len(a)))
        arrays = [pa.array(ids, pa.int32()), pa.array(a), pa.array(b), pa.array(["\ufffd"] * len(a))]
        first = row
        seen.count_in(pa.record_batch(arrays, schema=MAPPING.schema), lambda n, first=first: f"row id = {first + n}")  # type: ignore[misc]
        row += len(a)
    return seen


def test_nothing_is_asked_when_no_replacement_came() -> None:
    assert _seen((["a", None], ["b", ""])).columns_found == []


def test_as_many_as_the_server_stores_are_its_own() -> None:
    seen = _seen((["x\ufffd", None], ["", ""]), (["\ufffd\ufffd", "y"], ["", ""]))
    assert [m.name for m in seen.columns_found] == ["a"]
    seen.compare(NAME, [3])


def test_fewer_stored_than_came_stops_the_load() -> None:
    seen = _seen((["ok", "x\ufffd"], ["", "z\ufffd"]))
    with pytest.raises(FidelityError) as caught:
        seen.compare(NAME, [1, None])
    said = str(caught.value)
    assert "dbo.t: column b holds 1 characters that are not Unicode text" in said
    assert "row id = 1" in said
    assert "column_representation: {b: bytes}" in said


def test_every_row_it_may_be_is_named_up_to_five() -> None:
    """One of them may really store U+FFFD: the first need not be the one to correct."""
    two = _seen((["x\ufffd", "ok", "\ufffd"], ["", "", ""]))
    with pytest.raises(FidelityError, match=r"it is in row id = 0; row id = 2\n"):
        two.compare(NAME, [1])
    many = _seen((["\ufffd"] * 3, [""] * 3), ([None, *["\ufffd"] * 4], [""] * 5))
    with pytest.raises(FidelityError, match=r"row id = 4; row id = 5, and more\n") as caught:
        many.compare(NAME, [6])
    assert "row id = 6" not in str(caught.value)


def test_the_question_to_the_server_counts_in_code_units() -> None:
    statement = count_replacements(NAME, _seen((["\ufffd"], [""])).columns_found, None)
    assert statement.text == (
        "SELECT SUM(CAST(DATALENGTH(x.[c1]) - DATALENGTH(REPLACE(x.[c1], N'\ufffd', N'')) AS bigint)) / 2 AS [n1]\n"
        "FROM (\n  SELECT CAST([a] AS nvarchar(max)) COLLATE Latin1_General_100_BIN2 AS [c1]\n  FROM [dbo].[t]) AS x"
    )
