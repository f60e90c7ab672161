"""Rows that a load switched out stay until the load is confirmed, and are switched back when it is undone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa
import pytest

from dltsync_core import checkpoints
from dltsync_core.errors import WarehouseError
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceTable
from dltsync_core.warehouse.port import LoadRequest
from dltsync_core.warehouse.sqlserver.ladder import LadderSettings
from sqlserver_sandbox.faults.plan import Drop, Fault, Where
from tests.services.warehouse.sqlserver.loads import PARTED, TARGET, UNITS, loaded_by, orders, part, request, rows
from tests.support.fault_control import FaultControl
from tests.support.forks import Forks
from tests.support.killed import die_at
from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import Prepared, SandboxWarehouse, prepared_warehouse

pytestmark = pytest.mark.xdist_group("forks")

LINES = ("sales", "Lines")
OLD = [(1, "old"), (11, "old"), (21, "old")]


def fill(house: SandboxWarehouse) -> None:
    house.warehouse.load_group(
        [
            *(
                request(house, orders({number: "old"}), part(unit), layout=PARTED, unit=unit)
                for number, unit in zip((1, 11, 21), UNITS, strict=True)
            ),
            request(house, orders({1: "old"}), target=LINES),
        ]
    )


@pytest.fixture(scope="module")
def once_filled(home_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(home_server, tmp_path_factory.mktemp("filled"), fill) as made:
        yield made


@pytest.fixture
def filled(once_filled: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """A row in each of three partitions, and a table without partitions."""
    with once_filled.copy(tmp_path) as house:
        yield house


def new_load(house: SandboxWarehouse, number: int, fence: int = 2) -> LoadRequest:
    return request(
        house,
        orders({number * 10 + 2: "new"}),
        part(UNITS[number]),
        layout=PARTED,
        unit=UNITS[number],
        fence=fence,
        can_be_undone=True,
    )


def records(house: SandboxWarehouse) -> int:
    return sum(
        house.query(f"SELECT COUNT(*) FROM _dltsync.{table}")[0][0] for table in ("replaced_rows", "replaced_markers")
    )


def test_the_rows_of_before_stay_until_the_last_unit_of_the_group_is_confirmed(filled: SandboxWarehouse) -> None:
    loads = [new_load(filled, 0), new_load(filled, 1)]
    lines = request(filled, orders({2: "new"}), target=LINES, fence=2, can_be_undone=True)
    loaded = filled.warehouse.load_group([*loads, lines])
    assert [one.can_be_undone for one in loaded] == [True] * 3
    assert len(filled.staging()) == 2, "one table of replaced rows for each target"
    filled.warehouse.confirm(TARGET, "p", {UNITS[0]: loads[0].load_id})
    assert len(filled.staging()) == 2
    filled.warehouse.confirm(TARGET, "p", {UNITS[1]: loads[1].load_id})
    filled.warehouse.confirm(LINES, "p", {"all": lines.load_id})
    assert filled.staging() == []
    assert records(filled) == 0
    assert rows(filled) == [(2, "new"), (12, "new"), (21, "old")]
    assert rows(filled, LINES) == [(2, "new")]
    filled.warehouse.confirm(LINES, "p", {"all": lines.load_id})  # a second time: there is nothing to do


def test_what_is_undone_has_the_rows_and_the_markers_of_before(filled: SandboxWarehouse) -> None:
    before = loaded_by(filled)
    loads = [new_load(filled, 0), new_load(filled, 1)]
    lines = request(filled, orders({2: "new"}), target=LINES, fence=2, can_be_undone=True)
    filled.warehouse.load_group([*loads, lines])
    filled.warehouse.confirm(TARGET, "p", {UNITS[1]: loads[1].load_id})
    assert filled.warehouse.undo(TARGET, "p", {UNITS[0]: loads[0].load_id})
    assert filled.warehouse.undo(LINES, "p", {"all": lines.load_id})
    assert rows(filled) == [(1, "old"), (12, "new"), (21, "old")]
    assert rows(filled, LINES) == [(1, "old")]
    assert loaded_by(filled) == {**before, UNITS[1]: loads[1].load_id}
    assert filled.warehouse.markers(TARGET, "p")[UNITS[0]].fence == 2, "writers older than the undone load stay refused"
    assert filled.staging() == []
    assert records(filled) == 0
    assert not filled.warehouse.undo(TARGET, "p", {UNITS[0]: loads[0].load_id})


def test_the_markers_of_units_that_a_load_took_over_come_back(filled: SandboxWarehouse) -> None:
    before = loaded_by(filled)
    whole = request(filled, orders({5: "new"}), ReplaceTable(), fence=2, retires=UNITS, can_be_undone=True)
    filled.warehouse.load(whole)
    assert set(loaded_by(filled)) == {"all"}
    assert filled.warehouse.undo(TARGET, "p", {"all": whole.load_id})
    assert rows(filled) == OLD
    assert loaded_by(filled) == before


def test_a_first_load_that_is_undone_leaves_an_empty_table(house: SandboxWarehouse) -> None:
    load = request(house, orders({1: "new"}), can_be_undone=True)
    house.warehouse.load(load)
    assert house.warehouse.undo(TARGET, "p", {"all": load.load_id})
    assert rows(house) == []
    assert loaded_by(house) == {}
    assert house.staging() == []


@pytest.mark.parametrize("how", [MergeKeys(("No",)), ReplaceTable()], ids=lambda how: type(how).__name__)
def test_rows_that_were_not_switched_out_cannot_be_put_back(filled: SandboxWarehouse, how: Disposition) -> None:
    house = filled.another(ladder=LadderSettings(switching=False))
    load = request(house, orders({2: "new"}), how, target=LINES, fence=2, can_be_undone=True)
    assert not house.warehouse.load(load).can_be_undone
    assert not house.warehouse.undo(LINES, "p", {"all": load.load_id})
    house.warehouse.confirm(LINES, "p", {"all": load.load_id})
    assert (2, "new") in rows(house, LINES)
    assert house.staging() == []


def test_a_column_that_was_added_since_is_null_in_the_rows_of_before(filled: SandboxWarehouse) -> None:
    load = new_load(filled, 0)
    filled.warehouse.load(load)
    wider = orders({12: "new"}).append_column(pa.field("Extra", pa.int32()), pa.array([7], pa.int32()))
    filled.warehouse.load(request(filled, wider, part(UNITS[1]), layout=PARTED, unit=UNITS[1], fence=2))
    assert filled.warehouse.undo(TARGET, "p", {UNITS[0]: load.load_id})
    assert rows(filled) == [(1, "old", None), (12, "new", 7), (21, "old", None)]
    assert filled.staging() == []


def test_a_boundary_that_is_gone_since_does_not_hinder(filled: SandboxWarehouse) -> None:
    load = new_load(filled, 1)
    filled.warehouse.load(load)
    filled.query("ALTER PARTITION FUNCTION [dltsync_sales_Orders_" + _digest(filled) + "_pf]() MERGE RANGE (10)")
    assert filled.warehouse.undo(TARGET, "p", {UNITS[1]: load.load_id})
    assert rows(filled) == OLD


def _digest(house: SandboxWarehouse) -> str:
    ((name,),) = house.query("SELECT name FROM sys.partition_functions")
    return str(name).removeprefix("dltsync_sales_Orders_").removesuffix("_pf")


def test_loads_that_another_run_is_validating_are_left_alone(filled: SandboxWarehouse) -> None:
    load = new_load(filled, 0)
    filled.warehouse.load(load)
    other = filled.another()
    other.warehouse.cleanup()
    other.warehouse.load(new_load(other, 2))  # another unit of the same table
    assert rows(filled) == [(2, "new"), (11, "old"), (22, "new")]
    filled.warehouse.confirm(TARGET, "p", {UNITS[0]: load.load_id})
    assert rows(filled) == [(2, "new"), (11, "old"), (22, "new")]


def test_a_load_that_another_run_took_out_cannot_be_confirmed(filled: SandboxWarehouse) -> None:
    load, later = new_load(filled, 0), new_load(filled, 0, fence=3)
    filled.warehouse.load(load)
    filled.another().warehouse.load(later)  # the run that has taken over the unit undoes it before its own load
    with pytest.raises(WarehouseError, match="another run took this load out"):
        filled.warehouse.confirm(TARGET, "p", {UNITS[0]: load.load_id})
    assert not filled.warehouse.undo(TARGET, "p", {UNITS[0]: load.load_id})
    assert rows(filled) == [(2, "new"), (11, "old"), (21, "old")]


def switched(house: SandboxWarehouse) -> None:
    """A load that is not confirmed yet."""
    house.warehouse.load(request(house, orders({1: "old"}), target=LINES))
    new = request(house, orders({2: "new"}), target=LINES, fence=2, can_be_undone=True)
    house.warehouse.load(new)
    house.warehouse.release(LINES, "p", {"all": new.load_id})


@pytest.fixture(scope="module")
def once_faulty(faulty_sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(faulty_sandbox, tmp_path_factory.mktemp("faulty"), switched) as made:
        yield made


@pytest.mark.parametrize(
    ("drop", "where"),
    [
        pytest.param(Drop(), Where(kind="select", table="replaced_rows"), id="before its record is read"),
        pytest.param(Drop(), Where(kind="delete", table="replaced_rows"), id="before its record goes"),
        pytest.param(Drop("after"), Where(kind="commit", pattern="replaced_rows"), id="after its record went"),
        pytest.param(Drop(), Where(kind="definition", pattern=r"\ADROP TABLE"), id="before the rows are dropped"),
    ],
)
def test_a_connection_that_breaks_while_a_load_is_confirmed_costs_nothing(
    faults: FaultControl, once_faulty: Prepared, tmp_path: Path, drop: Drop, where: Where
) -> None:
    with once_faulty.copy(tmp_path, pause=lambda seconds: None) as house:
        ((load_id,),) = house.query("SELECT load_id FROM _dltsync.replaced_rows")
        faults.plan(Fault(drop, replace(where, database=house.database)))
        house.warehouse.confirm(LINES, "p", {"all": load_id})
        assert faults.clear() == ["drop"]
        assert rows(house, LINES) == [(2, "new")]
        assert (house.staging(), records(house)) == ([], 0)


class Given(TypedDict):
    """Where a process is to load."""

    root: str
    server: dict[str, Any]
    database: str


def load_and_die(given: Given) -> None:
    """The work of a fork: two partitions are published, and none is validated."""
    house = SandboxWarehouse(Server(**given["server"]), Path(given["root"]), given["database"])
    with checkpoints.watched(die_at(checkpoints.WAREHOUSE_COMMITTED)):
        house.warehouse.load_group([new_load(house, 0), new_load(house, 1)])


@pytest.fixture
def killed(filled: SandboxWarehouse, home_server: Server, forks: Forks) -> tuple[Prepared, dict[str, str]]:
    """What a run left that was killed before it validated, and which load each unit came from before."""
    was: dict[str, str] = {}

    def die(house: SandboxWarehouse) -> None:
        was.update(loaded_by(house))
        given = Given(root=str(house.root), server=asdict(home_server), database=house.database)
        ended = forks.run(f"{__name__}:load_and_die", given)
        assert ended.status == -signal.SIGKILL, ended.stderr
        assert rows(house) == [(2, "new"), (12, "new"), (21, "old")]
        assert house.staging()

    def fill_and_die(house: SandboxWarehouse) -> None:
        fill(house)
        die(house)

    die(filled)
    return Prepared(filled, fill_and_die), was


@pytest.mark.survives(
    "crash",
    "kill -9 between the switch and its validation",
    "the next run confirms the load, or switches the rows of before back",
    "validated rows; no table of replaced rows stays",
)
def test_a_run_that_was_killed_before_it_validated(killed: tuple[Prepared, dict[str, str]], tmp_path: Path) -> None:
    left, was = killed
    with left.copy(tmp_path) as house:  # a later run undoes what no run validates
        house.warehouse.cleanup()
        assert rows(house) == OLD
        assert loaded_by(house) == was
        assert (house.staging(), records(house)) == ([], 0)
    with left.copy(tmp_path) as house:  # a later load of one of the units undoes that one, and `cleanup` the other
        again = new_load(house, 0, fence=4)
        house.warehouse.load(again)
        assert rows(house) == [(2, "new"), (12, "new"), (21, "old")]
        house.warehouse.undo(TARGET, "p", {UNITS[0]: again.load_id})
        assert rows(house) == [(1, "old"), (12, "new"), (21, "old")], "the rows of before the killed load"
        house.warehouse.cleanup()
        assert rows(house) == OLD
        assert (house.staging(), records(house)) == ([], 0)
    with left.copy(tmp_path) as house:  # a later run that finds the lake whole adopts and confirms
        now = loaded_by(house)
        house.warehouse.confirm(TARGET, "p", {unit: now[unit] for unit in UNITS[:2]})
        house.warehouse.cleanup()
        assert rows(house) == [(2, "new"), (12, "new"), (21, "old")]
        assert (house.staging(), records(house)) == ([], 0)
