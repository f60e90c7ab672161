"""What happens to a target whose columns are not the load's: decided before anything is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.errors import DriftError
from dltsync_core.tsql.warehouse.tables import TargetColumn
from dltsync_core.typemap.mapping import COLLATION_KEY, SQL_TYPE_KEY
from dltsync_core.warehouse.sqlserver.columns import bulk_type, holds, target_column, type_of
from dltsync_core.warehouse.sqlserver.evolution import Evolution, plan_evolution
from tests.core.warehouse.sqlserver.targets import DAY
from tests.support.table_facts import column, partitioned, table

LATIN = "Latin1_General_CI_AS"


def field(name: str, kind: pa.DataType, declared: str, *, nullable: bool = True) -> pa.Field[Any]:
    metadata = {SQL_TYPE_KEY: declared.encode(), COLLATION_KEY: LATIN.encode()}
    return pa.field(name, kind, nullable=nullable, metadata=metadata)


NUMBER = field("No", pa.int32(), "int", nullable=False)
NOTE = field("Note", pa.string(), "nvarchar(50)")
HELD = (column("No", "int", is_nullable=False), column("Note", "nvarchar", 2))


def plan(
    columns: tuple[Any, ...], *fields: pa.Field[Any], parted: bool = False, key: tuple[str, ...] = ()
) -> Evolution:
    facts = table(*columns, partitioning=partitioned(DAY, ["2024-01-01"], "right") if parted else None)
    facts = replace(facts, primary_key=key)
    return plan_evolution(facts, pa.schema(list(fields)))


def test_the_same_columns_need_nothing_whatever_their_case_and_order() -> None:
    assert plan(HELD, NUMBER, NOTE) == Evolution()
    assert plan(HELD, NOTE.with_name("NOTE"), NUMBER.with_name("no")) == Evolution()


def test_a_new_column_admits_null_and_has_the_sources_collation() -> None:
    new = field("New", pa.string(), "varchar(20)", nullable=False)
    assert plan(HELD, NUMBER, NOTE, new) == Evolution(added=(TargetColumn("New", "nvarchar(20)", True, LATIN),))


def test_not_null_is_lifted_where_nulls_come_and_where_a_column_is_gone() -> None:
    nullable = field("No", pa.int32(), "int")
    assert plan(HELD, nullable, NOTE).altered == (TargetColumn("No", "int", True),)
    gone = column("Gone", "nvarchar", 3, is_nullable=False)
    assert plan((*HELD, gone), NUMBER, NOTE).altered == (TargetColumn("Gone", "nvarchar(50)", True, LATIN),)
    filled = column("Id", "bigint", 4, is_nullable=False, is_identity=True)
    assert plan((*HELD, filled), NUMBER, NOTE) == Evolution()


def test_a_partitioned_table_is_made_anew_where_the_config_allows_it_and_nothing_stands_against_it() -> None:
    facts = table(*HELD, DAY, partitioning=partitioned(DAY, ["2024-01-01"], "right"))
    wide = [field("No", pa.int64(), "bigint", nullable=False), field("Note", pa.string(), "nvarchar(60)")]
    day = field("day", pa.date32(), "date", nullable=False)
    planned = plan_evolution(facts, pa.schema([*wide, day]), against_rebuild=lambda: ())
    columns = (TargetColumn("No", "bigint", False), TargetColumn("Note", "nvarchar(60)", True, LATIN))
    assert planned == Evolution(rebuilt=columns)
    with pytest.raises(DriftError, match="the table cannot be made anew: it has a trigger") as caught:
        plan_evolution(facts, pa.schema([*wide, day]), against_rebuild=lambda: ("it has a trigger",))
    assert "changed_types" not in caught.value.remedy
    with pytest.raises(DriftError, match="cannot be changed on a partitioned table") as caught:
        plan_evolution(facts, pa.schema([*wide, day]))
    assert caught.value.remedy.startswith("set destination.changed_types: rebuild")
    unpartitioned = plan_evolution(table(*HELD), pa.schema(wide), against_rebuild=lambda: ("it has a trigger",))
    assert unpartitioned == Evolution(altered=columns)


def test_identity_columns_and_primary_keys_stay_not_null() -> None:
    """SQL Server has them only so, and refuses to alter them (8147, 5074)."""
    identity = column("Id", "int", 3, is_nullable=False, is_identity=True)
    nullable = field("Id", pa.int32(), "int")
    assert plan((*HELD, identity), NUMBER, NOTE, nullable) == Evolution()
    wide = field("Id", pa.int64(), "bigint")
    assert plan((*HELD, identity), NUMBER, NOTE, wide).altered == (TargetColumn("Id", "bigint", False),)
    assert plan(HELD, field("NO", pa.int32(), "int"), NOTE, key=("No",)) == Evolution()
    with pytest.raises(DriftError, match="No is part of the primary key in the warehouse and not in the load"):
        plan(HELD, NOTE, key=("No",))


def test_a_wider_type_is_altered_and_refused_on_a_partitioned_table() -> None:
    wide = field("No", pa.int64(), "bigint", nullable=False)
    assert plan(HELD, wide, NOTE).altered == (TargetColumn("No", "bigint", False),)
    with pytest.raises(DriftError, match=r"No is int in the warehouse and bigint in the load, and a type cannot"):
        plan(HELD, wide, NOTE, parted=True)


def test_all_columns_that_do_not_fit_are_named() -> None:
    computed = column("Sum", "int", 3, is_computed=True)
    version = column("Version", "rowversion", 4, is_nullable=False)
    with pytest.raises(DriftError) as caught:
        plan(
            (*HELD, computed, version),
            field("No", pa.float64(), "float", nullable=False),
            field("Note", pa.binary(), "varbinary(50)"),
            field("Sum", pa.int32(), "int"),
            field("Version", pa.binary(8), "rowversion", nullable=False),
        )
    for said in ("No is int", "Note is nvarchar(50)", "Sum is set by the server", "Version is set by the server"):
        assert said in caught.value.problem
    assert "--full-refresh" in caught.value.remedy


WIDER = [
    ("int", "bigint"),
    ("smallint", "int"),
    ("nvarchar(50)", "nvarchar(51)"),
    ("nvarchar(50)", "nvarchar(max)"),
    ("varbinary(8)", "varbinary(max)"),
    ("decimal(10,2)", "decimal(12,2)"),
    ("decimal(10,2)", "decimal(12,4)"),
    ("datetime2(3)", "datetime2(7)"),
    ("time(0)", "time(7)"),
]
APART = [
    ("tinyint", "smallint"),
    ("int", "float"),
    ("decimal(10,2)", "decimal(11,4)"),
    ("datetime", "datetime2(3)"),
    ("nchar(5)", "nvarchar(5)"),
    ("money", "decimal(19,4)"),
    ("binary(8)", "varbinary(8)"),
]


@pytest.mark.parametrize(("narrow", "wide"), WIDER)
def test_a_wider_type_holds_the_narrow_one_and_not_the_other_way_round(narrow: str, wide: str) -> None:
    assert holds(wide, narrow)
    assert not holds(narrow, wide)


@pytest.mark.parametrize(("one", "other"), APART)
def test_types_of_other_kinds_hold_only_themselves(one: str, other: str) -> None:
    assert holds(one, one)
    assert not holds(one, other)
    assert not holds(other, one)


@given(st.integers(1, 38), st.integers(0, 38), st.integers(1, 38), st.integers(0, 38))
def test_a_decimal_holds_another_when_both_ends_are_wide_enough(p: int, s: int, q: int, t: int) -> None:
    if s > p or t > q:
        return
    assert holds(f"decimal({p},{s})", f"decimal({q},{t})") == (s >= t and p - s >= q - t)


def test_values_are_sent_in_the_type_of_a_wider_column() -> None:
    assert bulk_type(NUMBER, "bigint") == pa.int64()
    assert bulk_type(field("d", pa.decimal128(10, 2), "decimal(10,2)"), "decimal(20,4)") == pa.decimal128(20, 4)
    assert bulk_type(NOTE, "nvarchar(max)") == pa.string()


def test_a_field_without_a_declared_type_has_one_by_its_form() -> None:
    kinds = {
        pa.int64(): "bigint",
        pa.bool_(): "bit",
        pa.decimal128(9, 2): "decimal(9,2)",
        pa.float32(): "real",
        pa.timestamp("ns"): "datetime2(7)",
        pa.timestamp("us", "UTC"): "datetimeoffset(6)",
        pa.time64("us"): "time(6)",
        pa.large_binary(): "varbinary(max)",
    }
    assert {kind: type_of(pa.field("c", kind)) for kind in kinds} == kinds


def test_only_text_has_a_collation() -> None:
    assert target_column(NUMBER).collation is None
    assert target_column(NOTE) == TargetColumn("Note", "nvarchar(50)", True, LATIN)
    assert target_column(field("d", pa.string(), "datetime2(7)")).collation is None
