"""A random schedule of changes and faults, made from a seed alone: the same seed is the same schedule, on any machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlserver_sandbox.faults import Plan, render_plan
from sqlserver_sandbox.faults.plan import (
    Action,
    BreakTls,
    Drip,
    Drop,
    Fail,
    Failover,
    Fault,
    Miscount,
    RefuseLogin,
    ResetAtAccept,
    Stall,
    Tear,
    Where,
)

TABLES = ("Orders", "Customers", "Countries")
ROWS_OF = r"(?s)\ASELECT (?!.*(COUNT_BIG|HASHBYTES|MAX\()).*\[(OrderNo|CustomerNo|Code)\].*\[(Note|Name)\].*FROM"
"""The statement that brings rows over. Counts and probes are never torn: a server that miscounts is no server."""
COMMAND_TIMEOUT = 2
"""Seconds, in schedules that stall until they are cancelled."""


@dataclass(frozen=True)
class Trouble:
    """Something of this machine's goes wrong: `what` is ledger, warehouse (held by somebody else) or disk.

    It begins at the `at`-th checkpoint of the run (disk: at the `at`-th writing call of the lake's storage) and ends after
    `seconds` (disk: it happens once, `after` the call took effect or before).
    """

    what: str
    at: int
    seconds: float = 0.0
    after: bool = False


@dataclass(frozen=True)
class Round:
    """Changes at the source, then runs under these faults. `runs` of them, until one succeeds."""

    changes: tuple[str, ...]
    faults: tuple[Fault, ...]
    troubles: tuple[Trouble, ...]
    runs: int


@dataclass(frozen=True)
class Schedule:
    """`loaded`: the first load was made before; otherwise it happens under the faults of the first round."""

    seed: int
    loaded: bool
    parallel: bool
    attempts: int
    rounds: tuple[Round, ...]

    @property
    def stalls(self) -> bool:
        """Whether something waits until it is cancelled."""
        return any(isinstance(f.do, Stall) and f.do.seconds is None for r in self.rounds for f in r.faults)

    def __str__(self) -> str:
        """What a person needs to see it happen again."""
        start = "loaded" if self.loaded else "empty"
        lines = [f"--fault-seed {self.seed}: {start}, parallel={self.parallel}, retry_attempts={self.attempts}"]
        for number, part in enumerate(self.rounds, 1):
            lines += [f"  round {number}: {change}" for change in part.changes]
            lines.append(f"  round {number}: up to {part.runs} runs under {render_plan(Plan(part.faults, self.seed))}")
            lines += [f"  round {number}: {trouble}" for trouble in part.troubles]
        return "\n".join(lines)


def make_schedule(seed: int) -> Schedule:
    """The schedule of a seed."""
    dice = random.Random(seed)
    source = _Source(dice)
    rounds = []
    for _ in range(dice.choice((1, 1, 1, 2))):
        changes = tuple(sql for _ in range(dice.choice((1, 1, 2, 3))) for sql in source.change())
        faults = tuple(_fault(dice) for _ in range(dice.choice((0, 1, 1, 2, 2, 3, 3))))
        troubles = tuple(_trouble(dice) for _ in range(dice.choice((0, 0, 1) if faults else (1,))))
        rounds.append(Round(changes, faults, troubles, dice.choice((1, 1, 2))))
    return Schedule(
        seed=seed,
        loaded=dice.random() < 0.85,
        parallel=dice.random() < 0.3,
        attempts=dice.choice((1, 2, 3)),
        rounds=tuple(rounds),
    )


# ---- changes ---------------------------------------------------------------------------------------------------------


@dataclass
class _Source:
    """Makes changes whose keys and times are new each time."""

    dice: random.Random
    number: int = 1000
    changed: datetime = field(default_factory=lambda: datetime(2026, 1, 5, 8, 0, 1))

    def change(self) -> Iterator[str]:
        ways = (
            self._orders_added,
            self._orders_added,
            self._orders_edited,
            self._orders_removed,
            self._order_moved,
            self._partition_emptied,
            self._order_without_date,
            self._boundary_split,
            self._version,
            self._version,
            self._late_version,
            self._version_removed,
            self._version_replaced,
            self._country_edited,
            self._country_added,
            self._country_removed,
            self._countries_swapped,
        )
        yield from self.dice.choice(ways)()

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _moment(self) -> str:
        month = self.dice.choice((1, 2, 3))
        return f"'2026-{month:02d}-{self.dice.randint(1, 28):02d}T{self.dice.randint(0, 23):02d}:00:00'"

    def _existing(self) -> int:
        known: tuple[int, ...] = (*range(1, 10), *range(101, 109), *range(201, 208))
        return self.dice.choice(known)

    def _orders_added(self) -> Iterator[str]:
        moment = self._moment()
        rows = ", ".join(f"({self._next()}, {moment}, 7.50, N'nëu')" for _ in range(self.dice.randint(1, 12)))
        yield f"INSERT INTO {{s}}.Orders (OrderNo, PlacedAt, Amount, Note) VALUES {rows}"

    def _orders_edited(self) -> Iterator[str]:
        first = self._existing()
        yield f"UPDATE {{s}}.Orders SET Amount = {self._next()} WHERE OrderNo BETWEEN {first} AND {first + 2}"

    def _orders_removed(self) -> Iterator[str]:
        first = self._existing()
        yield f"DELETE FROM {{s}}.Orders WHERE OrderNo BETWEEN {first} AND {first + self.dice.randint(0, 3)}"

    def _order_moved(self) -> Iterator[str]:
        yield f"UPDATE {{s}}.Orders SET PlacedAt = {self._moment()} WHERE OrderNo = {self._existing()}"

    def _partition_emptied(self) -> Iterator[str]:
        yield f"DELETE FROM {{s}}.Orders WHERE OrderNo / 100 = {self.dice.choice((0, 1, 2))}"

    def _order_without_date(self) -> Iterator[str]:
        yield f"UPDATE {{s}}.Orders SET PlacedAt = NULL WHERE OrderNo = {self._existing()}"

    def _boundary_split(self) -> Iterator[str]:
        yield "ALTER PARTITION SCHEME ps_{s} NEXT USED [PRIMARY]"
        day = self.dice.randint(2, 27)
        yield f"ALTER PARTITION FUNCTION pf_{{s}}() SPLIT RANGE ('2026-02-{day:02d}T00:00:00')"

    def _later(self) -> str:
        self.changed += timedelta(hours=1)
        return self.changed.isoformat()

    def _version(self) -> Iterator[str]:
        key, at = self.dice.choice((1, 2, self._next())), self._later()
        yield (
            f"UPDATE {{s}}.Customers SET EndDate = '{at}', IsLatest = 0, Changed = '{at}.0000001' "
            f"WHERE CustomerNo = {key} AND IsLatest = 1"
        )
        yield self._insert(key, at, f"{at}.0000002")

    def _late_version(self) -> Iterator[str]:
        """A transaction that began before the last one and commits after it."""
        late = (self.changed - timedelta(seconds=60)).isoformat()
        yield self._insert(self._next(), self.changed.isoformat(), f"{late}.{self._next():07d}")

    def _version_removed(self) -> Iterator[str]:
        yield f"DELETE FROM {{s}}.Customers WHERE CustomerNo = {self.dice.choice((1, 2))} AND IsLatest = 0"

    def _version_replaced(self) -> Iterator[str]:
        """As many are gone as came: only keys tell."""
        yield f"DELETE FROM {{s}}.Customers WHERE CustomerNo = {self.dice.choice((1, 2))} AND IsLatest = 1"
        at = self._later()
        yield self._insert(self._next(), at, f"{at}.0000003")

    @staticmethod
    def _insert(key: int, since: str, changed: str) -> str:
        return (
            "INSERT INTO {s}.Customers (CustomerNo, EffectiveDate, EndDate, IsLatest, Name, Changed) "
            f"VALUES ({key}, '{since}', NULL, 1, N'Ω {key}', '{changed}')"
        )

    def _country_edited(self) -> Iterator[str]:
        yield f"UPDATE {{s}}.Countries SET Area = {self._next()} WHERE Code = '{self.dice.choice(('CH', 'FR', 'JP'))}'"

    def _country_added(self) -> Iterator[str]:
        code = chr(65 + self._next() % 26) + chr(65 + self._next() // 26 % 26)
        yield f"DELETE FROM {{s}}.Countries WHERE Code = '{code}'"
        yield f"INSERT INTO {{s}}.Countries (Code, Name, Area) VALUES ('{code}', N'ünd', NULL)"

    def _country_removed(self) -> Iterator[str]:
        yield f"DELETE FROM {{s}}.Countries WHERE Code = '{self.dice.choice(('CH', 'FR', 'JP'))}'"

    def _countries_swapped(self) -> Iterator[str]:
        """Sums over single columns stay the same."""
        yield (
            "UPDATE {s}.Countries SET Area = CASE Code WHEN 'FR' THEN 377975 ELSE 643801 END WHERE Code IN ('FR', 'JP')"
        )


# ---- faults ----------------------------------------------------------------------------------------------------------


def _fault(dice: random.Random) -> Fault:
    skip, times = dice.choice((0, 0, 0, 0, 1, 1, 2, 4)), dice.choice((1, 1, 1, 2, 3, 6))
    if dice.random() < 0.2:
        at_connection: Action = dice.choice(
            (
                ResetAtAccept(),
                BreakTls("garbage"),
                BreakTls("close"),
                RefuseLogin(18456),
                RefuseLogin(40613),
                RefuseLogin(18401),
                RefuseLogin(4060),
            )
        )
        return Fault(at_connection, Where(skip=skip, times=times))
    if dice.random() < 0.12:
        return Fault(Tear(dice.choice((-1, -1, 1))), Where(pattern=ROWS_OF, skip=min(skip, 3), times=times))
    if dice.random() < 0.05:
        return Fault(Miscount(dice.choice((-3, 1, 5))), Where(times=None))
    table = dice.choice((None, None, *TABLES))
    kind = "select" if table else dice.choice((None, "select", "select", "commit", "set"))
    if dice.random() < 0.3:
        return Fault(_at_statement(dice), Where(probability=0.15, times=None, kind=kind, table=table))
    return Fault(_at_statement(dice), Where(kind=kind, table=table, skip=skip, times=times))


def _at_statement(dice: random.Random) -> Action:
    rows = dice.choice((None, None, 0, 1, 3, 6))
    number = dice.choice((1205, 1205, 1222, 3960, 3961, 3966, 40501, 10928, 40613, 40197, 701, 601, 8645, 49918))
    ways: tuple[Action, ...] = (
        Fail(number, rows=rows),
        Fail(number, rows=rows),
        Drop(dice.choice(("before", "after")), rows=rows, how=dice.choice(("reset", "close"))),
        Drop(bytes=dice.choice((1, 40, 300, 2000)), how=dice.choice(("reset", "close"))),
        Stall(dice.choice((0.02, 0.1)), rows=rows),
        Drip(20_000),
        Failover(dice.choice((1, 2, 5))),
    )
    if dice.random() < 0.03:
        return Stall(rows=rows)
    return dice.choice(ways)


def _trouble(dice: random.Random) -> Trouble:
    if dice.random() < 0.5:
        return Trouble("disk", dice.randint(1, 14), after=dice.random() < 0.5)
    return Trouble(dice.choice(("ledger", "warehouse")), dice.randint(1, 9), dice.choice((0.1, 3.0)))
