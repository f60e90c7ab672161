"""Partitions out of retention leave a table of the warehouse: by which way, what else goes, and what a kill or a broken
connection leaves for the next run."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from dataclasses import asdict
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
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import Prepared, SandboxWarehouse, prepared_warehouse
from tests.support.table_facts import partitioned

pytestmark = pytest.mark.xdist_group("forks")

OTHER = ("sales", "Others")
BOUNDARIES: list[str | None] = ["10", "20", "30", "40"]
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


def load_both(house: SandboxWarehouse) -> None:
    load(house, TARGET, OTHER)


@pytest.fixture(scope="module")
def once_filled(home_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(home_server, tmp_path_factory.mktemp("filled"), load_both) as made:
        yield made


@pytest.fixture
def filled(once_filled: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """A warehouse with two targets, each with rows in five partitions."""
    with once_filled.copy(tmp_path) as house:
        yield house


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


def removed_by_switching(house: SandboxWarehouse, side: str) -> None:
    """The rows, markers and boundaries of the first three partitions, and nothing else."""
    mine = scopes(side=side)
    done = remove(house, mine)
    keys = [one.key for one in ranges(side)]
    assert done == Removed({keys[0]: 1, keys[1]: 2, keys[2]: 1}, "switch", (), boundaries=2)
    assert rows(house) == [(35, "d"), (45, "e")]
    assert units(house) == sorted(keys[3:])
    assert boundaries(house) == [30, 40]
    assert house.staging() == []
    assert remove(house, mine) == Removed(), "a second call does nothing"


def test_rows_markers_and_boundaries_go_and_the_rest_stays(filled: SandboxWarehouse) -> None:
    removed_by_switching(filled, "right")
    assert rows(filled, OTHER) == sorted(ROWS.items())
    keys = [one.key for one in ranges()]
    assert (units(filled, OTHER), boundaries(filled, "Others")) == (sorted(keys), [10, 20, 30, 40])


def test_boundaries_may_belong_to_the_partition_on_their_left(house: SandboxWarehouse) -> None:
    load(house, side="left")
    removed_by_switching(house, "left")


def test_partitions_after_the_first_go_when_the_first_stays(filled: SandboxWarehouse) -> None:
    """The first one holds the NULL rows of a column that admits them."""
    assert remove(filled, scopes(1, 2)).rows == {"[10,20)": 2, "[20,30)": 1}
    assert rows(filled) == [(5, "a"), (35, "d"), (45, "e")]
    assert boundaries(filled) == [10, 30, 40]


def test_what_would_be_removed_is_shown_and_nothing_is_written(filled: SandboxWarehouse) -> None:
    def shown() -> tuple[dict[str, int], int]:
        asked = TableInspection("p", {}, orders({}).schema, layout(), scopes())
        found = filled.warehouse.inspect({TARGET: asked})[TARGET].removable
        return dict(found.rows), found.boundaries

    assert shown() == ({"(-inf,10)": 1, "[10,20)": 2, "[20,30)": 1}, 2)
    assert rows(filled) == sorted(ROWS.items())
    remove(filled)
    assert shown() == ({}, 0)


def test_a_partition_that_comes_back_is_split_off_again(filled: SandboxWarehouse) -> None:
    remove(filled)
    again = ranges()[2]
    back = filled.warehouse.load(
        request(filled, orders({25: "back"}), scope(again), layout=layout(), unit=again.key, fence=8)
    )
    assert back.method == "switch"
    assert rows(filled) == [(25, "back"), (35, "d"), (45, "e")]
    assert boundaries(filled) == [20, 30, 40]


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
    filled: SandboxWarehouse, makes: Any, method: str, reason: str
) -> None:
    makes(filled)
    done = remove(filled)
    assert (done.method, sum(done.rows.values())) == (method, 4)
    assert any(reason in one for one in done.reasons), done.reasons
    assert rows(filled) == [(35, "d"), (45, "e")]
    assert filled.staging() == []


def test_switching_can_be_turned_off(filled: SandboxWarehouse) -> None:
    done = remove(filled.another(ladder=LadderSettings(switching=False)))
    assert (done.method, rows(filled)) == ("truncate", [(35, "d"), (45, "e")])


def test_a_function_that_another_table_uses_keeps_its_boundaries(filled: SandboxWarehouse) -> None:
    ((scheme,),) = filled.query("SELECT name FROM sys.partition_schemes WHERE name LIKE '%Orders%'")
    filled.query(f"CREATE TABLE dbo.Neighbour (No int NOT NULL) ON [{scheme}](No)")
    assert remove(filled).boundaries == 0
    assert rows(filled) == [(35, "d"), (45, "e")]
    assert boundaries(filled) == [10, 20, 30, 40]
    assert remove(filled) == Removed()


def test_a_function_that_the_config_names_keeps_its_boundaries(house: SandboxWarehouse) -> None:
    house.query("CREATE PARTITION FUNCTION byno (int) AS RANGE RIGHT FOR VALUES (10, 20, 30, 40)")
    placed = house.another(placements={("sales", "orders"): PartitionPlacement(function="byno")})
    load(placed)
    assert remove(placed).boundaries == 0
    assert rows(house) == [(35, "d"), (45, "e")]
    assert boundaries(house) == [10, 20, 30, 40]


def test_a_table_that_foreign_keys_reference_is_refused(filled: SandboxWarehouse) -> None:
    filled.query("CREATE TABLE dbo.Child (No int NOT NULL REFERENCES sales.Orders (No))")
    with pytest.raises(WarehouseError, match=r"referenced by foreign key.*547"):
        remove(filled)
    assert rows(filled) == sorted(ROWS.items())


def test_rows_that_a_dead_load_replaced_do_not_come_back(filled: SandboxWarehouse) -> None:
    """Its record goes with the marker: nothing is switched back into a partition that was removed."""
    first = ranges()[0]
    unsettled = filled.another()
    new = request(filled, orders({6: "n"}), scope(first), layout=layout(), unit=first.key, fence=8, can_be_undone=True)
    assert unsettled.warehouse.load(new).can_be_undone
    unsettled.warehouse.release(TARGET, "p", {first.key: new.load_id})
    remove(filled)
    filled.warehouse.cleanup()
    assert rows(filled) == [(35, "d"), (45, "e")]
    assert filled.query("SELECT COUNT(*) FROM _dltsync.replaced_rows") == [(0,)]
    assert filled.staging() == []


@pytest.fixture(scope="module")
def once_faulty(faulty_sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(faulty_sandbox, tmp_path_factory.mktemp("faulty"), load) as made:
        yield made


@pytest.fixture
def faulty(once_faulty: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """The target on a server that can be made to misbehave."""
    with once_faulty.copy(tmp_path, pause=lambda seconds: None) as house:
        yield house


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
    faults.plan(fault)
    assert sum(remove(faulty).rows.values()) == 4
    assert faults.clear()
    assert rows(faulty) == [(35, "d"), (45, "e")]
    assert boundaries(faulty) == [30, 40]
    assert faulty.staging() == []


def remove_and_be_killed(payload: dict[str, Any]) -> None:
    """The work of a fork: this process ends at the n-th time that a step is reached."""
    house = SandboxWarehouse(Server(**payload["server"]), Path(payload["root"]), payload["database"])
    with checkpoints.watched(die_at(payload["step"], time=payload["times"])):
        remove(house)


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
    filled: SandboxWarehouse, home_server: Server, forks: Forks, step: str, times: int
) -> None:
    payload = {
        "root": str(filled.root),
        "server": asdict(home_server),
        "database": filled.database,
        "step": step,
        "times": times,
    }
    ended = forks.run(f"{__name__}:remove_and_be_killed", payload)
    assert ended.status == -signal.SIGKILL, ended.stderr
    removed = step != checkpoints.WAREHOUSE_WRITTEN
    assert rows(filled) == ([(35, "d"), (45, "e")] if removed else sorted(ROWS.items()))
    assert len(units(filled)) == (2 if removed else 5), "rows and markers go together"
    remove(filled)
    filled.warehouse.cleanup()
    assert rows(filled) == [(35, "d"), (45, "e")]
    assert boundaries(filled) == [30, 40]
    assert rows(filled, OTHER) == sorted(ROWS.items())
    assert filled.staging() == []
    assert remove(filled) == Removed()
