"""What goes wrong at a SQL Server warehouse, added to a schedule by its seed: the faults at the source stay as they are."""

from __future__ import annotations

import random
from dataclasses import replace

from sqlserver_sandbox.faults.plan import Action, Drop, Fail, Failover, Fault, RefuseLogin, Stall, Where
from tests.integration.faults.schedule import Schedule

TARGET = "faulty_warehouse"
"""The warehouse's database."""
PUBLISHING = "BEGIN TRANSACTION;"
"""In the text of the batch that publishes."""
BLOCKED = (1205, 1205, 1222, 1222)
THROTTLED = (40501, 10928, 10929, 49918, 40197, 40613)
OUT_OF_MEMORY = (701, 8645, 1204)


def with_target_faults(schedule: Schedule) -> Schedule:
    """The same changes and faults, and up to three faults more in each round: of the warehouse's own."""
    dice = random.Random(f"{schedule.seed}/warehouse")
    rounds = tuple(
        replace(part, faults=(*(_target_fault(dice) for _ in range(dice.choice((1, 1, 2, 3)))), *part.faults))
        for part in schedule.rounds
    )
    return replace(schedule, rounds=rounds)


def _target_fault(dice: random.Random) -> Fault:
    skip, times = dice.choice((0, 0, 0, 1, 2, 5)), dice.choice((1, 1, 1, 2, 4))
    if dice.random() < 0.1:
        return Fault(RefuseLogin(dice.choice((40613, 18401))), Where(database=TARGET, skip=skip, times=times))
    if dice.random() < 0.3:  # an outcome that nobody was told
        how = dice.choice(("reset", "close"))
        return Fault(
            Drop(dice.choice(("after", "after", "before")), how=how),
            Where(database=TARGET, kind="commit", skip=min(skip, 1), times=times),
        )
    if dice.random() < 0.3:
        kind = dice.choice(("bulk", "definition", "procedure", "insert", "select", None))
        return Fault(_at_statement(dice), Where(database=TARGET, kind=kind, skip=skip, times=times))
    return Fault(
        _at_statement(dice),
        Where(database=TARGET, pattern=PUBLISHING, skip=dice.choice((0, 3, 8, 12, 16, 20)), times=times),
    )


def _at_statement(dice: random.Random) -> Action:
    ways: tuple[Action, ...] = (
        Fail(dice.choice(BLOCKED)),
        Fail(dice.choice(BLOCKED)),
        Fail(dice.choice(THROTTLED)),
        Fail(dice.choice(OUT_OF_MEMORY)),
        Drop("before"),
        Drop("after", how="close"),
        Stall(0.05),
        Failover(dice.choice((1, 2))),
    )
    return dice.choice(ways)
