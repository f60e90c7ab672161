"""A warehouse column grows to hold what comes, keeps what it holds to the last digit, and never shrinks."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.duckdb.column_types import widest
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import DriftError
from dltsync_core.identity import Target
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.ranges import parse_key
from dltsync_core.warehouse.port import TableInspection
from tests.support.duckdb_memory import empty_database
from tests.support.local_warehouse import TARGET, LocalWarehouse, one_row
from tests.support.table_facts import column

TYPES = [
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR", "BLOB", "DATE", "TIME"),
    *("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"),
]
DECIMALS = st.integers(1, 38).flatmap(lambda p: st.integers(0, p).map(lambda s: f"DECIMAL({p},{s})"))
KINDS = st.one_of(st.sampled_from(TYPES), DECIMALS)


@given(KINDS, KINDS)
def test_the_widest_of_two_takes_both_and_does_not_depend_on_their_order(one: str, other: str) -> None:
    found = widest(one, other)
    assert found == widest(other, one)
    if found is not None:
        assert widest(one, found) == found
        assert widest(other, found) == found


@given(KINDS, KINDS, KINDS)
def test_growing_step_by_step_ends_where_growing_at_once_does(one: str, two: str, three: str) -> None:
    def grown(*kinds: str) -> str | None:
        first, *more = kinds
        held: str | None = first
        for kind in more:
            held = widest(held, kind) if held is not None else None
        return held

    assert grown(one, two, three) == grown(three, two, one)


@given(DECIMALS, DECIMALS, st.data())
def test_every_decimal_of_the_narrower_type_survives_in_duckdb(one: str, other: str, data: st.DataObject) -> None:
    wider = widest(one, other)
    if wider is None:
        return
    precision, scale = (int(part) for part in one[8:-1].split(","))
    digits = data.draw(st.integers(-(10**precision) + 1, 10**precision - 1))
    value = Decimal(digits).scaleb(-scale) if precision < 28 else Decimal(f"{digits}E-{scale}")
    with empty_database() as connection:
        row = connection.execute(f"SELECT CAST(CAST(? AS {one}) AS {wider})", [f"{value:f}"]).fetchone()
    assert row is not None
    assert row[0] == value


def part(key: str) -> ReplaceScope:
    return scope_for(column("No", "int"), pa.int32(), [parse_key(key)])


GROWING: list[tuple[pa.DataType, Any, pa.DataType, Any, str]] = [
    (pa.decimal128(10, 2), Decimal("12345678.91"), pa.decimal128(18, 4), Decimal("1.2345"), "DECIMAL(18,4)"),
    (pa.decimal128(18, 4), Decimal("1.2345"), pa.decimal128(10, 2), Decimal("12345678.91"), "DECIMAL(18,4)"),
    (pa.decimal128(10, 4), Decimal("1.2345"), pa.decimal128(10, 2), Decimal("12345678.91"), "DECIMAL(12,4)"),
    (pa.int16(), 32767, pa.int64(), 2**63 - 1, "BIGINT"),
    (pa.int64(), 2**63 - 1, pa.int32(), 7, "BIGINT"),
    (pa.int32(), -(2**31), pa.decimal128(12, 2), Decimal("0.01"), "DECIMAL(12,2)"),
    (pa.timestamp("ms"), datetime(2026, 1, 1, 1, 2, 3, 4000), pa.timestamp("us"), datetime(9999, 12, 31), "TIMESTAMP"),
    (pa.timestamp("us"), datetime(2026, 1, 1, 1, 2, 3, 4), pa.timestamp("ns"), datetime(2026, 1, 2), "TIMESTAMP_NS"),
]


def refusal(house: LocalWarehouse, coming: pa.Table, target: Target = TARGET) -> DriftError | None:
    return house.warehouse.inspect({target: TableInspection("shop", {"all": None}, coming.schema)})[target].refusal


@pytest.mark.parametrize(
    "how", [part("[10,+inf)"), MergeKeys(("No",)), UpsertKeys(("No",))], ids=["part", "merge", "upsert"]
)
def test_a_column_grows_and_keeps_its_values(house: LocalWarehouse, how: Disposition) -> None:
    """A table for each pair of types; they come in together."""
    pairs = {("sales", f"Pair{number}"): pair for number, pair in enumerate(GROWING)}
    house.warehouse.load_group(
        [house.request(target, one_row(1, held, old)) for target, (held, old, _, _, _) in pairs.items()]
    )
    coming = {target: one_row(20, arrow, new) for target, (_, _, arrow, new, _) in pairs.items()}
    assert [refusal(house, table, target) for target, table in coming.items()] == [None] * len(pairs)
    house.warehouse.load_group([house.request(target, table, how=how) for target, table in coming.items()])
    assert {target: house.types(target)["Value"] for target in pairs} == {
        target: expected for target, (_, _, _, _, expected) in pairs.items()
    }
    for (schema, name), (_, old, _, new, _) in pairs.items():
        found = house.query(f'SELECT "No", "Value" FROM {schema}."{name}" ORDER BY 1')
        assert found == [(1, old), (20, new)], name


def test_a_table_that_is_replaced_whole_keeps_the_wider_type(house: LocalWarehouse) -> None:
    house.load(TARGET, one_row(1, pa.int64(), 2**40))
    house.load(TARGET, one_row(1, pa.int32(), 7), how=ReplaceTable())
    assert house.types(TARGET)["Value"] == "BIGINT"
    assert house.query('SELECT "Value" FROM sales."Orders"') == [(7,)]


def test_a_value_that_the_finer_type_cannot_hold_refuses_before_anything_is_written(house: LocalWarehouse) -> None:
    """Nanoseconds end in 2262."""
    house.load(TARGET, one_row(1, pa.timestamp("us"), datetime(9999, 12, 31)))
    finer = one_row(20, pa.timestamp("ns"), datetime(2026, 1, 1)).append_column("New", pa.array([1]))
    assert "Value holds values as TIMESTAMP that TIMESTAMP_NS cannot hold" in str(refusal(house, finer))
    with pytest.raises(DriftError, match="Nothing was written"):
        house.load(TARGET, finer, how=part("[10,+inf)"))
    assert house.types(TARGET) == {"No": "INTEGER", "Value": "TIMESTAMP"}
    assert house.query('SELECT * FROM sales."Orders"') == [(1, datetime(9999, 12, 31))]


def test_a_load_that_fails_leaves_the_type_as_it_was(house: LocalWarehouse) -> None:
    house.load(TARGET, one_row(1, pa.int32(), 1))
    request = house.request(TARGET, one_row(2, pa.int64(), 2**40), how=part("[10,+inf)"))
    request.files[0].write_bytes(request.files[0].read_bytes()[:-40])
    with pytest.raises(Exception, match=r"(?i)parquet"):
        house.warehouse.load(request)
    assert house.types(TARGET)["Value"] == "INTEGER"


def test_looking_at_a_warehouse_that_is_not_there_creates_nothing(house: LocalWarehouse) -> None:
    assert refusal(house, one_row(1, pa.int32(), 1)) is None
    assert not house.path.exists()
