"""Targets as they are made, as they were made by somebody else, and as they change."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from dltsync_core.config.sqlserver_destination import PartitionPlacement
from dltsync_core.errors import CatalogError, ConfigError, DriftError, UnsupportedColumn, WarehouseError
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceTable
from dltsync_core.typemap.mapping import COLLATION_KEY, SQL_TYPE_KEY
from dltsync_core.warehouse.port import TargetLayout
from dltsync_core.warehouse.sqlserver.ladder import LadderSettings
from tests.services.warehouse.sqlserver.loads import (
    KEYED,
    NUMBER,
    PARTED,
    TARGET,
    UNITS,
    orders,
    part,
    request,
    rows,
)
from tests.support.sqlserver_warehouse import SandboxWarehouse
from tests.support.table_facts import column, partitioned


def field(name: str, kind: pa.DataType, declared: str, collation: str | None = None) -> pa.Field[Any]:
    metadata = {SQL_TYPE_KEY: declared.encode()}
    if collation is not None:
        metadata[COLLATION_KEY] = collation.encode()
    return pa.field(name, kind, metadata=metadata)


US, NS = pa.timestamp("us"), pa.timestamp("ns")
VALUES: dict[str, tuple[pa.DataType, list[Any], str]] = {
    "tinyint": (pa.int16(), [0, 255], "tinyint"),
    "bigint": (pa.int64(), [-(2**63), 2**63 - 1], "bigint"),
    "bit": (pa.bool_(), [True, False], "bit"),
    "decimal(38,10)": (
        pa.decimal128(38, 10),
        [Decimal("1234567890123456789012345678.0123456789"), Decimal("-0.0000000001")],
        "decimal(38,10)",
    ),
    "money": (pa.decimal128(19, 4), [Decimal("-922337203685477.5808"), Decimal("0.0001")], "money"),
    "float": (pa.float64(), [1.1e300, -0.0], "float"),
    "date": (pa.string(), [], "date"),
    "time(7)": (pa.string(), ["00:00:00.0000001", "23:59:59.9999999"], "time(7)"),
    "time(3)": (pa.time64("us"), [1_000, 86_399_999_000], "time(3)"),
    "datetime2(7)": (NS, [-1_000_000_000_100, 1_577_836_800_123_456_700], "datetime2(7)"),
    "datetime": (US, [-6_847_804_800_000_000, 253_402_300_799_997_000], "datetime"),
    "smalldatetime": (US, [-2_208_988_800_000_000, 3_453_321_540_000_000], "smalldatetime"),
    "real": (pa.float32(), [3.4e38, -1.1754944e-38], "real"),
    "smallmoney": (pa.decimal128(10, 4), [Decimal("-214748.3648"), Decimal("0.0001")], "smallmoney"),
    "datetime2(3)": (US, [-62_135_596_800_000_000, 253_402_300_799_999_000], "datetime2(3)"),
    "datetimeoffset(7)": (
        pa.string(),
        ["0001-01-02 00:00:00.0000001+14:00", "9999-12-30 23:59:59.9999999-12:30"],
        "datetimeoffset(7)",
    ),
    "nvarchar(20)": (pa.string(), ["a€😀 ", ""], "nvarchar(20)"),
    "varchar(20)": (pa.string(), ["Łódź", "é "], "nvarchar(20)"),
    "varchar(max)": (pa.large_string(), ["x" * 9000, ""], "nvarchar(max)"),
    "varbinary(max)": (pa.large_binary(), [b"\0" * 9000, b""], "varbinary(max)"),
    "uniqueidentifier": (
        pa.string(),
        ["6F9619FF-8B86-D011-B42D-00C04FC964FF", "00000000-0000-0000-0000-000000000000"],
        "uniqueidentifier",
    ),
    "uniqueidentifier as uuid": (
        pa.uuid(),
        [UUID(int=0), UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")],
        "uniqueidentifier",
    ),
    "rowversion": (pa.binary(8), [b"\0" * 7 + b"\1", b"\xff" * 8], "binary(8)"),
}
del VALUES["date"]


@pytest.mark.parametrize(
    ("method", "bulk_load"),
    [
        ("switch", "bulkcopy"),
        ("delete and insert", "bulkcopy"),
        ("update and insert", "bulkcopy"),
        ("switch", "fast_executemany"),
    ],
)
def test_every_type_comes_in_and_out_exactly(house: SandboxWarehouse, method: str, bulk_load: str) -> None:
    house = house.another(bulk_load=bulk_load)
    schema = pa.schema(
        [pa.field("No", pa.int32(), nullable=False)]
        + [field(f"c {name}", kind, name.split(" as ")[0], _collation(name)) for name, (kind, _, _) in VALUES.items()]
    )
    columns: list[Any] = [pa.array([1, 2, 3], pa.int32())]
    for kind, values, _ in VALUES.values():
        whole = pa.types.is_timestamp(kind) or pa.types.is_time(kind)
        made = pa.array([*values, None], pa.int64()).cast(kind) if whole else pa.array([*values, None], kind)
        columns.append(made)
    table = pa.table(columns, schema=schema)
    how = MergeKeys(("No",)) if method == "update and insert" else ReplaceTable()
    if method == "delete and insert":
        house = house.another(ladder=LadderSettings(switching=False))
    for _ in range(2):
        assert house.warehouse.load(request(house, table, how)).method == method
    types = house.warehouse.columns(TARGET)
    assert {name: types[f"c {name}"] for name in VALUES} == {name: kind for name, (_, _, kind) in VALUES.items()}
    with house.warehouse.rows(TARGET, None, schema) as batches:
        found = pa.Table.from_batches(list(batches)).sort_by("No")
    for name in schema.names:
        assert found.column(name).combine_chunks().equals(table.column(name).combine_chunks()), name


def _collation(name: str) -> str | None:
    return "Latin1_General_CS_AS" if "char" in name else None


def test_a_target_that_exists_keeps_its_indexes_and_its_trusted_constraints(house: SandboxWarehouse) -> None:
    house.query("CREATE SCHEMA sales")
    house.query("CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)")
    house.query("CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])")
    house.query(
        "CREATE TABLE sales.Orders (No int NOT NULL, Note nvarchar(max) NULL, "
        "CONSTRAINT pk PRIMARY KEY CLUSTERED (No)) ON ps(No)"
    )
    house.query("CREATE INDEX ix ON sales.Orders (No DESC) INCLUDE (Note) ON ps(No)")
    before = _indexes(house)
    for fence, note in enumerate(("a", "b"), start=1):
        rows_of_unit: dict[str, dict[int, str | None]] = {
            UNITS[0]: {1: note},
            UNITS[1]: {11: note, 12: None},
            UNITS[2]: {25: note},
        }
        loads = [
            request(house, orders(content), part(unit), fence=fence, unit=unit)
            for unit, content in rows_of_unit.items()
        ]
        assert [one.method for one in house.warehouse.load_group(loads)] == ["switch"] * 3
        assert rows(house) == [(1, note), (11, note), (12, None), (25, note)]
    assert _indexes(house) == before
    with pytest.raises(Exception, match="2627"):
        house.query("INSERT INTO sales.Orders (No) VALUES (11)")


def _indexes(house: SandboxWarehouse) -> list[tuple[Any, ...]]:
    return house.query(
        "SELECT i.name, i.type_desc, i.is_unique, i.is_primary_key, d.name FROM sys.indexes AS i "
        "JOIN sys.data_spaces AS d ON d.data_space_id = i.data_space_id "
        "WHERE i.object_id = OBJECT_ID(N'sales.Orders') ORDER BY i.index_id"
    )


def test_a_function_and_a_scheme_by_name_are_used_and_made(house: SandboxWarehouse) -> None:
    house.query("CREATE PARTITION FUNCTION [my pf] (int) AS RANGE RIGHT FOR VALUES (10, 20)")
    mine = house.another(placements={("sales", "orders"): PartitionPlacement(function="my pf", scheme="my ps")})
    loaded = mine.warehouse.load(request(mine, orders({11: "a"}), part(UNITS[1]), layout=PARTED))
    assert loaded.method == "switch"
    assert house.query("SELECT name FROM sys.partition_schemes") == [("my ps",)]


def test_a_function_that_another_table_uses_is_not_split(house: SandboxWarehouse) -> None:
    house.query("CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10)")
    house.query("CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])")
    house.query("CREATE TABLE dbo.Other (No int NOT NULL) ON ps(No)")
    mine = house.another(placements={("sales", "orders"): PartitionPlacement(function="pf", scheme="ps")})
    loaded = mine.warehouse.load(request(mine, orders({11: "a"}), part(UNITS[1]), layout=PARTED))
    assert loaded.method == "delete and insert"
    assert "4973" in loaded.reasons[0]
    assert house.query("SELECT COUNT(*) FROM sys.partition_range_values") == [(1,)]
    assert rows(house) == [(11, "a")]


def test_a_new_column_is_added_and_one_that_left_the_source_is_null(house: SandboxWarehouse) -> None:
    both = orders({1: "a"}).append_column(pa.field("Gone", pa.int32()), pa.array([7], pa.int32()))
    house.warehouse.load(request(house, both, part(UNITS[0]), layout=PARTED))
    wider = orders({11: "b"}).append_column(
        pa.field("New", pa.decimal128(19, 4)), pa.array([Decimal("1.5")]).cast(pa.decimal128(19, 4))
    )
    house.warehouse.load(request(house, wider, part(UNITS[1]), layout=PARTED, fence=2))
    assert rows(house) == [(1, "a", 7, None), (11, "b", None, Decimal("1.5000"))]


def test_a_changed_type_is_refused_before_anything_is_written(house: SandboxWarehouse) -> None:
    house.warehouse.load(request(house, orders({1: "a"})))
    changed = pa.table({"No": pa.array([2.0], pa.float64()), "Note": pa.array([b"b"])})
    with pytest.raises(DriftError) as caught:
        house.warehouse.load(request(house, changed, fence=2))
    assert "No is int in the warehouse and float in the load" in str(caught.value)
    assert "Note is nvarchar(max) in the warehouse and varbinary(max) in the load" in str(caught.value)
    assert rows(house) == [(1, "a")]


def test_a_wider_type_is_refused_on_a_partitioned_table(house: SandboxWarehouse) -> None:
    house.warehouse.load(request(house, orders({1: "a"}), part(UNITS[0]), layout=PARTED))
    wide = pa.table({"No": pa.array([2], pa.int64()), "Note": ["b"]})
    with pytest.raises(DriftError, match="cannot be changed on a partitioned table"):
        house.warehouse.load(request(house, wide, part(UNITS[0]), layout=PARTED, fence=2))


def test_hostile_names_are_names(house: SandboxWarehouse) -> None:
    target = ("it's ]a", "o.{d}d ?'; DROP TABLE x --")
    table = orders({1: "a"}).rename_columns(["N o]", "?{'"])
    layout = TargetLayout(("N o]",))
    ways: list[Disposition] = [ReplaceTable(), MergeKeys(("N o]",)), ReplaceTable()]
    for fence, how in enumerate(ways, start=1):
        house.warehouse.load(request(house, table, how, target=target, layout=layout, fence=fence))
        assert house.warehouse.count(target) == 1
    assert house.warehouse.columns(target) == {"N o]": "int", "?{'": "nvarchar(max)"}
    assert house.staging() == []


def test_a_view_of_that_name_is_not_loaded_into(house: SandboxWarehouse) -> None:
    house.warehouse.load(request(house, orders({1: "a"}), target=("sales", "Lines")))
    found = house.warehouse.columns(("SALES", "lines"))
    assert list(found) == ["No", "Note"], "names are compared without regard to case"


def test_reserved_names_and_columns_that_differ_in_case_are_refused(house: SandboxWarehouse) -> None:
    schema = orders({}).schema
    for reserved in ("sys", "_dltsync", "_dltsync_staging"):
        with pytest.raises(ConfigError, match="reserved"):
            house.warehouse.check_names((reserved, "t"), schema)
    twice = pa.schema([pa.field("a", pa.int32()), pa.field("A", pa.int32())])
    with pytest.raises(UnsupportedColumn, match="upper and lower case"):
        house.warehouse.check_names(TARGET, twice)


def test_text_of_a_code_page_is_refused_as_a_partition_column_and_unicode_is_not(house: SandboxWarehouse) -> None:
    (unit, *_) = part(UNITS[0]).ranges
    with pytest.raises(CatalogError, match="configure the table as static"):
        house.warehouse.scope_for(column("c", "varchar"), pa.string(), [unit])
    for kind in ("nvarchar", "uniqueidentifier", "datetimeoffset", "binary"):
        house.warehouse.scope_for(column("c", kind), pa.string(), [unit])


def test_a_row_outside_of_its_partition_stops_the_load(house: SandboxWarehouse) -> None:
    house.warehouse.load(request(house, orders({1: "a"}), part(UNITS[0]), layout=PARTED))
    with pytest.raises(WarehouseError, match="2 rows went into staging, and 1 of them within the range"):
        house.warehouse.load(request(house, orders({2: "b", 12: "b"}), part(UNITS[0]), layout=PARTED, fence=2))
    assert rows(house) == [(1, "a")]
    assert house.staging() == []


def test_rows_with_null_belong_to_the_partition_that_holds_them(house: SandboxWarehouse) -> None:
    nullable = column("No", "int")
    layout = TargetLayout((), partitioned(nullable, ["10", "20"], "right"))
    fields: list[pa.Field[Any]] = [pa.field("No", pa.int32()), pa.field("Note", pa.string())]
    schema = pa.schema(fields)

    def rows_of(*numbers: int | None) -> pa.Table:
        return pa.table({"No": pa.array(numbers, pa.int32()), "Note": ["a"] * len(numbers)}, schema=schema)

    for fence, numbers in enumerate(((None, 1), (None, None, 2), (3,)), start=1):
        for switching in (True, False):
            mine = house.another(ladder=LadderSettings(switching=switching))
            mine.warehouse.load(
                request(mine, rows_of(*numbers), part(UNITS[0]), layout=layout, fence=fence, unit=UNITS[0])
            )
            found = [number for number, _ in rows(house)]
            assert sorted(found, key=str) == sorted(numbers, key=str)
            assert house.warehouse.count(TARGET, part(UNITS[0])) == len(numbers)


def test_columnstore_tables_are_made_and_switched(house: SandboxWarehouse) -> None:
    mine = house.another(columnstore=True)
    for fence in (1, 2):
        loads = [
            request(mine, orders({number: f"state {fence}"}), part(unit), layout=PARTED, fence=fence, unit=unit)
            for number, unit in zip((1, 11, 21), UNITS, strict=True)
        ]
        assert [one.method for one in mine.warehouse.load_group(loads)] == ["switch"] * 3
        assert rows(house) == [(number, f"state {fence}") for number in (1, 11, 21)]
    kinds = house.query("SELECT type_desc FROM sys.indexes WHERE object_id = OBJECT_ID(N'sales.Orders')")
    assert kinds == [("CLUSTERED COLUMNSTORE",)]


def test_a_primary_key_is_made_where_the_source_has_one(house: SandboxWarehouse) -> None:
    house.warehouse.load(request(house, orders({1: "a"}), layout=KEYED))
    house.warehouse.load(request(house, orders({1: "a"}), target=("sales", "Free"), layout=TargetLayout()))
    keys = house.query(
        "SELECT OBJECT_NAME(parent_object_id) FROM sys.key_constraints WHERE OBJECT_SCHEMA_NAME(parent_object_id) = 'sales'"
    )
    assert keys == [("Orders",)]
    assert NUMBER.name == "No"
