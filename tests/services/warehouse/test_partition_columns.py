"""A partition's rows in the warehouse are those of the source, whatever the type of the partition column."""

from __future__ import annotations

from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import CatalogError, WarehouseError
from dltsync_core.identity import identifier_part
from dltsync_core.ranges import parse_key
from tests.support.any_warehouse import AnyWarehouse

UTC = timezone.utc
KINDS: dict[str, tuple[ColumnFacts, pa.DataType, str, list[Any], list[Any]]] = {}
"""The column, its type in the lake, a boundary as the server writes it, values below it, values at or above it."""


def kind(name: str, arrow: pa.DataType, boundary: str, below: list[Any], above: list[Any], **facts: Any) -> None:
    given = {"max_length": 8, "precision": 0, "scale": 0, **facts}
    column = ColumnFacts(
        "Part %", 1, name, given["max_length"], given["precision"], given["scale"], None, is_nullable=True
    )
    KINDS[f"{name} as {arrow}"] = (column, arrow, boundary, below, above)


kind("bit", pa.bool_(), "1", [False], [True])
kind("tinyint", pa.int16(), "200", [0, 199], [200, 255])
kind("bigint", pa.int64(), "-5", [-(2**63), -6], [-5, 2**63 - 1])
kind(
    "decimal",
    pa.decimal128(38, 2),
    "-0.05",
    [Decimal("-0.06")],
    [Decimal("-0.05"), Decimal(10**35)],
    precision=38,
    scale=2,
)
kind("float", pa.float64(), "1.5E0", [-1e300, 1.4999999999999998], [1.5, 1e300])
kind("date", pa.date32(), "2024-02-01", [date(1, 1, 1), date(2024, 1, 31)], [date(2024, 2, 1), date(9999, 12, 31)])
kind("time", pa.time64("us"), "12:00:00.0000001", [time(0), time(12)], [time(12, 0, 0, 1)], scale=7)
kind(
    "datetime2",
    pa.timestamp("us"),
    "2024-02-01T00:00:00.0000001",
    [datetime(1, 1, 1), datetime(2024, 2, 1)],
    [datetime(2024, 2, 1, 0, 0, 0, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)],
    scale=7,
)
kind(
    "datetime2",
    pa.timestamp("ns"),
    "1969-12-31T23:59:59.9999995",
    [datetime(1700, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999)],
    [datetime(1970, 1, 1), datetime(2262, 1, 1)],
    scale=7,
)
kind(
    "datetime2",
    pa.string(),
    "2024-02-01T00:00:00.0000001",
    ["0001-01-01 00:00:00.0000000", "2024-02-01 00:00:00.0000000"],
    ["2024-02-01 00:00:00.0000001", "9999-12-31 23:59:59.9999999"],
    scale=7,
)
kind(
    "datetimeoffset",
    pa.timestamp("us", tz="UTC"),
    "2024-02-01T00:00:00+02:00",
    [datetime(2024, 1, 31, 21, 59, 59, tzinfo=UTC)],
    [datetime(2024, 1, 31, 22, tzinfo=UTC)],
    scale=7,
)
kind("binary", pa.binary(), "0x80", [b"\x00\x00", b"\x7f\xff"], [b"\x80\x00", b"\xff\xff"], max_length=2)


class Part:
    """A table that is partitioned by a column of this kind."""

    def __init__(self, of: str) -> None:
        self.of = of
        self.column, self.arrow, boundary, self.below, self.above = KINDS[of]
        self.target = ("sales", of)
        text = boundary.replace("+", "%2B").replace(":", "%3A")
        self.low, self.high = (
            scope_for(self.column, self.arrow, [parse_key(key)]) for key in (f"(-inf,{text})", f"[{text},+inf)")
        )

    def rows(self, values: list[Any], note: str) -> pa.Table:
        schema = pa.schema([pa.field(self.column.name, self.arrow), pa.field("Note", pa.string())])
        return pa.table([values, [note] * len(values)], schema=schema)

    def old(self) -> pa.Table:
        return self.rows([*self.below, *self.above, None], "old")


def test_rows_are_deleted_and_counted_by_the_partition_they_lie_in(anywhere: AnyWarehouse) -> None:
    """A table for each type, all of them in one group of loads."""
    house = anywhere.warehouse
    parts = [Part(of) for of in KINDS if (anywhere.where.kind, of) != ("standard_sql", "binary as binary")]
    house.load_group([anywhere.request(part.target, part.old()) for part in parts])
    counted = {part.of: house.column_stats(part.target, {"low": part.low, "high": part.high}, ()) for part in parts}
    counts = {of: (stats["low"].rows, stats["high"].rows) for of, stats in counted.items()}
    assert counts == {part.of: (len(part.below) + 1, len(part.above)) for part in parts}
    news = [part.rows(part.above[:1], "new") for part in parts]
    house.load_group([anywhere.request(part.target, new, how=part.high) for part, new in zip(parts, news, strict=True)])
    every = " UNION ALL ".join(
        f"""SELECT '{part.of}', "Note" FROM sales."{stored(anywhere, part)}\"""" for part in parts
    )
    notes: dict[str, list[str]] = {part.of: [] for part in parts}
    for of, note in sorted(anywhere.query(every)):
        notes[of].append(note)
    assert notes == {part.of: ["new", *["old"] * (len(part.below) + 1)] for part in parts}


def stored(anywhere: AnyWarehouse, part: Part) -> str:
    """The table's name, where the query looks."""
    return identifier_part(part.target[1]) if anywhere.where.kind == "delta" else part.target[1]


@pytest.mark.parametrize("anywhere", [pytest.param("standard_sql", marks=pytest.mark.slow)], indirect=True)
def test_a_database_of_any_kind_has_no_partitions_by_bytes(anywhere: AnyWarehouse) -> None:
    part = Part("binary as binary")
    anywhere.load(part.target, part.old())
    with pytest.raises(CatalogError, match="choose a DuckDB"):  # by a plan, before a row is read
        anywhere.warehouse.scope_for(part.column, pa.binary(), [])
    with pytest.raises(WarehouseError, match="binary literal"):
        anywhere.warehouse.count(part.target, part.low)
