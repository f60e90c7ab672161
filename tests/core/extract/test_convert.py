"""Driver batches become the mapped schema exactly, or a FidelityError names the column, the value and the row."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.config import StaticTableConfig
from dltsync_core.errors import ExtractError, FidelityError
from dltsync_core.extract.convert import BatchConverter
from dltsync_core.tsql.select import remainder_columns
from dltsync_core.typemap import map_columns
from tests.table_facts import column, table

KEY = column("id", "int", is_nullable=False)


def _converter(*columns: ColumnFacts, **representation: str) -> BatchConverter:
    facts = table(*columns, name="t", schema="dbo", primary_key=("id",))
    mapping = map_columns(facts, StaticTableConfig(table_name="t", column_representation=representation))
    return BatchConverter(facts, mapping, remainder_columns(mapping))


def _batch(*arrays: pa.Array) -> pa.RecordBatch:  # type: ignore[type-arg]
    return pa.RecordBatch.from_arrays(list(arrays), names=[str(i) for i in range(len(arrays))])


def _us(*texts: str | None) -> pa.Array:  # type: ignore[type-arg]
    return pa.array(texts).cast(pa.timestamp("us"))


def test_the_driver_s_types_become_ours() -> None:
    converter = _converter(
        KEY,
        column("tiny", "tinyint", 2),
        column("money", "money", 3),
        column("at", "datetime", 4),
        column("clock", "time", 5, scale=3),
        column("name", "nvarchar", 6),
        column("instant", "datetimeoffset", 7),
        instant="utc",
    )
    result = converter.convert(
        _batch(
            pa.array([1], pa.int32()),
            pa.array([255], pa.uint8()),
            pa.array([Decimal("1.2345")], pa.decimal128(19, 4)),
            _us("2024-01-02T03:04:05.007000"),
            pa.array([1_000_000], pa.time64("ns")),
            pa.array(["Łódź"], pa.large_string()),
            pa.array([0], pa.timestamp("us", tz="+00:00")),
            pa.array([0], pa.int32()),
        )
    )
    assert [str(t) for t in result.schema.types] == [
        "int32", "int16", "decimal128(19, 4)", "timestamp[ms]", "time64[us]", "string", "timestamp[us, tz=UTC]",
    ]  # fmt: skip
    assert result.column(1).to_pylist() == [255]
    assert result.column(3).cast(pa.string()).to_pylist() == ["2024-01-02 03:04:05.007"]
    assert not result.schema.field("id").nullable


def test_one_hundred_nanoseconds_are_kept_on_both_sides_of_1970() -> None:
    converter = _converter(KEY, column("at", "datetime2", 2))
    result = converter.convert(
        _batch(
            pa.array([1, 2, 3], pa.int32()),
            _us("2024-01-02T03:04:05.123456", "1900-01-01T00:00:00.000000", None),
            pa.array([700, 900, None], pa.int32()),
        )
    )
    assert result.column(1).cast(pa.string()).to_pylist() == [
        "2024-01-02 03:04:05.123456700",
        "1900-01-01 00:00:00.000000900",
        None,
    ]


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59.999999", "0001-01-01T00:00:00.000000", "2262-04-12T00:00:00.000000"]
)
def test_a_year_that_nanoseconds_do_not_reach_stops_the_load(text: str) -> None:
    converter = _converter(KEY, column("at", "datetime2", 2))
    with pytest.raises(FidelityError) as caught:
        converter.convert(
            _batch(pa.array([1, 42], pa.int32()), _us("2024-01-01T00:00:00", text), pa.array([0, 0], pa.int32()))
        )
    said = str(caught.value)
    assert "dbo.t: column at holds " + text.replace("T", " ").removesuffix(".000000") in said
    assert "row id = 42" in said
    assert "column_representation: {at: microseconds}" in said


def test_a_seventh_digit_stops_a_load_in_microseconds() -> None:
    converter = _converter(KEY, column("at", "datetime2", 2), at="microseconds")
    good = converter.convert(
        _batch(pa.array([1], pa.int32()), _us("9999-12-31T23:59:59.999999"), pa.array([0], pa.int32()))
    )
    assert good.column(1).cast(pa.string()).to_pylist() == ["9999-12-31 23:59:59.999999"]
    with pytest.raises(FidelityError, match=r"holds 9999-12-31 23:59:59\.9999999, whose .* row id = 7"):
        converter.convert(
            _batch(pa.array([7], pa.int32()), _us("9999-12-31T23:59:59.999999"), pa.array([900], pa.int32()))
        )


def test_a_value_that_does_not_fit_is_never_cut() -> None:
    converter = _converter(KEY, column("at", "datetime", 2))
    with pytest.raises(FidelityError, match=r"dbo\.t: column at holds 2024-01-02 03:04:05\.000001.*row id = 9"):
        converter.convert(
            _batch(
                pa.array([7, 8, 9, 10], pa.int32()),
                _us("2024-01-02T03:04:05", None, "2024-01-02T03:04:05.000001", "2024-01-02T03:04:05.000002"),
            )
        )


def test_an_instant_with_a_seventh_digit_stops_the_load() -> None:
    """`utc` gives up the offset and nothing else."""
    converter = _converter(KEY, column("at", "datetimeoffset", 2), at="utc")
    at = pa.array([1_700_000_000_000_001], pa.timestamp("us", tz="+00:00"))
    with pytest.raises(FidelityError, match=r"2023-11-14 22:13:20\.0000013Z.*row id = 5"):
        converter.convert(_batch(pa.array([5], pa.int32()), at, pa.array([300], pa.int32())))


def test_a_year_9999_to_the_last_digit_is_told_to_be_text() -> None:
    converter = _converter(KEY, column("EndDate", "datetime2", 2))
    with pytest.raises(
        FidelityError, match=r"9999-12-31 23:59:59\.9999999.*\n.*column_representation: \{EndDate: text\}"
    ):
        converter.convert(
            _batch(pa.array([1], pa.int32()), _us("9999-12-31T23:59:59.999999"), pa.array([900], pa.int32()))
        )


def test_null_in_a_column_declared_not_null_is_an_error() -> None:
    with pytest.raises(ExtractError, match="declared NOT NULL, but a NULL came"):
        _converter(KEY).convert(_batch(pa.array([None], pa.int32())))
    with pytest.raises(ExtractError, match="a NULL came; row id = 8"):
        _converter(KEY, column("n", "int", 2, is_nullable=False)).convert(
            _batch(pa.array([7, 8], pa.int32()), pa.array([1, None], pa.int32()))
        )


def test_a_row_is_named_by_binary_keys_too() -> None:
    facts = table(column("rv", "rowversion", is_nullable=False), column("at", "datetime2", 2), unique_keys=(("rv",),))
    mapping = map_columns(facts, StaticTableConfig(table_name="t"))
    converter = BatchConverter(facts, mapping, remainder_columns(mapping))
    with pytest.raises(FidelityError, match="row rv = 0x00000000000007D1"):
        converter.convert(
            _batch(
                pa.array([bytes.fromhex("00000000000007D1")]),
                _us("9999-12-31T00:00:00"),
                pa.array([0], pa.int32()),
            )
        )


def test_columns_that_were_not_asked_for_are_an_error() -> None:
    with pytest.raises(ExtractError, match="2 columns came, 1 were asked for"):
        _converter(KEY).convert(_batch(pa.array([1], pa.int32()), pa.array([1], pa.int32())))
