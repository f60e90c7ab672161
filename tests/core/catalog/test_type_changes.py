"""Every declared type against every other: what a change is called is what the warehouse does, and a widening loses no value."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import duckdb
import pytest

from dltsync_core.catalog.schema_changes import DeclaredColumn, drift_of
from dltsync_core.config import StaticTableConfig
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_types import duckdb_type, widest
from dltsync_core.identity import TableName
from dltsync_core.typemap import ColumnMapping, map_columns
from tests.support.table_facts import column, table


@dataclass(frozen=True)
class Declared:
    """A type: the facts of a column, values at its edges as DuckDB literals of the warehouse's type, and how it is kept."""

    name: str
    facts: dict[str, Any] = field(hash=False)
    edges: tuple[str, ...]
    kept: str | None = None


def number(name: str, *edges: str) -> Declared:
    return Declared(name, {}, edges)


def decimal(precision: int, scale: int) -> Declared:
    digits = "9" * precision
    most = f"{digits[: precision - scale]}.{digits[precision - scale :]}" if scale else digits
    return Declared("decimal", {"precision": precision, "scale": scale}, (most, f"-{most}", "0"))


def moment(name: str, *edges: str, scale: int = 0, kept: str | None = None) -> Declared:
    return Declared(name, {"scale": scale}, edges, kept)


def sized(name: str, length: int, *edges: str) -> Declared:
    return Declared(name, {"max_length": length}, edges)


FIRST, LAST = "0001-01-01 00:00:00", "9999-12-31 23:59:59"
TYPES = (
    number("bit", "true", "false"),
    number("tinyint", "0", "255"),
    number("smallint", "-32768", "32767"),
    number("int", "-2147483648", "2147483647"),
    number("bigint", "-9223372036854775808", "9223372036854775807"),
    *(decimal(p, s) for p, s in ((1, 0), (5, 2), (10, 4), (19, 0), (19, 4), (38, 0), (38, 10), (38, 38))),
    number("money", "-922337203685477.5808", "922337203685477.5807"),
    number("smallmoney", "-214748.3648", "214748.3647"),
    number("real", "3.4028234663852886e38", "1.401298464324817e-45"),
    number("float", "1.7976931348623157e308", "5e-324"),
    moment("date", "0001-01-01", "9999-12-31", "2024-02-29"),
    moment("smalldatetime", "1900-01-01 00:00:00", "2079-06-06 23:59:00"),
    moment("datetime", "1753-01-01 00:00:00", "9999-12-31 23:59:59.997", "2024-01-01 00:00:00.003"),
    *(moment("datetime2", FIRST, f"{LAST}{'.999999'[: n + 1 if n else 0]}", scale=n) for n in (0, 2, 3, 6)),
    moment("datetime2", "1677-09-22 00:00:00", "2262-04-11 23:47:16.8547758", scale=7),
    moment("datetime2", FIRST, f"{LAST}.999999", scale=7, kept="microseconds"),
    moment("datetime2", f"{FIRST}.0000000", f"{LAST}.9999999", scale=7, kept="text"),
    *(moment("time", "00:00:00", f"23:59:59{'.999999'[: n + 1 if n else 0]}", scale=n) for n in (0, 3, 6)),
    moment("time", "00:00:00.0000000", "23:59:59.9999999", scale=7),
    moment("datetimeoffset", f"{FIRST}.000+00:00", f"{LAST}.999+00:00", scale=3),
    moment("datetimeoffset", f"{FIRST}+00", f"{LAST}.999+00", scale=3, kept="utc"),
    sized("char", 4, "ab  "),
    sized("varchar", 4, "", "ab  "),
    sized("varchar", -1, ""),
    sized("nchar", 8, "ab  "),
    sized("nvarchar", 8, "", "ł"),
    sized("nvarchar", -1, ""),
    number("text", ""),
    number("ntext", ""),
    sized("binary", 2, "\\x00\\x00"),
    sized("varbinary", 4, "", "\\x00"),
    sized("varbinary", -1, ""),
    number("image", ""),
    number("rowversion", "\\x00\\x00\\x00\\x00\\x00\\x00\\x07\\xD1"),
    number("uniqueidentifier", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    number("xml", "<a/>"),
    number("json", "{}"),
    number("hierarchyid", "/1/"),
    number("geometry", ""),
    Declared("sql_variant", {}, ("int:1",), "text"),
    Declared("vector", {}, ("[1]",), "text"),
)
FAR = frozenset({"0001", "1753", "9999"})
GOES_THROUGH = frozenset({"widened", "narrowed", "retyped"})


@cache
def mapping_of(declared: Declared) -> ColumnMapping:
    facts = table(column("A", declared.name, **declared.facts))
    kept = {"A": declared.kept} if declared.kept else {}
    (mapping,) = map_columns(facts, StaticTableConfig(table_name="t", column_representation=kept)).columns
    return mapping


def shown(declared: Declared) -> str:
    return f"{mapping_of(declared).contract['sql_type']}{f' as {declared.kept}' if declared.kept else ''}"


def change(old: Declared, new: Declared) -> str | None:
    def as_declared(mapping: ColumnMapping) -> DeclaredColumn:
        form, how = str(mapping.field.type), mapping.source.value
        return DeclaredColumn("A", str(mapping.contract["sql_type"]), True, None, form, how)

    found = drift_of(TableName("dbo", "t"), [as_declared(mapping_of(old))], [as_declared(mapping_of(new))])
    return found[0].kind if found else None


PAIRS = [(old, new) for old, new in product(TYPES, TYPES) if old.name != new.name or old.facts != new.facts]


def test_a_change_is_refused_exactly_when_the_warehouse_has_no_type_for_both() -> None:
    wrong = []
    for old, new in PAIRS:
        kind = change(old, new)
        both = widest(*(duckdb_type(mapping_of(one).field.type) for one in (old, new)))
        if kind is not None and (kind in GOES_THROUGH) != (both is not None):
            wrong.append(f"{shown(old)} -> {shown(new)}: {kind}, the warehouse: {both}")
    assert wrong == []


def test_a_widening_keeps_every_value_exactly() -> None:
    """With the statements that change a warehouse column, for the values at the edges of the old type. Years that nanoseconds do
    not reach are refused when the column is looked at, before anything is written (`test_far_years_are_refused`)."""
    lost, tried = [], 0
    with closing(duckdb.connect(":memory:")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for old, new in PAIRS:
            if change(old, new) != "widened":
                continue
            held, wanted = (duckdb_type(mapping_of(one).field.type) for one in (old, new))
            wider = widest(held, wanted)
            assert wider is not None
            edges = [edge for edge in old.edges if wider != "TIMESTAMP_NS" or edge[:4] not in FAR]
            tried += len(edges)
            problem = _widened(connection, held, wider, edges)
            if problem:
                lost.append(f"{shown(old)} -> {shown(new)} ({held} -> {wider}): {problem}")
    assert lost == []
    assert tried > 150


@pytest.mark.parametrize("held", ["DATE", "TIMESTAMP_MS", "TIMESTAMP"])
def test_far_years_are_refused(held: str) -> None:
    with closing(duckdb.connect(":memory:")) as connection:
        assert "cannot" in _widened(connection, held, "TIMESTAMP_NS", ["9999-12-31"])


def _widened(connection: duckdb.DuckDBPyConnection, held: str, wider: str, edges: list[str]) -> str:
    """What is wrong after a column with these values was widened; empty when they are what they were."""
    table = ("main", "t")
    connection.execute(f"CREATE OR REPLACE TABLE t (n INTEGER, was {held}, x {held})")
    for number, edge in enumerate(edges):
        connection.execute(f"INSERT INTO t SELECT {number}, CAST(? AS {held}), CAST(? AS {held})", [edge, edge])
    if held == wider:
        return ""
    try:
        (inexact,) = connection.execute(q.count_inexact("memory", table, "x", held, wider)).fetchone() or (None,)
    except duckdb.ConversionException as error:
        return f"cannot be cast: {error}"
    if inexact:
        return f"{inexact} values cannot be held"
    connection.execute(q.change_type("memory", table, "x", wider))
    return str(connection.execute("SELECT was FROM t WHERE x IS DISTINCT FROM was").fetchall() or "")


DECIDED = {
    ("date", "datetime2(0)"): "widened",
    ("date", "datetime2(7)"): "widened",
    ("date", "datetime"): "narrowed",
    ("date", "smalldatetime"): "narrowed",
    ("date", "datetimeoffset(3)"): "incompatible",
    ("datetime2(0)", "date"): "narrowed",
    ("datetime2(0)", "smalldatetime"): "narrowed",
    ("datetime2(3)", "datetime"): "narrowed",
    ("datetime2(2)", "datetime"): "narrowed",
    ("datetime", "datetime2(2)"): "narrowed",
    ("datetime", "datetime2(3)"): "widened",
    ("smalldatetime", "datetime"): "widened",
    ("smalldatetime", "datetime2(0)"): "widened",
    ("time(3)", "time(6)"): "widened",
    ("time(3)", "time(7)"): "incompatible",
    ("bit", "tinyint"): "incompatible",
    ("int", "float"): "incompatible",
    ("float", "decimal(38,10)"): "incompatible",
    ("real", "float"): "widened",
    ("bigint", "decimal(19,0)"): "widened",
    ("decimal(38,0)", "decimal(38,38)"): "incompatible",
    ("smallmoney", "money"): "widened",
    ("money", "decimal(19,4)"): None,
    ("int", "nvarchar(4)"): "incompatible",
    ("uniqueidentifier", "nvarchar(4)"): "incompatible",
    ("xml", "nvarchar(max)"): "retyped",
    ("rowversion", "varbinary(4)"): "retyped",
    ("nvarchar(4)", "varbinary(4)"): "incompatible",
}


@pytest.mark.parametrize(("before", "after"), DECIDED)
def test_what_is_decided(before: str, after: str) -> None:
    by_name = {shown(one): one for one in TYPES}
    expected = DECIDED[before, after] or "widened"
    assert change(by_name[before], by_name[after]) == expected
