"""The moment when rows become visible: what readers see, what a second run does, and what a broken connection leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyodbc
import pytest

from dltsync_core import checkpoints
from dltsync_core.errors import Fenced, WarehouseBusy
from dltsync_core.plan.steps import Disposition
from dltsync_core.tsql.warehouse.locks import take_session_lock
from dltsync_core.warehouse.sqlserver.staging import lock_resource, target_digest
from sqlserver_sandbox.faults.plan import Drop, Fail, Fault, Where
from tests.services.warehouse.sqlserver.loads import (
    DISPOSITIONS,
    KEYED,
    PARTED,
    TARGET,
    UNITS,
    loaded_by,
    orders,
    part,
    request,
    rows,
)
from tests.support.fault_control import FaultControl
from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import Prepared, SandboxWarehouse, prepared_warehouse
from tests.support.variants import crossed, variants

RESOURCE = lock_resource(target_digest(TARGET))


def fill(house: SandboxWarehouse) -> None:
    house.warehouse.load(request(house, orders({1: "old", 2: "old"}), layout=PARTED, fence=5))


@pytest.fixture(scope="module")
def once_faulty(faulty_sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(faulty_sandbox, tmp_path_factory.mktemp("faulty"), fill) as made:
        yield made


@pytest.fixture
def faulty(once_faulty: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """A target with two rows on a server that can be made to misbehave."""
    with once_faulty.copy(tmp_path, pause=lambda seconds: None) as house:
        yield house


@pytest.fixture(scope="module")
def once_filled(home_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(home_server, tmp_path_factory.mktemp("filled"), fill) as made:
        yield made


@pytest.fixture
def filled(once_filled: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """The same on any server."""
    with once_filled.copy(tmp_path) as house:
        yield house


BY_NAME = {type(how).__name__: how for how in DISPOSITIONS}


@pytest.mark.survives(
    "warehouse",
    "a reader polls a table of a SQL Server warehouse while loads are switched in, deleted and inserted, or merged",
    "each statement waits for the publication or does not meet it",
    "old rows or new ones, never none and never both",
)
@pytest.mark.parametrize("how", variants(BY_NAME, often={"ReplaceScope", "MergeKeys"}))
def test_a_reader_sees_the_old_rows_or_the_new_ones(house: SandboxWarehouse, how: Disposition) -> None:
    layout = PARTED if how == part(UNITS[0]) else KEYED
    states = [dict.fromkeys(range(1, 6), f"state {state}") for state in range(3)]
    house.warehouse.load(request(house, orders(states[0]), how, layout=layout))
    expected = {tuple(sorted(state.items())) for state in states}
    seen: list[tuple[tuple[int, str], ...]] = []
    done = threading.Event()

    def read() -> None:
        with closing(house.connect()) as connection:
            while not done.is_set():
                found = connection.execute(f"SELECT No, Note FROM {TARGET[0]}.{TARGET[1]} ORDER BY No").fetchall()
                seen.append(tuple((int(no), str(note)) for no, note in found))
                done.wait(0.002)  # a reader that never rests takes the time of the loads

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for fence, state in enumerate(states[1:], start=2):
            house.warehouse.load(request(house, orders(state), how, layout=layout, fence=fence))
    finally:
        done.set()
        reader.join()
    assert len(set(seen)) > 1, "the reader met no change"
    assert set(seen) <= expected


def test_a_second_run_waits_for_the_first_and_says_so(house: SandboxWarehouse) -> None:
    with closing(house.connect()) as other:
        assert other.execute(take_session_lock(RESOURCE, 0).text).fetchval() >= 0
        impatient = house.another(lock_seconds=1.5)
        with pytest.raises(WarehouseBusy, match=r"(?s)sales\.Orders.*another run is loading it.*lock_timeout_seconds"):
            impatient.warehouse.load(request(house, orders({1: "a"})))
        assert impatient.waits
        assert "sales.Orders" in impatient.waits[0]
        patient = threading.Thread(target=lambda: house.warehouse.load(request(house, orders({1: "a"}))))
        patient.start()
        while not house.waits:
            time.sleep(0.01)
    patient.join()
    assert rows(house) == [(1, "a")]


def test_two_tables_are_loaded_at_the_same_time(house: SandboxWarehouse) -> None:
    """A lock on one target is none on another: the load of the second ends while the first is held."""
    with closing(house.connect()) as other:
        other.execute(take_session_lock(RESOURCE, 0).text).fetchval()
        house.another(lock_seconds=0.5).warehouse.load(request(house, orders({1: "a"}), target=("sales", "Lines")))
    assert rows(house, ("sales", "Lines")) == [(1, "a")]


@pytest.mark.parametrize("how", DISPOSITIONS, ids=lambda how: type(how).__name__)
def test_a_writer_that_was_overtaken_changes_nothing(filled: SandboxWarehouse, how: Disposition) -> None:
    with pytest.raises(Fenced):
        filled.warehouse.load(request(filled, orders({1: "older", 3: "older"}), how, layout=PARTED, fence=4))
    assert rows(filled) == [(1, "old"), (2, "old")]
    assert filled.staging() == []


@pytest.mark.survives(
    "warehouse",
    "the connection to a SQL Server warehouse breaks while the load commits",
    "the application lock is taken again, then the marker is read",
    "the load is there once",
)
@pytest.mark.parametrize("how", variants(BY_NAME, often={"ReplaceTable", "ReplaceScope", "MergeKeys"}))
def test_a_connection_that_breaks_after_the_commit_is_no_failure(
    faulty: SandboxWarehouse, faults: FaultControl, how: Disposition
) -> None:
    """The answer to COMMIT is lost: the marker says that the load is there, and it is not brought in again."""
    faults.plan(Fault(Drop(when="after"), Where(kind="commit", database=faulty.database)))
    loaded = request(faulty, orders({1: "new", 3: "new"}), how, layout=PARTED, fence=6)
    assert faulty.warehouse.load(loaded).rows == 2
    assert faults.clear() == ["drop"]
    assert loaded_by(faulty) == {"all": loaded.load_id}
    assert (1, "new") in rows(faulty)
    assert faulty.staging() == []


@pytest.mark.parametrize(
    ("fault", "how"),
    variants(
        crossed(
            {
                "connection broke before the commit": Fault(Drop(when="before"), Where(kind="commit")),
                "lock time-out": Fault(Fail(1222), Where(kind="commit")),
                "deadlock twice": Fault(Fail(1205), Where(kind="commit", times=2)),
            },
            {name: BY_NAME[name] for name in ("ReplaceScope", "MergeKeys")},
        ),
        often={
            "connection broke before the commit-ReplaceScope",
            "connection broke before the commit-MergeKeys",
            "lock time-out-MergeKeys",
            "deadlock twice-ReplaceScope",
        },
    ),
)
def test_a_publication_that_did_not_commit_is_sent_again(
    faulty: SandboxWarehouse, faults: FaultControl, how: Disposition, fault: Fault
) -> None:
    faults.plan(fault)
    loaded = request(faulty, orders({1: "new", 2: "new"}), how, layout=PARTED, fence=6)
    faulty.warehouse.load(loaded)
    assert faults.clear()
    assert rows(faulty) == [(1, "new"), (2, "new")]
    assert loaded_by(faulty) == {"all": loaded.load_id}
    assert faulty.staging() == []


def test_a_reader_that_blocks_the_switch_for_long_makes_the_load_give_up_and_change_nothing(
    filled: SandboxWarehouse,
) -> None:
    hurried = filled.another(lock_seconds=0.3, switch_lock_timeout_ms=50)
    with closing(pyodbc.connect(filled.server.odbc(database=filled.database), autocommit=False)) as reader:
        reader.execute("UPDATE sales.Orders SET Note = N'mine'")
        with pytest.raises(WarehouseBusy, match=r"(?s)could not be published within.*sys\.dm_tran_locks"):
            hurried.warehouse.load(request(filled, orders({1: "new"}), layout=PARTED, fence=6))
        reader.rollback()
    assert rows(filled) == [(1, "old"), (2, "old")]
    assert filled.staging() == []


@pytest.mark.survives(
    "warehouse",
    "SQL Server refuses a switch that preflight allowed",
    "the next way into the table is taken in the same run",
    "the rows are in; the result says why not by switching",
)
def test_a_switch_that_the_server_refuses_is_followed_by_the_next_way(
    faulty: SandboxWarehouse, faults: FaultControl
) -> None:
    """A rule that preflight does not know: the rows get in, and the report says why not by switching."""
    faulty.query("INSERT INTO sales.Orders (No, Note) VALUES (11, N'stays')")
    faults.plan(Fault(Fail(4947, message="no identical index"), Where(pattern="SWITCH", kind="definition")))
    loaded = faulty.warehouse.load(request(faulty, orders({1: "new"}), part(UNITS[0]), layout=PARTED, fence=6))
    assert faults.clear() == ["fail"]
    assert loaded.method == "delete and insert"
    assert "4947" in loaded.reasons[0]
    assert rows(faulty) == [(1, "new"), (11, "stays")]
    assert faulty.staging() == []


def test_staging_tables_of_a_run_that_died_are_removed_unless_it_lives(house: SandboxWarehouse) -> None:
    house.warehouse.load(request(house, orders({1: "a"})))
    left = f"{target_digest(TARGET)}_in1_0a1b2c3d_Orders"
    other = f"{target_digest(('sales', 'Lines'))}_out7_0a1b2c3d_Lines"
    for name in (left, other, "not_ours"):
        house.query(f"CREATE TABLE _dltsync_staging.[{name}] (No int)")
    with closing(house.connect()) as alive:
        alive.execute(take_session_lock(lock_resource(target_digest(("sales", "Lines"))), 0).text).fetchval()
        house.warehouse.cleanup()
        assert sorted(house.staging()) == sorted([other, "not_ours"])
    house.warehouse.load(request(house, orders({1: "a"}), target=("sales", "Lines")))
    assert house.staging() == ["not_ours"]


def test_two_attempts_never_share_a_staging_table(house: SandboxWarehouse) -> None:
    """A run that lost its lock without knowing it goes on copying: not into the tables of the run that took over."""
    seen: list[set[str]] = []

    def look(moment: str) -> None:
        if moment == checkpoints.WAREHOUSE_WRITTEN:
            seen.append(set(house.staging()))

    with checkpoints.watched(look):
        for fence in (1, 2):
            house.warehouse.load(request(house, orders({1: "a"}), fence=fence))
    first, second = seen
    assert first
    assert not first & second
