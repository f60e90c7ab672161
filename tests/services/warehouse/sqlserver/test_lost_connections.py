"""A connection breaks before a load is published: the load begins again on another one, and nothing enters twice.

`test_every_statement` goes through all statements; here is what a user sees of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dltsync_core.errors import Fenced, WarehouseBusy
from sqlserver_sandbox.faults.plan import Drop, Fault, Where
from tests.services.warehouse.sqlserver.loads import PARTED, TARGET, UNITS, loaded_by, orders, part, request, rows
from tests.support.fault_control import FaultControl
from tests.support.sandbox_server import SandboxServer
from tests.support.sqlserver_warehouse import Prepared, SandboxWarehouse, prepared_warehouse

pytestmark = pytest.mark.xdist_group("forks")

OLD = [(1, "old"), (11, "old")]
BULK = Where(kind="bulk")
BEFORE_PUBLICATION = [
    pytest.param(Where(kind="set"), id="the session is set up"),
    pytest.param(Where(kind="definition", pattern=r"CREATE TABLE \[_dltsync_staging\]"), id="staging is made"),
    pytest.param(Where(pattern=r"\ASELECT @@TRANCOUNT\s*\Z"), id="the bulk copy asks whether a transaction is open"),
    pytest.param(BULK, id="rows are copied"),
    pytest.param(Where(kind="select", table=r"_dltsync_staging\..*_in"), id="staged rows are counted"),
]


def fill(house: SandboxWarehouse) -> None:
    house.warehouse.load_group(
        [
            request(house, orders({number: "old"}), part(unit), layout=PARTED, unit=unit)
            for unit, number in zip(UNITS, (1, 11), strict=False)
        ]
    )


@pytest.fixture(scope="module")
def once_filled(faulty_sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(faulty_sandbox, tmp_path_factory.mktemp("filled"), fill) as made:
        yield made


@pytest.fixture
def filled(once_filled: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """A target with a row in each of two partitions."""
    with once_filled.copy(tmp_path, pause=lambda seconds: None) as house:
        yield house


@pytest.mark.parametrize("where", BEFORE_PUBLICATION)
def test_a_load_alone_begins_again_on_another_connection(
    filled: SandboxWarehouse, faults: FaultControl, where: Where
) -> None:
    load = request(filled, orders({1: "new", 2: "new"}), part(UNITS[0]), layout=PARTED, unit=UNITS[0], fence=2)
    faults.plan(Fault(Drop(), replace(where, database=filled.database)))
    loaded = filled.warehouse.load(load)
    assert faults.clear() == ["drop"], "the fault was not met"
    assert (loaded.method, loaded.rows) == ("switch", 2)
    assert rows(filled) == [(1, "new"), (2, "new"), (11, "old")]
    assert loaded_by(filled)[UNITS[0]] == load.load_id
    assert any("attempt 1 failed, trying again" in said for said in filled.waits)
    filled.warehouse.cleanup()
    assert filled.staging() == []


def test_a_load_is_confirmed_although_the_login_for_it_breaks(filled: SandboxWarehouse, faults: FaultControl) -> None:
    load = request(
        filled, orders({1: "new"}), part(UNITS[0]), layout=PARTED, unit=UNITS[0], fence=2, can_be_undone=True
    )
    filled.warehouse.load(load)
    faults.plan(Fault(Drop(), Where(kind="set", database=filled.database)))
    filled.warehouse.confirm(TARGET, "p", {UNITS[0]: load.load_id})
    assert faults.clear() == ["drop"]
    assert (rows(filled), filled.staging()) == ([(1, "new"), (11, "old")], [])


def test_a_connection_that_breaks_every_time_fails_the_load_and_changes_nothing(
    filled: SandboxWarehouse, faults: FaultControl
) -> None:
    was = loaded_by(filled)
    faults.plan(Fault(Drop(), replace(BULK, database=filled.database, times=None)))
    load = request(filled, orders({1: "new"}), part(UNITS[0]), layout=PARTED, unit=UNITS[0], fence=2)
    with pytest.raises(WarehouseBusy, match="the warehouse: ") as caught:
        filled.warehouse.load(load)
    assert faults.clear() == ["drop"] * 3
    assert caught.value.facts["attempts"] == 3
    assert (rows(filled), loaded_by(filled)) == (OLD, was)
    filled.warehouse.load(load)
    assert rows(filled) == [(1, "new"), (11, "old")]
    assert filled.staging() == []


def test_a_load_that_was_overtaken_meanwhile_does_not_begin_again(
    filled: SandboxWarehouse, faults: FaultControl
) -> None:
    """Another run has taken over the unit while the connection was down: the fence decides, as ever."""
    later = request(filled, orders({3: "later"}), part(UNITS[0]), layout=PARTED, unit=UNITS[0], fence=3)
    overtaken = filled.another(pause=lambda seconds: filled.warehouse.load(later))
    load = request(filled, orders({1: "new"}), part(UNITS[0]), layout=PARTED, unit=UNITS[0], fence=2)
    faults.plan(Fault(Drop(), replace(BULK, database=filled.database)))
    with pytest.raises(Fenced):
        overtaken.warehouse.load(load)
    assert rows(filled) == [(3, "later"), (11, "old")]
    assert loaded_by(filled)[UNITS[0]] == later.load_id
    filled.warehouse.cleanup()
    assert filled.staging() == []
