"""A place may keep a column in a wider type than the source declares now. What it holds is written as the server would write it
when it is the same value, and otherwise so that the difference shows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.config import StaticTableConfig
from dltsync_core.digest.canonical import canonical_texts
from dltsync_core.typemap.columns import map_columns
from tests.support.table_facts import column, table


def text(kind: str, value: Any, held: pa.DataType, **facts: Any) -> str | None:
    """The canonical text of one value of a column declared so, kept in a type."""
    declared = table(column("c", kind, **facts))
    (mapping,) = map_columns(declared, StaticTableConfig(table_name="Orders", schema_name="sales")).columns
    found: list[str | None] = canonical_texts(pa.array([None, value], held), mapping).to_pylist()
    assert found[0] is None
    return found[1]


MOMENTS = [
    ("datetime2", 3, pa.timestamp("us"), -1, "1969-12-31 23:59:59.999999000"),
    ("datetime2", 3, pa.timestamp("us"), -1000, "1969-12-31 23:59:59.999"),
    ("datetime2", 0, pa.timestamp("ns"), 1, "1970-01-01 00:00:00.000000001"),
    ("datetime2", 0, pa.timestamp("ns"), 0, "1970-01-01 00:00:00"),
    ("datetime2", 7, pa.timestamp("us"), -1, "1969-12-31 23:59:59.9999990"),
    ("time", 0, pa.time64("us"), 1, "00:00:00.000001000"),
    ("time", 2, pa.time64("us"), 10_000, "00:00:00.01"),
    ("datetime", 3, pa.timestamp("us"), 3_000, "1970-01-01T00:00:00.003"),
    ("datetime", 3, pa.timestamp("us"), 3_001, "1970-01-01T00:00:00.003001000"),
    ("datetime", 3, pa.timestamp("ns"), 0, "1970-01-01T00:00:00"),
    ("smalldatetime", 0, pa.timestamp("ns"), 1, "1970-01-01T00:00:00.000000001"),
]


@pytest.mark.parametrize(("kind", "scale", "held", "value", "expected"), MOMENTS)
def test_a_moment_below_the_declared_digits_shows(
    kind: str, scale: int, held: pa.DataType, value: int, expected: str
) -> None:
    """One microsecond in a datetime2(3): no value of the column, and so no value that may be taken for one."""
    assert text(kind, value, held, scale=scale) == expected


@given(st.integers(-(10**30), 10**30), st.integers(0, 30), st.integers(0, 38), st.integers(1, 8))
def test_a_decimal_is_written_with_the_declared_scale_or_shows_its_other_digits(
    units: int, held: int, declared: int, spare: int
) -> None:
    value = Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -held))
    found = text("decimal", value, pa.decimal128(min(31 + spare, 38), held), precision=38, scale=declared)
    assert found is not None
    assert Decimal(found) == value
    digits = len(found.partition(".")[2])
    assert digits == declared if units * 10**declared % 10**held == 0 else digits == held
    assert not found.startswith("-0") or "." in found
    assert (found[:1] == "-") is (units < 0)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 38))
def test_a_whole_number_in_a_decimal_and_a_decimal_in_a_whole_number(number: int, scale: int) -> None:
    """A table that keeps files from before int became decimal, and a warehouse that keeps DECIMAL when it went back."""
    as_decimal = text("decimal", number, pa.int64(), precision=38, scale=scale)
    assert as_decimal == (f"{number}.{'0' * scale}" if scale else str(number))
    assert text("bigint", Decimal(number), pa.decimal128(38, 10)) == str(number)


def test_what_no_integer_is_shows() -> None:
    assert text("int", Decimal("5.01"), pa.decimal128(12, 2)) == "5.01"
    assert text("money", 5, pa.int32()) == "5.0000"
    assert text("smallmoney", Decimal("0.00005"), pa.decimal128(20, 5)) == "0.00005"


def test_letters_of_a_guid_in_another_case_show() -> None:
    """They are text where they are kept, and text in lower case is not what was loaded."""
    upper = "6F9619FF-8B86-D011-B42D-00C04FC964FF"
    assert text("uniqueidentifier", upper, pa.string()) == upper
    assert text("uniqueidentifier", upper.lower(), pa.string()) == upper.lower()


def test_a_uuid_has_the_text_of_the_server() -> None:
    upper = "6F9619FF-8B86-D011-B42D-00C04FC964FF"
    assert text("uniqueidentifier", UUID(upper), pa.uuid()) == upper
