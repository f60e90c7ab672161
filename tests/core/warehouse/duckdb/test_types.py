"""Each Arrow type becomes exactly one DuckDB type, and every value comes back as it went in."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from dltsync_core.duckdb.column_types import duckdb_type
from dltsync_core.errors import UnsupportedColumn
from dltsync_core.plan.steps import MergeKeys, ReplaceTable, UpsertKeys
from tests.support.local_warehouse import LocalWarehouse

CASES: dict[str, tuple[pa.DataType, Any, str, str]] = {
    "bit": (pa.bool_(), True, "BOOLEAN", "true"),
    "tinyint": (pa.int16(), 255, "SMALLINT", "255"),
    "smallint": (pa.int16(), -32768, "SMALLINT", "-32768"),
    "int": (pa.int32(), 2**31 - 1, "INTEGER", "2147483647"),
    "bigint": (pa.int64(), -(2**63), "BIGINT", "-9223372036854775808"),
    "decimal(38,10)": (
        pa.decimal128(38, 10),
        Decimal("-9999999999999999999999999999.9999999999"),
        "DECIMAL(38,10)",
        "-9999999999999999999999999999.9999999999",
    ),
    "decimal(38,0)": (pa.decimal128(38, 0), Decimal("9" * 38), "DECIMAL(38,0)", "9" * 38),
    "money": (pa.decimal128(19, 4), Decimal("-922337203685477.5808"), "DECIMAL(19,4)", "-922337203685477.5808"),
    "real": (pa.float32(), 1.5, "DOUBLE", "1.5"),
    "float": (pa.float64(), 0.1, "DOUBLE", "0.1"),
    "date": (pa.date32(), date(1, 1, 1), "DATE", "0001-01-01"),
    "time": (pa.time64("us"), time(23, 59, 59, 999999), "TIME", "23:59:59.999999"),
    "datetime": (pa.timestamp("ms"), datetime(1753, 1, 1, 0, 0, 0, 3000), "TIMESTAMP_MS", "1753-01-01 00:00:00.003"),
    "datetime2(6)": (
        pa.timestamp("us"),
        datetime(9999, 12, 31, 23, 59, 59, 999999),
        "TIMESTAMP",
        "9999-12-31 23:59:59.999999",
    ),
    "datetime2(7)": (pa.timestamp("ns"), 1_700_000_000_123_456_700, "TIMESTAMP_NS", "2023-11-14 22:13:20.1234567"),
    "utc": (
        pa.timestamp("us", tz="UTC"),
        datetime(2024, 1, 1, 12, tzinfo=timezone.utc),
        "TIMESTAMP WITH TIME ZONE",
        "2024-01-01 12:00:00+00",
    ),
    "nvarchar": (pa.string(), "a😀'\"]\n", "VARCHAR", "a😀'\"]\n"),
    "nvarchar(max)": (pa.large_string(), "x" * 100_000, "VARCHAR", "x" * 100_000),
    "binary": (pa.binary(), b"\x00\xff", "BLOB", "\\x00\\xFF"),
    "uniqueidentifier": (
        pa.uuid(),
        UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF"),
        "UUID",
        "6f9619ff-8b86-d011-b42d-00c04fc964ff",
    ),
    "varbinary(max)": (pa.large_binary(), b"", "BLOB", ""),
}


@pytest.fixture(scope="module")
def every_type() -> pa.Table:
    names = list(CASES)
    columns = [pa.array([value, None], kind) for kind, value, _, _ in CASES.values()]
    return pa.table([pa.array([1, 2], pa.int32()), *columns], names=["No", *names])


@pytest.mark.parametrize(
    "how", [ReplaceTable(), MergeKeys(("No",)), UpsertKeys(("No",))], ids=lambda h: type(h).__name__
)
def test_every_type_comes_back_exactly(house: LocalWarehouse, every_type: pa.Table, how: Any) -> None:
    for _ in range(2):
        house.load(("sales", "Everything"), every_type, how=how)
    found = house.types(("sales", "Everything"))
    assert found == {"No": "INTEGER", **{name: case[2] for name, case in CASES.items()}}
    for name, (_, _, _, text) in CASES.items():
        rows = house.query(f'SELECT CAST("{name}" AS VARCHAR) FROM sales."Everything" ORDER BY "No"')
        assert rows == [(text,), (None,)], name


def test_the_expected_type_is_known_without_loading() -> None:
    assert {name: duckdb_type(kind) for name, (kind, _, _, _) in CASES.items()} == {n: c[2] for n, c in CASES.items()}


def test_dlt_writes_no_row_itself(house: LocalWarehouse, every_type: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rewritten file would have gone through dlt's type guesses. So the writer must never be asked."""
    from dlt.normalize.items_normalizers.arrow import ArrowItemsNormalizer

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("dlt rewrites the file")

    monkeypatch.setattr(ArrowItemsNormalizer, "_write_with_dlt_columns", refuse)
    request = house.request(("sales", "Everything"), every_type)
    before = hashlib.sha256(request.files[0].read_bytes()).hexdigest()
    house.warehouse.load(request)
    assert hashlib.sha256(request.files[0].read_bytes()).hexdigest() == before


@pytest.mark.parametrize("kind", [pa.uint8(), pa.time64("ns"), pa.list_(pa.int32()), pa.decimal256(76, 0)])
def test_types_without_an_exact_counterpart_are_refused(kind: pa.DataType) -> None:
    if pa.types.is_decimal(kind):
        assert duckdb_type(kind) == "DECIMAL(76,0)"
        return
    with pytest.raises(UnsupportedColumn):
        duckdb_type(kind)
