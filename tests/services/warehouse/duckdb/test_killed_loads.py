"""A load that fails changes nothing and can be repeated, and what a killed one left behind goes.

What a kill at each moment leaves in the table is tested with every kind of warehouse in `test_killed_anywhere.py`.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, TypedDict

import pytest

from dltsync_core import checkpoints
from dltsync_core.errors import (
    WarehouseError,
)
from dltsync_core.plan.steps import Disposition
from dltsync_core.warehouse.duckdb import warehouse as dlt_warehouse
from dltsync_core.warehouse.duckdb.load import load_files
from tests.support.forks import Forks
from tests.support.killed import die_at
from tests.support.local_warehouse import DISPOSITIONS, TARGET, LocalWarehouse, leftovers, orders, rows

pytestmark = pytest.mark.xdist_group("forks")
"""With the other tests that fork: one process to fork from is enough."""


@pytest.mark.parametrize("how", DISPOSITIONS, ids=lambda how: type(how).__name__)
def test_a_load_that_fails_on_the_way_changes_nothing_and_the_next_one_works(
    house: LocalWarehouse, how: Disposition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlt leaves a failed package behind, which would swallow the next load in its directory."""
    house.load(TARGET, orders({1: "a"}), how=how)
    broken = house.request(TARGET, orders({1: "b", 2: "b"}), how=how)

    def torn(connection: Any, catalog: Any, requests: Any, directory: Any) -> Any:
        requests[0].files[0].write_bytes(b"PAR1 and then nothing PAR1")
        return load_files(connection, catalog, requests, directory)

    with monkeypatch.context() as patch:
        patch.setattr("dltsync_core.warehouse.dlt.files.pq.read_metadata", lambda path: orders({}))
        patch.setattr(dlt_warehouse, "load_files", torn)
        with pytest.raises(WarehouseError):
            house.warehouse.load(broken)
    assert rows(house) == [(1, "a")]
    house.load(TARGET, orders({1: "c", 3: "c"}), how=how)
    assert rows(house) == [(1, "c"), (3, "c")]
    assert leftovers(house) == []


class Kill(TypedDict):
    """What a process is to load, and where it is killed."""

    root: str
    disposition: int
    moment: str


def load_and_die(kill: Kill) -> None:
    """The work of a fork."""
    house = LocalWarehouse(Path(kill["root"]))
    with checkpoints.watched(die_at(kill["moment"])):
        house.load(TARGET, orders({1: "b", 2: "b"}), how=DISPOSITIONS[kill["disposition"]])


def kill(forks: Forks, house: LocalWarehouse, number: int, moment: str) -> None:
    ended = forks.run(f"{__name__}:load_and_die", Kill(root=str(house.root), disposition=number, moment=moment))
    assert ended.status == -signal.SIGKILL, ended.stderr


def kill_after_its_commit(forks: Forks, house: LocalWarehouse) -> None:
    kill(forks, house, 0, checkpoints.WAREHOUSE_COMMITTED)
    assert leftovers(house) != []


def test_what_a_killed_load_left_goes_without_another_load(tmp_path: Path, forks: Forks) -> None:
    house = LocalWarehouse(tmp_path)
    house.load(TARGET, orders({1: "a"}))
    kill_after_its_commit(forks, house)
    house.warehouse.cleanup()
    assert leftovers(house) == []
    assert rows(house) == [(1, "b"), (2, "b")]
    kill_after_its_commit(forks, house)
    house.path.unlink()
    house.warehouse.cleanup()
    assert list(house.work.glob("*")) == []


def test_tidying_neither_touches_a_load_at_work_nor_waits_for_it(tmp_path: Path) -> None:
    house = LocalWarehouse(tmp_path, lock_timeout_seconds=0.5)
    seen: list[int] = []

    def meanwhile(moment: str) -> None:
        if moment == checkpoints.WAREHOUSE_WRITTEN:
            house.warehouse.cleanup()  # would raise WarehouseBusy if it queued
            seen.append(len(list(house.work.glob("*"))))

    with checkpoints.watched(meanwhile):
        house.load(TARGET, orders({1: "a"}))
    assert seen == [1]
    assert rows(house) == [(1, "a")]
