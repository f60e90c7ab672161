"""Driver batches become the mapped schema exactly, or a FidelityError names the column, the value and the row."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.config import SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.errors import ExtractError, FidelityError
from dltsync_core.extract.convert import BatchConverter
from dltsync_core.tsql.select import remainder_columns
from dltsync_core.typemap import map_columns
from tests.support.table_facts import column, table

KEY = column("id", "int", is_nullable=False)


def _converter(*columns: ColumnFacts, **representation: str) -> BatchConverter:
    facts = table(*columns, name="t", schema="dbo", primary_key=("id",))
    mapping = map_columns(facts, StaticTableConfig(table_name="t", column_representation=representation))
    return BatchConverter(facts, mapping, remainder_columns(mapping))


def _batch(*arrays: pa.Array[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(arrays), names=[str(i) for i in range(len(arrays))])


def _us(*texts: str | None) -> pa.Array[Any]:
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


LAST, BELOW = "9999-12-31T23:59:59.999999", 900
FINE = "2024-01-01T00:00:00.123456"


@pytest.mark.parametrize(
    ("kind", "kept", "held", "proposed"),
    [
        ("datetime2", "microseconds", [(FINE, 700)], "nanoseconds"),
        ("datetime2", "microseconds", [(FINE, 700), (LAST, BELOW)], "text"),
        ("datetime2", "microseconds", [(LAST, BELOW)], "open_end"),
        ("datetime2", "microseconds", [(LAST, BELOW), (LAST, 0)], "text"),
        ("datetime2", "open_end", [(LAST, BELOW), (FINE, 700)], "text"),
        ("datetime2", "open_end", [(FINE, 700)], "nanoseconds"),
        ("datetime2", "open_end", [(LAST, 0)], "microseconds"),
        ("datetime2", "open_end", [(LAST, 0), (LAST, BELOW)], "text"),
        ("datetime2", "nanoseconds", [(LAST, 0), (FINE, 0)], "microseconds"),
        ("datetime2", "nanoseconds", [(LAST, BELOW), (FINE, 0)], "open_end"),
        ("datetime2", "nanoseconds", [(LAST, BELOW), (FINE, 700)], "text"),
        ("datetimeoffset", "utc", [(LAST, BELOW), (FINE, 0)], "utc_open_end"),
        ("datetimeoffset", "utc", [(FINE, 700)], "text"),
        ("datetimeoffset", "utc_open_end", [(LAST, 0)], "text"),
    ],
)
def test_what_is_proposed_keeps_every_value_at_hand_and_most_of_what_a_moment_can_do(
    kind: str, kept: str, held: list[tuple[str, int]], proposed: str
) -> None:
    def batch() -> pa.RecordBatch:
        micros = pa.array([text for text, _ in held]).cast(pa.timestamp("us"))
        at = micros if kind == "datetime2" else micros.cast(pa.int64()).cast(pa.timestamp("us", tz="+00:00"))
        return _batch(pa.array(range(len(held)), pa.int32()), at, pa.array([below for _, below in held], pa.int32()))

    with pytest.raises(FidelityError) as caught:
        _converter(KEY, column("EndDate", kind, 2), EndDate=kept).convert(batch())
    assert f"column_representation: {{EndDate: {proposed}}}" in str(caught.value)
    if proposed != "text":
        _converter(KEY, column("EndDate", kind, 2), EndDate=proposed).convert(batch())
        assert "(the load stops again at" in str(caught.value)


def test_an_open_end_is_kept_and_what_would_look_like_it_stops_the_load() -> None:
    converter = _converter(KEY, column("EndDate", "datetime2", 2), EndDate="open_end")
    whole = _batch(pa.array([1, 2, 3], pa.int32()), _us(LAST, FINE, None), pa.array([BELOW, 0, None], pa.int32()))
    shown = converter.convert(whole).column(1).cast(pa.string()).to_pylist()
    assert shown == ["9999-12-31 23:59:59.999999", "2024-01-01 00:00:00.123456", None]
    with pytest.raises(FidelityError, match=r"holds 9999-12-31 23:59:59\.999999, which is how the type's maximum is"):
        converter.convert(_batch(pa.array([7], pa.int32()), _us(LAST), pa.array([0], pa.int32())))


@pytest.mark.parametrize(
    ("micros", "below", "fits"),
    [
        (-9_223_372_036_854_776, 200, False),
        (-9_223_286_400_000_001, 900, False),
        (-9_223_286_400_000_000, 0, True),
        (9_223_372_036_854_775, 800, True),
        (9_223_372_036_854_775, 900, False),
        (9_223_372_036_854_776, 0, False),
    ],
)
def test_nanoseconds_reach_to_the_last_hundred(micros: int, below: int, fits: bool) -> None:
    converter = _converter(KEY, column("at", "datetime2", 2))
    batch = _batch(pa.array([1], pa.int32()), pa.array([micros], pa.timestamp("us")), pa.array([below], pa.int32()))
    if fits:
        counted = converter.convert(batch).column(1).cast(pa.int64()).to_pylist()
        assert counted == [micros * 1000 + below]
        return
    with pytest.raises(FidelityError) as caught:
        converter.convert(batch)
    assert "outside 1677-09-22 00:00:00 to 2262-04-11 23:47:16.8547758, the range of nanoseconds" in str(caught.value)


def test_null_in_a_column_declared_not_null_is_an_error() -> None:
    with pytest.raises(ExtractError, match="declared NOT NULL, but a NULL was received"):
        _converter(KEY).convert(_batch(pa.array([None], pa.int32())))
    with pytest.raises(ExtractError, match="a NULL was received; row id = 8"):
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
    with pytest.raises(ExtractError, match="2 columns received, 1 requested"):
        _converter(KEY).convert(_batch(pa.array([1], pa.int32()), pa.array([1], pa.int32())))


@pytest.mark.parametrize(
    ("kind", "at", "value"),
    [
        ("time", "microseconds", pa.array([86_399_999_999_900], pa.time64("ns"))),
        ("datetime2", "microseconds", _us("9999-12-31T00:00:00.000001")),
        ("datetime2", "nanoseconds", _us("9999-12-31T00:00:00.000001")),
        ("datetimeoffset", "utc", pa.array([1], pa.timestamp("us", tz="+00:00"))),
    ],
)
def test_every_choice_that_a_value_may_break_names_table_column_row_and_way_out(
    kind: str, at: str, value: pa.Array[Any]
) -> None:
    """The key is a datetime2(7) too: its last digit tells two rows apart."""
    facts = table(
        column("since", "datetime2", is_nullable=False), column("at", kind, 2), name="t", primary_key=("since",)
    )
    mapping = map_columns(facts, StaticTableConfig(table_name="t", column_representation={"at": at}))
    converter = BatchConverter(facts, mapping, remainder_columns(mapping))
    since, rest = _us("2024-05-06T07:08:09.123456"), pa.array([700], pa.int32())
    with pytest.raises(FidelityError) as caught:
        converter.convert(_batch(since, value, rest, pa.array([100], pa.int32())))
    said = str(caught.value)
    assert "sales.t: column at holds " in said
    assert "99999900" not in said
    assert "row since = 2024-05-06 07:08:09.1234567" in said
    assert "under this table in the config write column_representation: {at: text}" in said
    assert caught.value.facts["row"] == "row since = 2024-05-06 07:08:09.1234567"


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (StaticTableConfig(table_name="t"), "the table has no key to name the row by"),
        (StaticTableConfig(table_name="t", load_strategy="upsert", key_columns=["CODE"]), "row code = x"),
        (
            SCDTableConfig(
                table_name="t",
                business_key_columns=["code"],
                effective_date_column="start",
                end_date_column="at",
                is_latest_column="latest",
                last_modified_column="start",
            ),
            "row code = x, start = 2024-01-01",
        ),
        (StaticTableConfig(table_name="t", exclude_columns=["code"]), "the table has no key to name the row by"),
    ],
)
def test_where_the_server_has_no_key_the_one_of_the_config_names_the_row(config: TableConfig, named: str) -> None:
    facts = table(
        column("code", "varchar", collation="Latin1_General_100_CI_AS_SC_UTF8"),
        column("start", "date", 2),
        column("latest", "bit", 3),
        column("at", "datetime", 4),
        name="t",
    )
    mapping = map_columns(facts, config)
    sent: dict[str, pa.Array[Any]] = {
        "code": pa.array(["x"]),
        "start": pa.array([date(2024, 1, 1)]),
        "latest": pa.array([True]),
        "at": _us("2024-01-02T03:04:05.000001"),
    }
    converter = BatchConverter(facts, mapping, remainder_columns(mapping))
    with pytest.raises(FidelityError) as caught:
        converter.convert(_batch(*(sent[name] for name in mapping.schema.names)))
    assert caught.value.facts["row"] == named
