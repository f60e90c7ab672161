"""Random schedules of changes and faults over the whole pipeline: no row is lost, none is doubled, and no success is untrue.

A failure prints its schedule; `--fault-seed N` runs that one again, `--fault-seeds N` says how many there are. Those over a SQL
Server warehouse have the same changes and faults, and some more.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dltsync_core.run.result import RunResult
from tests.integration.faults.checks import (
    check,
    one_run,
    told,
)
from tests.integration.faults.schedule import COMMAND_TIMEOUT, Round, Schedule, make_schedule
from tests.integration.faults.sqlserver_world import Reader, SqlServerWorld
from tests.integration.faults.target_faults import with_target_faults
from tests.integration.faults.troubles import FailingStorage, Holder, Stranger, troubled
from tests.integration.faults.world import World
from tests.support.fault_control import FaultControl

CALM_RUNS = 3
"""Without faults at most so many runs until one succeeds. The second may find what the first could only tidy."""
NO_CHANGE_EVERY = 4
"""So often a further run must find that there is nothing to read: it costs as much as a schedule has besides."""


@pytest.mark.faults
@pytest.mark.survives(
    "network",
    "random schedules: connections break or go silent at accept, in TLS, at login, before, inside and after statements",
    "the unit that failed, with the server's message; the others are committed",
    "when the faults end the next run succeeds; source, lake and warehouse equal row by row",
)
@pytest.mark.survives(
    "server",
    "random schedules of deadlocks, lock timeouts, snapshot conflicts, throttling, failovers, memory and version store errors",
    "retried within the run by the policy; else the unit that failed, with number and remedy",
    "when the faults end the next run succeeds; source, lake and warehouse equal row by row",
)
@pytest.mark.survives(
    "lake",
    "random schedules in which one write of the lake's storage fails, before or after it took effect",
    "the path and the operating system's message",
    "a reader of manifests sees whole loads only; the next run succeeds and all is equal row by row",
)
@pytest.mark.survives(
    "warehouse",
    "random schedules in which another process holds the DuckDB file for a moment, or longer than the wait",
    "waiting for the warehouse, and the process that has it open; then the unit that failed",
    "the next run succeeds and all is equal row by row",
)
@pytest.mark.survives(
    "state",
    "random schedules in which another process holds the SQLite ledger for a moment, or longer than the wait",
    "the ledger is locked, and what to do",
    "the watermark is never ahead of the warehouse; the next run succeeds and all is equal row by row",
)
def test_a_schedule_loses_and_doubles_nothing(
    fault_seed: int,
    world: World,
    faults: FaultControl,
    stranger: Stranger,
    record_property: Callable[[str, object], None],
) -> None:
    schedule = make_schedule(fault_seed)
    happened: list[str] = []
    try:
        play(schedule, world, faults, stranger, happened)
    except BaseException:
        print(schedule)
        print("happened:", happened)
        raise
    record_property("fault_schedule", fault_seed)
    record_property("fault_happened", " ".join(sorted(set(happened))))


@pytest.mark.faults
@pytest.mark.survives(
    "warehouse",
    "random schedules of faults at a SQL Server warehouse besides those at the source: the connection lost in COMMIT, before or "
    "after it took effect, deadlocks, lock timeouts, throttling, failovers, readers in long transactions",
    "retried within the run; else the unit that failed, with number and remedy",
    "when the faults end the next run succeeds; source, lake and warehouse equal row by row; nothing is left in staging",
)
def test_a_schedule_over_sql_server_loses_and_doubles_nothing(
    sqlserver_fault_seed: int,
    sqlserver_world: SqlServerWorld,
    faults: FaultControl,
    record_property: Callable[[str, object], None],
) -> None:
    schedule = with_target_faults(make_schedule(sqlserver_fault_seed))
    happened: list[str] = []
    try:
        play(schedule, sqlserver_world, faults, Reader(sqlserver_world.server), happened)
        assert sqlserver_world.staging() == []
    except BaseException:
        print(schedule)
        print("happened:", happened)
        raise
    record_property("fault_schedule", f"sqlserver {sqlserver_fault_seed}")
    record_property("fault_happened", " ".join(sorted(set(happened))))


def play(schedule: Schedule, world: World, faults: FaultControl, stranger: Holder, happened: list[str]) -> None:
    """The whole schedule. Raises AssertionError for what must never be."""
    world.begin(loaded=schedule.loaded)
    if schedule.stalls:
        world.database["command_timeout"] = COMMAND_TIMEOUT
    world.attempts = schedule.attempts
    for part in schedule.rounds:
        faults.clear()
        world.change(part.changes)
        for _ in range(part.runs):
            if stormy_run(schedule, part, world, faults, stranger, happened):
                break
    faults.clear()
    world.database.clear()
    for attempt in range(1, CALM_RUNS + 1):
        result = one_run(world, parallel=schedule.parallel)
        check(world, result)
        if isinstance(result, RunResult) and result.success:
            break
        assert attempt < CALM_RUNS, f"without faults it still fails: {told(result)}"
    if schedule.seed % NO_CHANGE_EVERY:
        return
    again = one_run(world, parallel=schedule.parallel)
    assert isinstance(again, RunResult), told(again)
    assert (again.success, again["total_records"]) == (True, 0), "what did not change was read again"


def stormy_run(
    schedule: Schedule, part: Round, world: World, faults: FaultControl, stranger: Holder, happened: list[str]
) -> bool:
    """One run under the round's faults. Whether it called itself a success, which then was true."""
    faults.plan(*part.faults, seed=schedule.seed)
    disk = next((trouble for trouble in part.troubles if trouble.what == "disk"), None)
    world.storage = (lambda inner: FailingStorage(inner, disk.at, after=disk.after)) if disk is not None else None
    with troubled(part.troubles, ledger=world.ledger, warehouse=world.warehouse, stranger=stranger) as held:
        result = one_run(world, parallel=schedule.parallel)
    happened += [*faults.clear(), *held, *(["disk"] if world.storage_failed() else [])]
    world.storage = None
    check(world, result)
    return isinstance(result, RunResult) and result.success
