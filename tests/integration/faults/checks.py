"""What holds after every run of a fault schedule, whatever happened in it."""

from __future__ import annotations

from dltsync_core.connect import circuit
from dltsync_core.errors import SyncError
from dltsync_core.run.result import RunResult
from tests.integration.faults.schedule import TABLES
from tests.integration.faults.world import World, watermark_text


def one_run(world: World, *, parallel: bool) -> RunResult | SyncError:
    """A run's result, or the error that ended it before it had one. Anything else that is raised is a bug."""
    circuit._breakers.clear()  # an open circuit would only wait
    try:
        return world.run(parallel_execution=parallel)
    except SyncError as error:
        return error


def told(result: RunResult | SyncError) -> str:
    return str(result) if isinstance(result, SyncError) else "; ".join(result["errors"])


def check(world: World, result: RunResult | SyncError) -> None:
    """What holds after every run, whatever happened in it."""
    check_messages(world, result)
    check_manifests(world)
    check_ledger(world)
    if isinstance(result, RunResult):
        failed = {unit.table.table for unit in result.failed}
        world.assert_same([table for table in TABLES if table not in failed])


def check_messages(world: World, result: RunResult | SyncError) -> None:
    """Every failure is one of ours, says what was wrong and what to do, and holds no secret."""
    text = told(result)
    assert world.server.password not in text
    assert "Traceback" not in text
    if isinstance(result, RunResult):
        for unit in result.failed:
            assert unit.error
            assert unit.error_type not in NOT_OURS, f"{unit.error_type} in {unit.table} {unit.unit}: {unit.error}"


NOT_OURS = {"ValueError", "TypeError", "KeyError", "IndexError", "AttributeError", "AssertionError", "RuntimeError"}
"""Errors of a program that was surprised."""


def check_manifests(world: World) -> None:
    """Each load that a reader sees is whole, and is what the source held at some moment."""
    for table in TABLES:
        known = [state[table] for state in world.states]
        for load in world.loads(table):
            assert len(load.rows) == load.told, f"{table} {load.unit}: half a load"
            if table == "Orders":
                possible = [[row for row in rows if belongs(row[1], load.unit)] for rows in known]
                assert load.rows in possible, f"{table} {load.unit}: rows that the source never had together"
            elif table == "Countries":
                assert load.rows in known, f"{table}: rows that the source never had together"
            else:
                assert set(load.rows) <= {row for rows in known for row in rows}, f"{table}: rows the source never had"


def belongs(placed_at: str | None, unit: str) -> bool:
    """Whether an order lies in the partition of that key, `[lower,upper)`, or with `(-inf` or `+inf)` for an infinite end."""
    lower, upper = unit.strip("[()]").split(",")
    if placed_at is None:
        return lower == "-inf"
    return (lower == "-inf" or comparable(lower) <= placed_at) and (upper == "+inf" or placed_at < comparable(upper))


def comparable(moment: str) -> str:
    """A boundary in the form of `placed_at`."""
    day, _, time = moment.replace(" ", "T").partition("T")
    whole, _, fraction = (time or "00:00:00").partition(".")
    return f"{day}T{whole:0<8}.{fraction:0<6}"


def check_ledger(world: World) -> None:
    """What the ledger calls committed is in the lake, and no watermark is ahead of the warehouse."""
    for table in TABLES:
        for head in world.committed_units(table):
            if table == "Customers" and head["watermark"]:
                assert watermark_text(head) <= world.highest_change(), "the watermark is ahead of the warehouse"
