"""Each rule of SWITCH broken on purpose: the plan names it with SQL Server's error, the rows get in by the next way, and
nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyodbc
import pytest

from dltsync_core.errors import WarehouseError
from dltsync_core.plan.steps import Disposition, ReplaceTable
from dltsync_core.warehouse.port import TableInspection, TargetLayout
from dltsync_core.warehouse.sqlserver.ladder import LadderSettings
from tests.services.warehouse.sqlserver.loads import PARTED, TARGET, UNITS, orders, part, request, rows
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import Prepared, SandboxWarehouse, prepared_warehouse

TABLE = "sales.Orders"


def feature(**features: object) -> str:
    return f"EXEC sandbox_features @table = N'{TABLE}', @features = N'{json.dumps(features)}'"


RULES: dict[str, tuple[int | None, str]] = {
    "an index off the partition scheme": (7733, f"CREATE INDEX ux ON {TABLE} (No) ON [PRIMARY]"),
    "a filtered index": (4947, f"CREATE INDEX ix ON {TABLE} (No) WHERE No > 3"),
    "a disabled foreign key": (
        4968,
        f"ALTER TABLE {TABLE} ADD CONSTRAINT f FOREIGN KEY (No) REFERENCES dbo.Numbers; ALTER TABLE {TABLE} NOCHECK CONSTRAINT f",
    ),
    "change tracking": (4900, feature(change_tracking=True)),
    "a full-text index": (4918, feature(full_text=True)),
    "an indexed view": (11400, feature(indexed_view=True)),
    "change data capture": (22842, feature(cdc=True, cdc_allows_switch=False)),
    "merge replication": (4941, feature(merge_published=True)),
    "a text-in-row limit": (4954, feature(text_in_row_limit=256)),
    "large values out of row": (4993, feature(large_values_out_of_row=True)),
    "a sparse column": (11412, feature(columns={"Note": {"sparse": True}})),
    "a bound rule": (4964, feature(columns={"Note": {"rule_object_id": 7}})),
    "an XML schema collection": (4987, feature(columns={"Note": {"xml_collection_id": 7}})),
    "a security policy": (None, feature(security_policy=True)),
    "a published table": (None, feature(replicated=True)),
    "ANSI_NULLS OFF": (None, feature(ansi_nulls=False)),
    "a masked column": (None, feature(columns={"Note": {"masked": True}})),
    "an encrypted column": (None, feature(columns={"Note": {"encryption_type": 1}})),
}


def fill(house: SandboxWarehouse) -> None:
    house.query("CREATE TABLE dbo.Numbers (No int NOT NULL PRIMARY KEY)")
    house.query("INSERT INTO dbo.Numbers (No) VALUES (1), (2), (11)")
    house.warehouse.load(request(house, orders({1: "old", 11: "stays"}), layout=PARTED))


@pytest.fixture(scope="module")
def once_filled(home_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(home_server, tmp_path_factory.mktemp("filled"), fill) as made:
        yield made


@pytest.fixture
def target(once_filled: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """A partitioned target with rows in two partitions, and a table of numbers for foreign keys."""
    with once_filled.copy(tmp_path) as house:
        yield house


def notes(house: SandboxWarehouse) -> tuple[str, ...]:
    asked = TableInspection("p", {unit: part(unit) for unit in UNITS}, orders({}).schema)
    return house.warehouse.inspect({TARGET: asked})[TARGET].notes


def every(names: Iterable[str], often: Collection[str] | None = None) -> list[Any]:
    """Rules as parameters, those that are not named in `often` as slow ones: a genuine server cannot be made to declare what it
    does not have."""
    declared = pytest.mark.sandbox_only("the sandbox declares features that it does not have")
    return [
        pytest.param(
            name,
            marks=[
                *([declared] if "sandbox_features" in RULES[name][1] else []),
                *([pytest.mark.slow] if often is not None and name not in often else []),
            ],
        )
        for name in names
    ]


def break_rule(target: SandboxWarehouse, rule: str) -> None:
    number, statement = RULES[rule]
    target.query(statement)
    (note,) = notes(target)
    assert "not by switching" in note
    assert number is None or f"error {number}" in note


@pytest.mark.parametrize("rule", every(RULES))
def test_a_broken_rule_is_named(target: SandboxWarehouse, rule: str) -> None:
    break_rule(target, rule)


def test_no_rule_is_broken_at_first(target: SandboxWarehouse) -> None:
    assert notes(target) == ()


ONE_OF_EACH_KIND = {
    "an index off the partition scheme",
    "a disabled foreign key",
    "change tracking",
    "a sparse column",
    "ANSI_NULLS OFF",
}
"""What stands against switching are indexes, constraints, features of the table and of its columns, with a number and without:
how the rows get in is the same for every one of a kind."""


@pytest.mark.parametrize("rule", every(RULES, often=ONE_OF_EACH_KIND))
def test_the_rows_get_in_although_a_rule_is_broken(target: SandboxWarehouse, rule: str) -> None:
    break_rule(target, rule)
    loaded = target.warehouse.load(
        request(target, orders({1: "new", 2: "new"}), part(UNITS[0]), layout=PARTED, fence=2)
    )
    assert loaded.method == "delete and insert"
    assert len(loaded.reasons) == 1
    assert rows(target) == [(1, "new"), (2, "new"), (11, "stays")]
    assert target.staging() == []


GENUINE: dict[str, tuple[int | None, tuple[str, ...]]] = {
    "change tracking": (
        4900,
        ("ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON", f"ALTER TABLE {TABLE} ENABLE CHANGE_TRACKING"),
    ),
    "an indexed view": (
        11400,
        (
            f"CREATE VIEW sales.Counted WITH SCHEMABINDING AS SELECT No, COUNT_BIG(*) AS n FROM {TABLE} GROUP BY No",
            "CREATE UNIQUE CLUSTERED INDEX ix ON sales.Counted (No) ON [PRIMARY]",
        ),
    ),
    "large values out of row": (4993, (f"EXEC sp_tableoption N'{TABLE}', N'large value types out of row', N'ON'",)),
    "a sparse column": (11412, (f"ALTER TABLE {TABLE} ALTER COLUMN Note ADD SPARSE",)),
    "a bound rule": (
        4964,
        ("CREATE RULE dbo.some AS @v <> N'never'", f"EXEC sp_bindrule N'dbo.some', N'{TABLE}.Note'"),
    ),
    "a masked column": (None, (f"ALTER TABLE {TABLE} ALTER COLUMN Note ADD MASKED WITH (FUNCTION = 'default()')",)),
    "a security policy": (
        None,
        (
            "CREATE FUNCTION dbo.allowed(@n int) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS ok",
            f"CREATE SECURITY POLICY dbo.policy ADD FILTER PREDICATE dbo.allowed(No) ON {TABLE}",
        ),
    ),
}
"""The features that the sandbox only declares, as a genuine server makes them."""


@pytest.mark.server_only
@pytest.mark.parametrize("rule", GENUINE)
def test_a_feature_of_a_genuine_server_is_named_and_the_rows_get_in(target: SandboxWarehouse, rule: str) -> None:
    number, statements = GENUINE[rule]
    for statement in statements:
        target.query(statement)
    (note,) = notes(target)
    assert "not by switching" in note
    assert number is None or f"error {number}" in note
    new = request(target, orders({1: "new"}), part(UNITS[0]), layout=PARTED, fence=2)
    assert target.warehouse.load(new).method == "delete and insert"
    assert rows(target) == [(1, "new"), (11, "stays")]
    assert target.staging() == []


@pytest.mark.parametrize("rule", every(["a sparse column", "a text-in-row limit"]))
def test_preflight_is_needed_because_the_server_would_refuse(target: SandboxWarehouse, rule: str) -> None:
    """The number in the plan is the one that the server raises."""
    number, statement = RULES[rule]
    target.query("CREATE TABLE dbo.Spare (No int NOT NULL PRIMARY KEY, Note nvarchar(max) NULL)")
    target.query("CREATE TABLE sales.Plain (No int NOT NULL PRIMARY KEY, Note nvarchar(max) NULL)")
    target.query(statement.replace(TABLE, "sales.Plain"))
    with pytest.raises(pyodbc.Error, match=str(number)):
        target.query("ALTER TABLE sales.Plain SWITCH TO dbo.Spare")


def test_a_referenced_table_is_refused_before_rows_are_copied_unless_the_config_allows_it(
    target: SandboxWarehouse,
) -> None:
    target.query(
        "CREATE TABLE dbo.Lines (No int NOT NULL, CONSTRAINT fk FOREIGN KEY (No) REFERENCES sales.Orders (No))"
    )
    (note,) = notes(target)
    assert "the warehouse would refuse the load" in note
    load = request(target, orders({1: "new"}), part(UNITS[0]), layout=PARTED, fence=2)
    with pytest.raises(WarehouseError, match=r"(?s)foreign key fk.*allow_referenced_targets"):
        target.warehouse.load(load)
    allowed = target.another(ladder=LadderSettings(referenced_targets=True))
    assert allowed.warehouse.load(load).method == "delete and insert"
    target.query("INSERT INTO dbo.Lines (No) VALUES (1)")
    with pytest.raises(WarehouseError, match="547"):
        allowed.warehouse.load(request(target, orders({2: "newer"}), part(UNITS[0]), layout=PARTED, fence=3))
    assert rows(target) == [(1, "new"), (11, "stays")]
    assert target.staging() == []


def partitioned_by_hand(house: SandboxWarehouse, columns: str) -> None:
    """A target that dltsync did not make, with a row in the first partition and one in the second."""
    house.query("CREATE SCHEMA sales")
    house.query("CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)")
    house.query("CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])")
    house.query(f"CREATE TABLE {TABLE} ({columns}) ON ps(No)")
    house.query(f"INSERT INTO {TABLE} (No, Note) VALUES (1, N'old'), (11, N'stays')")


def test_a_computed_column_stands_against_switching_and_is_computed_for_the_new_rows(house: SandboxWarehouse) -> None:
    partitioned_by_hand(house, "No int NOT NULL, Note nvarchar(max) NULL, Twice AS (No * 2)")
    assert all("error 4965" in note for note in notes(house))
    loaded = house.warehouse.load(request(house, orders({2: "new"}), part(UNITS[0]), layout=PARTED, unit=UNITS[0]))
    assert loaded.method == "delete and insert"
    assert rows(house) == [(2, "new", 4), (11, "stays", 22)]
    assert house.staging() == []


def test_an_untrusted_check_constraint_stays_as_it_is(house: SandboxWarehouse) -> None:
    partitioned_by_hand(house, "No int NOT NULL, Note nvarchar(max) NULL")
    house.query(f"ALTER TABLE {TABLE} WITH NOCHECK ADD CONSTRAINT ck CHECK (No > 1)")
    house.warehouse.load(request(house, orders({2: "new"}), part(UNITS[0]), layout=PARTED, unit=UNITS[0]))
    assert rows(house) == [(2, "new"), (11, "stays")]
    assert house.query("SELECT name, is_not_trusted FROM sys.check_constraints") == [("ck", True)]
    assert house.staging() == []


def test_an_identity_column_and_a_nullable_partition_column_stand_against_nothing(house: SandboxWarehouse) -> None:
    """Staging is made from the target's own columns, so that what SWITCH would compare is equal by construction."""
    partitioned_by_hand(house, "No int NULL, Note nvarchar(max) NULL, Id int IDENTITY NOT NULL")
    fields: list[pa.Field[Any]] = [
        pa.field("No", pa.int32()),
        pa.field("Note", pa.string()),
        pa.field("Id", pa.int32()),
    ]
    new = pa.table({"No": [None, 5], "Note": ["new", "new"], "Id": [70, 71]}, schema=pa.schema(fields))
    asked = TableInspection("p", {UNITS[0]: part(UNITS[0])}, new.schema)
    assert house.warehouse.inspect({TARGET: asked})[TARGET].notes == ()
    loaded = house.warehouse.load(request(house, new, part(UNITS[0]), layout=TargetLayout(), unit=UNITS[0]))
    assert (loaded.method, loaded.rows) == ("switch", 2)
    assert house.query(f"SELECT No, Note, Id FROM {TABLE} ORDER BY No") == [
        (None, "new", 70),
        (5, "new", 71),
        (11, "stays", 2),
    ]
    assert house.staging() == []


def test_compression_and_filegroups_are_copied_so_that_they_stand_against_nothing(house: SandboxWarehouse) -> None:
    house.query("ALTER DATABASE CURRENT ADD FILEGROUP cold")
    house.query(f"ALTER DATABASE {house.database} ADD FILE (NAME = f1, FILENAME = 'f1.ndf') TO FILEGROUP cold")
    house.query("CREATE SCHEMA sales")
    house.query("CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)")
    house.query("CREATE PARTITION SCHEME ps AS PARTITION pf TO (cold, [PRIMARY], [PRIMARY])")
    house.query("CREATE TABLE sales.Orders (No int NOT NULL, Note nvarchar(max) NULL) ON ps(No)")
    house.query(
        "CREATE CLUSTERED INDEX cx ON sales.Orders (No) WITH (DATA_COMPRESSION = PAGE ON PARTITIONS (1, 3)) ON ps(No)"
    )
    house.query("CREATE TABLE sales.Lines (No int NOT NULL, Note nvarchar(max) NULL) ON cold")
    for fence in (1, 2):
        loads = [
            request(house, orders({n: "a"}), part(unit), fence=fence, unit=unit)
            for n, unit in zip((1, 11, 21), UNITS, strict=True)
        ]
        whole = request(house, orders({5: "b"}), ReplaceTable(), target=("sales", "Lines"), fence=fence)
        assert [one.method for one in house.warehouse.load_group([*loads, whole])] == ["switch"] * 4
    assert rows(house) == [(1, "a"), (11, "a"), (21, "a")]
    assert rows(house, ("sales", "Lines")) == [(5, "b")]


@pytest.mark.parametrize("how", [part(UNITS[0]), ReplaceTable()], ids=lambda how: type(how).__name__)
def test_without_row_versions_rows_are_truncated(target: SandboxWarehouse, how: Disposition) -> None:
    target.query(f"ALTER DATABASE {target.database} SET READ_COMMITTED_SNAPSHOT OFF")
    house = target.another(ladder=LadderSettings(switching=False))
    loaded = house.warehouse.load(request(house, orders({2: "new"}), how, layout=PARTED, fence=2))
    assert loaded.method == "truncate and insert"
    assert rows(house) == [(2, "new"), *([(11, "stays")] if how == part(UNITS[0]) else [])]
    assert house.staging() == []


@pytest.mark.sandbox_only("the sandbox declares features that it does not have")
def test_without_row_versions_a_table_that_cannot_be_truncated_is_locked(target: SandboxWarehouse) -> None:
    target.query(f"ALTER DATABASE {target.database} SET READ_COMMITTED_SNAPSHOT OFF")
    target.query(feature(change_tracking=True))
    loaded = target.warehouse.load(request(target, orders({2: "new"}), part(UNITS[0]), layout=PARTED, fence=2))
    assert loaded.method == "delete and insert"
    assert rows(target) == [(2, "new"), (11, "stays")]
