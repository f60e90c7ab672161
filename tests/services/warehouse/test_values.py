"""Every Arrow type that a source column is mapped to, with its extreme values: into each warehouse and back; and the figures that
validation compares, which each warehouse computes by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.errors import WarehouseError
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceTable
from dltsync_core.typemap import TableMapping
from dltsync_core.typemap.column_stats import stats_columns
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm
from tests.support.any_warehouse import AnyWarehouse
from tests.support.local_warehouse import slot

TARGET = ("sales", "Everything")
UTC = timezone.utc
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
VALUES: Mapping[str, tuple[pa.DataType, list[Any]]] = {
    "bit": (pa.bool_(), [True, False]),
    "tinyint": (pa.int16(), [255, 0]),
    "smallint": (pa.int16(), [-32768, 32767]),
    "int": (pa.int32(), [-(2**31), 2**31 - 1]),
    "bigint": (pa.int64(), [-(2**63), 2**63 - 1]),
    "wide": (
        pa.decimal128(38, 10),
        [Decimal("-9999999999999999999999999999.9999999999"), Decimal("0.0000000001")],
    ),
    "whole": (pa.decimal128(38, 0), [Decimal("9" * 38), Decimal("9" * 38)]),
    "money": (pa.decimal128(19, 4), [Decimal("-922337203685477.5808"), Decimal("922337203685477.5807")]),
    "real": (pa.float32(), [3.4028234663852886e38, 1.401298464324817e-45]),
    "float": (pa.float64(), [1.7976931348623157e308, 5e-324]),
    "date": (pa.date32(), [date(1, 1, 1), date(9999, 12, 31)]),
    "time": (pa.time64("us"), [time(0, 0), time(23, 59, 59, 999999)]),
    "datetime": (pa.timestamp("ms"), [datetime(1753, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 997000)]),
    "datetime2": (pa.timestamp("us"), [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)]),
    "nanos": (pa.timestamp("ns"), [datetime(1677, 9, 22), datetime(2262, 4, 11, 23, 47, 16, 854775)]),
    "utc": (pa.timestamp("us", tz="UTC"), [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)]),
    "text": (pa.string(), ["a😀'\"]\n\t\\N\r", ""]),
    "long": (pa.large_string(), ["ü" * 100_000, "\\N"]),
    "bytes": (pa.binary(), [b"\x00\xff'\\", b""]),
    "fixed": (pa.binary(4), [b"\x00\x00\x00\x00", b"\xff\xff\xff\xff"]),
    "uuid": (pa.uuid(), [UUID(int=0), UUID("ff19966f-868b-d011-b42d-00c04fc964ff")]),
    "long_bytes": (pa.large_binary(), [bytes(range(256)) * 400, b""]),
}


def everything() -> pa.Table:
    """Two rows of values and one of NULLs."""
    columns = {name: pa.array([*values, None], kind) for name, (kind, values) in VALUES.items()}
    return pa.table({"No": pa.array([1, 2, 3], pa.int32()), **columns})


WAYS: Mapping[str, Disposition] = {
    "Replaced": ReplaceTable(),
    "Merged": MergeKeys(("No",)),
    "Partition": slot("(-inf,+inf)"),
}


def test_every_value_comes_back_as_it_went_in(anywhere: AnyWarehouse) -> None:
    """In each way to load; the second load finds the table there."""
    for _ in range(2):
        anywhere.warehouse.load_group(
            [anywhere.request(("sales", way), everything(), how=how) for way, how in WAYS.items()]
        )
    rows = [(number, *(values[number - 1] for _, values in VALUES.values())) for number in (1, 2)]
    expected = [tuple(map(plain, row)) for row in rows]
    expected.append((3, *(None for _ in VALUES)))
    stored = expected
    if anywhere.where.kind == "delta":  # a time of day is text there
        stored = [tuple(v.isoformat("microseconds") if isinstance(v, time) else v for v in row) for row in expected]
    for way in WAYS:
        read = anywhere.read(("sales", way), everything().schema)
        assert [tuple(map(plain, row)) for row in read] == expected, way
        assert [tuple(map(plain, row)) for row in anywhere.rows(("sales", way))] == stored, way


def test_the_sign_of_a_zero_is_kept_unless_the_contract_says_otherwise(anywhere: AnyWarehouse) -> None:
    """Nothing but zeros: what stores neighbours as one value, or each different value once, has the best reason to."""
    zeros = [0.0, -0.0] * 100
    table = pa.table(
        {
            "No": pa.array(range(len(zeros)), pa.int32()),
            "float": pa.array(zeros, pa.float64()),
            "real": pa.array(zeros, pa.float32()),
        }
    )
    anywhere.load(TARGET, table)
    again = AnyWarehouse(anywhere.where)  # DuckDB compresses when it closes its file
    read = sorted(again.read(TARGET, table.schema))
    lost = {name for at, name in ((1, "float"), (2, "real")) if str([row[at] for row in read]) != str(zeros)}
    assert set(again.warehouse.declared(table.schema)) == lost


def plain(value: Any) -> Any:
    """Without what drivers wrap values in."""
    if isinstance(value, UUID) or (isinstance(value, str) and _UUID.fullmatch(value)):
        return str(value).upper()
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False)
    return bytes(value) if isinstance(value, memoryview) else value


SQL_TYPES = {
    "bit": ("bit", 1, 0),
    "tinyint": ("tinyint", 3, 0),
    "smallint": ("smallint", 5, 0),
    "int": ("int", 10, 0),
    "bigint": ("bigint", 19, 0),
    "wide": ("decimal", 38, 10),
    "whole": ("decimal", 38, 0),
    "money": ("money", 19, 4),
    "date": ("date", 10, 0),
    "time": ("time", 15, 6),
    "datetime": ("datetime", 23, 3),
    "datetime2": ("datetime2", 26, 6),
    "text": ("nvarchar", 0, 0),
}


def test_counts_sums_ends_and_nulls_are_the_exact_ones(anywhere: AnyWarehouse) -> None:
    anywhere.load(TARGET, everything())
    columns = tuple(
        ColumnMapping(
            ColumnFacts(name, number, kind, 8, digits, scale, None, is_nullable=True),
            pa.field(name, VALUES[name][0]),
            SourceForm.PLAIN,
        )
        for number, (name, (kind, digits, scale)) in enumerate(SQL_TYPES.items(), start=1)
    )
    absent = ColumnMapping(
        ColumnFacts("gone", 99, "int", 4, 10, 0, None, is_nullable=True), pa.field("gone", pa.int32())
    )
    other = ColumnMapping(
        ColumnFacts("long", 98, "int", 4, 10, 0, None, is_nullable=True), pa.field("long", pa.int32())
    )
    asked = stats_columns(TableMapping((*columns, absent, other)))
    if (
        anywhere.where.kind == "standard_sql"
    ):  # a sum of more digits than the database has is an error, never another sum
        with pytest.raises(WarehouseError, match="Overflow"):
            anywhere.warehouse.column_stats(TARGET, {"all": None}, asked)
        asked = tuple(column for column in asked if column.name != "whole")
    scopes = {"none": slot("(-inf,1)"), "both": slot("[1,3)"), "nulls": slot("[3,+inf)")}
    found = anywhere.warehouse.column_stats(TARGET, scopes, asked)
    assert {unit: one.rows for unit, one in found.items()} == {"none": 0, "both": 2, "nulls": 1}
    assert set(found["both"].figures) == {column.name for column in asked} - {"gone", "long"}
    assert set(found["both"].unexpected_types) == {"long"}
    sums = {name: figures["sum"] for name, figures in found["both"].figures.items() if "sum" in figures}
    assert {"whole": str(2 * int("9" * 38)), **sums} == {
        "bit": "1",
        "tinyint": "255",
        "smallint": "-1",
        "int": "-1",
        "bigint": "-1",
        "wide": "-9999999999999999999999999999.9999999998",
        "whole": str(2 * int("9" * 38)),
        "money": "-0.0001",
    }
    ends = {
        name: (figures["min"], figures["max"]) for name, figures in found["both"].figures.items() if "min" in figures
    }
    assert ends == {
        "date": ("0001-01-01", "9999-12-31"),
        "time": ("00:00:00.000000", "23:59:59.999999"),
        "datetime": ("1753-01-01T00:00:00", "9999-12-31T23:59:59.997"),
        "datetime2": ("0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999"),
    }
    assert {figures["nulls"] for figures in found["both"].figures.values()} == {"0"}
    assert {figures["nulls"] for figures in found["nulls"].figures.values()} == {"1"}
    assert anywhere.warehouse.column_stats(TARGET, {"all": None}, asked)["all"].rows == 3
