"""Real processes at one ledger, in a file and on a server: each unit in one hand, every commit from what was there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.committed import CommitChange
from dltsync_core.errors import LeaseHeld
from dltsync_core.process import this_process
from dltsync_core.state import leases as leases_module
from dltsync_core.state.leases import Held, Leases
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.store import Store
from tests.services.state.rivals import TABLE, begin, committed_unit, race

SERVER_FIRST = pytest.mark.parametrize(
    "store_url",
    [
        pytest.param("sqlite", marks=pytest.mark.slow),
        pytest.param("postgres", marks=pytest.mark.xdist_group("postgres")),
    ],
    indirect=True,
)
"""In `make test` on the server only: processes cost a second each, and a file's turn is tested otherwise as well."""


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "POLL_SECONDS", 0.05)


@contextmanager
def held(store: Store, *, wait: float = 0) -> Iterator[Held]:
    leases = Leases(store, "p", holder=str(this_process()), seconds=60)
    with leases.held(
        TABLE, ["all"], at_least=0, wait_seconds=wait, on_wait=lambda _: None, raise_if_stopped=lambda: None
    ) as one:
        yield one


@contextmanager
def holder(**order: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds the lease, and its first fence."""
    process = begin(**order)
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())["held"]
    finally:
        process.kill()
        process.communicate()


def woken(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it says when it goes on."""
    os.kill(process.pid, signal.SIGCONT)
    out, _ = process.communicate("go on\n", timeout=60)
    told: dict[str, Any] = json.loads(out)
    return told


def generations(store: Store) -> dict[str, int]:
    return dict(Ledger(store, "p").committed_units(TABLE).generations)


FAMILIES = [["a", "b"], ["b", "c"], ["c", "a"], ["a", "b", "c"], ["d"]]


@pytest.mark.parametrize(
    ("families", "rivals", "rounds"),
    [
        pytest.param(FAMILIES, 4, 4, id="families"),
        pytest.param([["a"]], 6, 20, id="one unit", marks=pytest.mark.slow),
        pytest.param(FAMILIES, 6, 25, id="families, long", marks=pytest.mark.slow),
    ],
)
def test_processes_that_race_for_units_have_each_of_them_alone_and_lose_no_commit(
    store: Store, store_url: str | None, tmp_path: Path, families: list[list[str]], rivals: int, rounds: int
) -> None:
    told = race(
        work="commit_leased", directory=tmp_path, url=store_url, families=families, rivals=rivals, rounds=rounds
    )
    fences = [fence for one in told for fence in one["fences"]]
    assert len(fences) == len(set(fences)) == rivals * rounds
    assert all(one["fences"] == sorted(one["fences"]) for one in told)
    assert sum(generations(store).values()) == sum(one["commits"] for one in told)


@SERVER_FIRST
@pytest.mark.parametrize(("rivals", "rounds"), [(4, 5), pytest.param(8, 150, marks=pytest.mark.slow)])
def test_of_commits_with_one_expectation_one_wins_also_across_several_units(
    store: Store, store_url: str | None, tmp_path: Path, rivals: int, rounds: int
) -> None:
    """Whatever the order in which they name the units: none waits crosswise for another."""
    told = race(
        work="commit_unleased", directory=tmp_path, url=store_url, units=["a", "b", "c"], rivals=rivals, rounds=rounds
    )
    won = sum(one["won"] for one in told)
    assert won >= rounds / 2
    assert generations(store) == {"a": won, "b": won, "c": won}


@pytest.mark.survives(
    "rivals",
    "a run is killed while it holds a partition",
    "the next run on that machine takes the partition over at once",
    "the lease of the killed run does not have to expire",
)
def test_a_holder_that_was_killed_on_this_machine_is_overtaken_at_once(
    store: Store, store_url: str | None, tmp_path: Path
) -> None:
    with holder(work="hold", directory=tmp_path, url=store_url, seconds=3600) as (process, fence):
        with pytest.raises(LeaseHeld), held(store):
            pass
        process.kill()
        process.communicate()
        with held(store) as one:
            assert one.lease.fence > fence


@pytest.mark.survives(
    "rivals",
    "a run on another machine is killed while it holds a partition",
    "the next run waits until the lease of the killed run has expired",
    "the partition is taken over with a higher fence",
)
@SERVER_FIRST
def test_a_holder_that_was_killed_elsewhere_is_overtaken_when_its_lease_ends(
    store: Store, store_url: str | None, tmp_path: Path
) -> None:
    with holder(work="hold", directory=tmp_path, url=store_url, seconds=1, machine="elsewhere") as (process, fence):
        process.kill()
        process.communicate()
        with pytest.raises(LeaseHeld, match="process 1 on elsewhere"), held(store):
            pass
        with held(store, wait=60) as one:
            assert one.lease.fence > fence


@pytest.mark.survives(
    "rivals",
    "a run is paused (SIGSTOP) for longer than its lease, another takes over, the first resumes",
    "the first: this run lost its lease while it stood still, and another run took over",
    "nothing of the first becomes visible after that",
)
@pytest.mark.parametrize("heedless", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_process_that_was_paused_past_its_lease_is_fenced_off_when_it_goes_on(
    store: Store, store_url: str | None, tmp_path: Path, heedless: bool
) -> None:
    """Also when it does not look before it commits."""
    order = {"work": "hold", "directory": tmp_path, "url": store_url, "seconds": 0.5, "heedless": heedless}
    with holder(**order) as (process, fence):
        os.kill(process.pid, signal.SIGSTOP)
        with held(store, wait=60) as one:
            assert one.lease.fence > fence
            told = woken(process)
            Ledger(store, "p").commit(
                TABLE, [CommitChange("all", 0, committed_unit("all", "the second"))], lease=one.lease
            )
    assert told["error"] == "Fenced"
    assert ("before this one could commit" if heedless else "lost its lease while it stood still") in told["text"]
    assert Ledger(store, "p").committed_units(TABLE).live["all"].load_id == "the second"


@pytest.mark.survives(
    "rivals",
    "a run is paused (SIGSTOP) in the middle of a transaction of a PostgreSQL ledger",
    "the first: a warning that the ledger ended its transaction, then that another run took over",
    "PostgreSQL ends that transaction, the others go on; nothing of it was written",
)
@pytest.mark.xdist_group("postgres")
def test_a_process_that_stands_still_inside_a_transaction_does_not_hold_up_the_others(
    postgres_url: str, tmp_path: Path
) -> None:
    order = {"work": "stand_still_inside", "directory": tmp_path, "url": postgres_url, "seconds": 1}
    store = Store(tmp_path, postgres_url)
    with holder(**order) as (process, _):
        began = time.monotonic()
        with held(store, wait=60) as one:
            assert time.monotonic() - began < 20
            Ledger(store, "p").commit(
                TABLE, [CommitChange("all", 0, committed_unit("all", "the second"))], lease=one.lease
            )
            told = woken(process)
    assert (told["error"], generations(store)) == ("Fenced", {"all": 1})
    assert "another run took over before this one could commit" in told["text"]
    assert Ledger(store, "p").committed_units(TABLE).live["all"].load_id == "the second"
    store.close()
