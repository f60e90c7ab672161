"""How staging is built so that it can be switched: on the target's scheme or beside it, with the target's constraints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.errors import WarehouseError
from dltsync_core.plan.steps import ReplaceTable
from dltsync_core.warehouse.port import LoadRequest, TableInspection
from tests.services.warehouse.sqlserver.loads import TARGET, UNITS, orders, part, request, rows
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import Prepared, SandboxWarehouse, prepared_warehouse

LINES = ("sales", "Lines")


def fill(house: SandboxWarehouse) -> None:
    """A target whose three partitions lie in filegroups of their own, with an index that the server has extended by the
    partition column, and compressed partitions."""
    for name in ("cold", "warm", "hot"):
        house.query(f"ALTER DATABASE CURRENT ADD FILEGROUP {name}")
        house.query(
            f"ALTER DATABASE {house.database} ADD FILE (NAME = {name}, FILENAME = '{name}.ndf') TO FILEGROUP {name}"
        )
    house.query("CREATE SCHEMA sales")
    house.query("CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)")
    house.query("CREATE PARTITION SCHEME ps AS PARTITION pf TO (cold, warm, hot)")
    house.query(
        "CREATE TABLE sales.Orders (No int NOT NULL, Note nvarchar(max) NULL, Short nvarchar(10) NULL, "
        "CONSTRAINT pk PRIMARY KEY CLUSTERED (No) WITH (DATA_COMPRESSION = PAGE ON PARTITIONS (2))) ON ps(No)"
    )
    house.query("CREATE INDEX ix ON sales.Orders (Short) ON ps(No)")
    house.warehouse.load_group(
        [
            request(house, orders({number: "old"}), part(unit), unit=unit)
            for number, unit in zip((1, 11, 21), UNITS, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def once_filled(home_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(home_server, tmp_path_factory.mktemp("filled"), fill) as made:
        yield made


@pytest.fixture
def partitioned(once_filled: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """A target in three filegroups, as `fill` makes it."""
    with once_filled.copy(tmp_path) as house:
        yield house


def load(house: SandboxWarehouse, number: int, key: int, *, can_be_undone: bool = False) -> LoadRequest:
    unit = UNITS[number]
    return request(house, orders({key: "new"}), part(unit), unit=unit, fence=2, can_be_undone=can_be_undone)


def notes(house: SandboxWarehouse) -> tuple[str, ...]:
    asked = TableInspection("p", {unit: part(unit) for unit in UNITS}, orders({}).schema)
    return house.warehouse.inspect({TARGET: asked})[TARGET].notes


def test_partitions_beside_a_read_only_one_are_switched_and_undone(partitioned: SandboxWarehouse) -> None:
    house = partitioned
    house.query(f"ALTER DATABASE {house.database} MODIFY FILEGROUP cold READ_ONLY")
    (note,) = notes(house)
    assert "read-only filegroup cold" in note
    loads = [load(house, 1, 12, can_be_undone=True), load(house, 2, 22, can_be_undone=True)]
    assert [one.method for one in house.warehouse.load_group(loads)] == ["switch", "switch"]
    assert [row[:2] for row in rows(house)] == [(1, "old"), (12, "new"), (22, "new")]
    house.warehouse.confirm(TARGET, "p", {UNITS[2]: loads[1].load_id})
    assert house.warehouse.undo(TARGET, "p", {UNITS[1]: loads[0].load_id})
    assert [row[:2] for row in rows(house)] == [(1, "old"), (11, "old"), (22, "new")]
    assert house.staging() == []


def test_rows_of_a_read_only_partition_are_not_switched(partitioned: SandboxWarehouse) -> None:
    house = partitioned
    house.query(f"ALTER DATABASE {house.database} MODIFY FILEGROUP warm READ_ONLY")
    loaded = house.warehouse.load(load(house, 0, 2))
    assert loaded.method == "switch"
    whole = house.warehouse.load(request(house, orders({5: "new"}), ReplaceTable(), fence=3))
    assert (
        whole.method == "delete and insert"
    )  # the sandbox lets rows of read-only filegroups be deleted, a server does not
    assert "4978" in whole.reasons[0]


def test_constraints_are_made_on_staging_and_the_targets_stay_trusted(partitioned: SandboxWarehouse) -> None:
    house = partitioned
    house.query("CREATE TABLE dbo.Notes (Short nvarchar(10) NOT NULL PRIMARY KEY)")
    house.query("ALTER TABLE sales.Orders ADD CONSTRAINT ck CHECK (No > 0 AND (Note <> N'bad' OR Note IS NULL))")
    house.query("ALTER TABLE sales.Orders ADD CONSTRAINT ck2 CHECK (No < 1000)")
    house.query("ALTER TABLE sales.Orders ADD CONSTRAINT fk FOREIGN KEY (Short) REFERENCES dbo.Notes (Short)")
    assert notes(house) == ()
    loads = [load(house, 0, 2, can_be_undone=True), load(house, 1, 12, can_be_undone=True)]
    assert [one.method for one in house.warehouse.load_group(loads)] == ["switch", "switch"]
    house.warehouse.confirm(TARGET, "p", {UNITS[0]: loads[0].load_id})
    assert house.warehouse.undo(TARGET, "p", {UNITS[1]: loads[1].load_id})
    assert [row[:2] for row in rows(house)] == [(2, "new"), (11, "old"), (21, "old")]
    assert house.query("SELECT is_not_trusted, is_disabled FROM sys.check_constraints") == [(False, False)] * 2
    assert house.query("SELECT is_not_trusted, is_disabled FROM sys.foreign_keys") == [(False, False)]
    with pytest.raises(WarehouseError, match="547"):
        house.warehouse.load(request(house, orders({3: "bad"}), part(UNITS[0]), unit=UNITS[0], fence=3))
    assert [row[:2] for row in rows(house)] == [(2, "new"), (11, "old"), (21, "old")]
    assert house.staging() == []


def test_constraints_of_a_table_without_partitions(house: SandboxWarehouse) -> None:
    house.warehouse.load(request(house, orders({1: "old"}), target=LINES))
    house.query("ALTER TABLE sales.Lines WITH NOCHECK ADD CONSTRAINT ck CHECK (No > 1)")
    new = request(house, orders({2: "new"}), target=LINES, fence=2, can_be_undone=True)
    assert house.warehouse.load(new).method == "switch", "an untrusted constraint asks for no trust"
    house.warehouse.confirm(LINES, "p", {"all": new.load_id})
    assert rows(house, LINES) == [(2, "new")]


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("ALTER TABLE sales.Orders NOCHECK CONSTRAINT fk", 4968),
        ("DROP INDEX ix ON sales.Orders", None),
    ],
)
def test_what_staging_cannot_have_is_a_reason_not_to_switch(
    partitioned: SandboxWarehouse, statement: str, number: int | None
) -> None:
    house = partitioned
    house.query("CREATE TABLE dbo.Notes (Short nvarchar(10) NOT NULL PRIMARY KEY)")
    house.query("ALTER TABLE sales.Orders ADD CONSTRAINT fk FOREIGN KEY (Short) REFERENCES dbo.Notes (Short)")
    house.query(statement)
    loaded = house.warehouse.load(load(house, 0, 2))
    assert loaded.method == ("switch" if number is None else "delete and insert")
    assert number is None or str(number) in loaded.reasons[0]
