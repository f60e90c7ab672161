"""Partitions out of retention leave a table of the warehouse: by which way, what else goes, and what a kill or a broken
connection leaves for the next run."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dltsync_core import checkpoints
from dltsync_core.config.sqlserver_destination import PartitionPlacement
from dltsync_core.errors import WarehouseError
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import PartitionRange
from dltsync_core.warehouse.port import Removed, TableInspection, TargetLayout
from dltsync_core.warehouse.sqlserver.ladder import LadderSettings
from sqlserver_sandbox.faults.plan import Drop, Fail, Fault, Where
from tests.services.warehouse.sqlserver.loads import NUMBER, TARGET, orders, request, rows
from tests.support.fault_control import FaultControl
from tests.support.forks import Forks
from tests.support.killed import die_at
from tests.support.sandbox_server import SandboxServer
from tests.support.sqlserver_warehouse import SandboxWarehouse, sandbox_warehouse
from tests.support.table_facts import partitioned

OTHER = ("sales", "Others")
BOUNDARIES: list[str | None] = ["10", "20", "30", "40"]
SIDES = ("right", "left")
ROWS = {5: "a", 15: "b", 16: "b", 25: "c", 35: "d", 45: "e"}


def layout(side: str = "right") -> TargetLayout:
    return TargetLayout(("No",), partitioned(NUMBER, BOUNDARIES, "right" if side == "right" else "left"))


def ranges(side: str = "right") -> list[PartitionRange]:
    partitioning = layout(side).partitioning
    assert partitioning is not None
    return [slot.range for slot in partitioning.slots]


def scopes(first: int = 0, last: int = 2, side: str = "right") -> dict[str, ReplaceScope]:
    """Those of some neighbouring partitions, by unit."""
    return {one.key: scope(one) for one in ranges(side)[first : last + 1]}


def scope(range_: PartitionRange) -> ReplaceScope:
    return ReplaceScope(NUMBER, orders({}).schema.field("No").type, (range_,))


def load(house: SandboxWarehouse, *targets: tuple[str, str], side: str = "right") -> None:
    """Every partition is a unit of its own."""
    house.warehouse.load_group(
        [
            request(
                house,
                orders({no: note for no, note in ROWS.items() if number * 10 < no < number * 10 + 10}),
                scope(range_),
                target=target,
                layout=layout(side),
                unit=range_.key,
                fence=7,
            )
            for target in targets or (TARGET,)
            for number, range_ in enumerate(ranges(side))
        ]
    )


def remove(house: SandboxWarehouse, which: Mapping[str, ReplaceScope] | None = None) -> Removed:
    return house.warehouse.remove_partitions(TARGET, "p", which or scopes())


def boundaries(house: SandboxWarehouse, table: str = "Orders") -> list[int]:
    found = house.query(
        "SELECT CAST(r.value AS int) FROM sys.partition_range_values AS r "
        "JOIN sys.partition_schemes AS s ON s.function_id = r.function_id "
        "JOIN sys.indexes AS i ON i.data_space_id = s.data_space_id "
        f"WHERE i.object_id = OBJECT_ID(N'sales.{table}') AND i.index_id IN (0, 1) ORDER BY r.boundary_id"
    )
    return [value for (value,) in found]


def units(house: SandboxWarehouse, target: tuple[str, str] = TARGET) -> list[str]:
    return sorted(house.warehouse.markers(target, "p"))


@pytest.mark.parametrize("side", SIDES)
def test_rows_markers_and_boundaries_go_and_the_rest_stays(house: SandboxWarehouse, side: str) -> None:
    load(house, TARGET, OTHER, side=side)
    mine = scopes(side=side)
    done = remove(house, mine)
    keys = [one.key for one in ranges(side)]
    assert done == Removed({keys[0]: 1, keys[1]: 2, keys[2]: 1}, "switch", (), boundaries=2)
    assert rows(house) == [(35, "d"), (45, "e")]
    assert units(house) == sorted(keys[3:])
    assert boundaries(house) == [30, 40]
    assert rows(house, OTHER) == sorted(ROWS.items())
    assert (units(house, OTHER), boundaries(house, "Others")) == (sorted(keys), [10, 20, 30, 40])
    assert house.staging() == []
    assert remove(house, mine) == Removed(), "a second call does nothing"


def test_partitions_after_the_first_go_when_the_first_stays(house: SandboxWarehouse) -> None:
    """The first one holds the NULL rows of a column that admits them."""
    load(house)
    assert remove(house, scopes(1, 2)).rows == {"[10,20)": 2, "[20,30)": 1}
    assert rows(house) == [(5, "a"), (35, "d"), (45, "e")]
    assert boundaries(house) == [10, 30, 40]


def test_what_would_be_removed_is_shown_and_nothing_is_written(house: SandboxWarehouse) -> None:
    load(house)

    def shown() -> tuple[dict[str, int], int]:
        asked = TableInspection("p", {}, orders({}).schema, layout(), scopes())
        found = house.warehouse.inspect({TARGET: asked})[TARGET].removable
        return dict(found.rows), found.boundaries

    assert shown() == ({"(-inf,10)": 1, "[10,20)": 2, "[20,30)": 1}, 2)
    assert rows(house) == sorted(ROWS.items())
    remove(house)
    assert shown() == ({}, 0)


def test_a_partition_that_comes_back_is_split_off_again(house: SandboxWarehouse) -> None:
    load(house)
    remove(house)
    again = ranges()[2]
    loaded = house.warehouse.load(
        request(house, orders({25: "back"}), scope(again), layout=layout(), unit=again.key, fence=8)
    )
    assert loaded.method == "switch"
    assert rows(house) == [(25, "back"), (35, "d"), (45, "e")]
    assert boundaries(house) == [20, 30, 40]


def index_off_the_scheme(house: SandboxWarehouse) -> None:
    house.query("CREATE UNIQUE INDEX ux ON sales.Orders (No) ON [PRIMARY]")


def disabled_foreign_key(house: SandboxWarehouse) -> None:
    house.query("CREATE TABLE dbo.Numbers (No int NOT NULL PRIMARY KEY)")
    house.query("ALTER TABLE sales.Orders WITH NOCHECK ADD CONSTRAINT fk FOREIGN KEY (No) REFERENCES dbo.Numbers (No)")
    house.query("ALTER TABLE sales.Orders NOCHECK CONSTRAINT fk")


@pytest.mark.parametrize(
    ("makes", "method", "reason"),
    [(disabled_foreign_key, "truncate", "4968"), (index_off_the_scheme, "delete", "7733")],
    ids=["truncate", "delete"],
)
def test_rows_leave_by_the_next_way_where_they_cannot_be_switched_out(
    house: SandboxWarehouse, makes: Any, method: str, reason: str
) -> None:
    load(house)
    makes(house)
    done = remove(house)
    assert (done.method, sum(done.rows.values())) == (method, 4)
    assert any(reason in one for one in done.reasons), done.reasons
    assert rows(house) == [(35, "d"), (45, "e")]
    assert house.staging() == []


def test_switching_can_be_turned_off(house: SandboxWarehouse) -> None:
    load(house)
    done = remove(house.another(ladder=LadderSettings(switching=False)))
    assert (done.method, rows(house)) == ("truncate", [(35, "d"), (45, "e")])


def test_a_function_that_another_table_uses_keeps_its_boundaries(house: SandboxWarehouse) -> None:
    load(house)
    ((scheme,),) = house.query("SELECT name FROM sys.partition_schemes")
    house.query(f"CREATE TABLE dbo.Neighbour (No int NOT NULL) ON [{scheme}](No)")
    assert remove(house).boundaries == 0
    assert rows(house) == [(35, "d"), (45, "e")]
    assert boundaries(house) == [10, 20, 30, 40]
    assert remove(house) == Removed()


def test_a_function_that_the_config_names_keeps_its_boundaries(house: SandboxWarehouse) -> None:
    house.query("CREATE PARTITION FUNCTION byno (int) AS RANGE RIGHT FOR VALUES (10, 20, 30, 40)")
    placed = house.another(placements={("sales", "orders"): PartitionPlacement(function="byno")})
    load(placed)
    assert remove(placed).boundaries == 0
    assert rows(house) == [(35, "d"), (45, "e")]
    assert boundaries(house) == [10, 20, 30, 40]


def test_a_table_that_foreign_keys_reference_is_refused(house: SandboxWarehouse) -> None:
    load(house)
    house.query("CREATE TABLE dbo.Child (No int NOT NULL REFERENCES sales.Orders (No))")
    with pytest.raises(WarehouseError, match=r"referenced by foreign key.*547"):
        remove(house)
    assert rows(house) == sorted(ROWS.items())


def test_rows_that_a_dead_load_replaced_do_not_come_back(house: SandboxWarehouse) -> None:
    """Its record goes with the marker: nothing is switched back into a partition that was removed."""
    load(house)
    first = ranges()[0]
    unsettled = house.another()
    loaded = request(
        house, orders({6: "n"}), scope(first), layout=layout(), unit=first.key, fence=8, can_be_undone=True
    )
    assert unsettled.warehouse.load(loaded).can_be_undone
    unsettled.warehouse.release(TARGET, "p", {first.key: loaded.load_id})
    remove(house)
    house.warehouse.cleanup()
    assert rows(house) == [(35, "d"), (45, "e")]
    assert house.query("SELECT COUNT(*) FROM _dltsync.replaced_rows") == [(0,)]
    assert house.staging() == []


@pytest.fixture
def faulty(faults: FaultControl, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """A warehouse on a server that can be made to misbehave."""
    with sandbox_warehouse(faults.server, tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Drop(when="after"), Where(kind="commit")),
        Fault(Drop(when="before"), Where(kind="commit")),
        Fault(Fail(1222), Where(kind="commit")),
    ],
    ids=["the answer to the commit is lost", "the connection breaks before the commit", "lock time-out"],
)
def test_a_connection_that_breaks_at_the_commit_is_no_failure(
    faulty: SandboxWarehouse, faults: FaultControl, fault: Fault
) -> None:
    load(faulty)
    faults.plan(fault)
    assert sum(remove(faulty).rows.values()) == 4
    assert faults.clear()
    assert rows(faulty) == [(35, "d"), (45, "e")]
    assert boundaries(faulty) == [30, 40]
    assert faulty.staging() == []


def remove_and_be_killed(payload: dict[str, Any]) -> None:
    """The work of a fork: this process ends at the n-th time that a step is reached."""
    server = SandboxServer(Path(payload["root"]))
    server.port = payload["port"]
    with checkpoints.watched(die_at(payload["step"], time=payload["times"])):
        remove(SandboxWarehouse(server, Path(payload["root"]), payload["database"]))


@pytest.mark.xdist_group("forks")
@pytest.mark.survives(
    "crash",
    "kill -9 while partitions out of retention are removed from a SQL Server warehouse: before the transaction, "
    "after it, between two boundaries that are merged",
    "the next run finishes",
    "the rows within the retention, and no others; no staging table is left",
)
@pytest.mark.parametrize(
    ("step", "times"),
    [
        (checkpoints.WAREHOUSE_WRITTEN, 1),
        (checkpoints.PARTITIONS_REMOVED, 1),
        (checkpoints.BOUNDARY_MERGED, 1),
        pytest.param(checkpoints.BOUNDARY_MERGED, 2, marks=pytest.mark.slow),
    ],
)
def test_the_run_after_a_kill_finishes(
    faulty: SandboxWarehouse, faults: FaultControl, forks: Forks, step: str, times: int
) -> None:
    load(faulty, TARGET, OTHER)
    payload = {
        "root": str(faulty.root),
        "port": faults.server.port,
        "database": faulty.database,
        "step": step,
        "times": times,
    }
    ended = forks.run(f"{__name__}:remove_and_be_killed", payload)
    assert ended.status == -signal.SIGKILL, ended.stderr
    removed = step != checkpoints.WAREHOUSE_WRITTEN
    assert rows(faulty) == ([(35, "d"), (45, "e")] if removed else sorted(ROWS.items()))
    assert len(units(faulty)) == (2 if removed else 5), "rows and markers go together"
    remove(faulty)
    faulty.warehouse.cleanup()
    assert rows(faulty) == [(35, "d"), (45, "e")]
    assert boundaries(faulty) == [30, 40]
    assert rows(faulty, OTHER) == sorted(ROWS.items())
    assert faulty.staging() == []
    assert remove(faulty) == Removed()
