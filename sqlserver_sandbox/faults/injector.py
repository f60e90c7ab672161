"""Carries a plan out for one server: counts occasions, draws the dice, remembers what happened."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sqlserver_sandbox.faults.plan import Action, Fault, Plan, RefuseLogin, Where
from sqlserver_sandbox.faults.plan_json import NAMES
from sqlserver_sandbox.model import Occasion

UNAVAILABLE = 40613
A = TypeVar("A", bound=Action)


class FaultyConnection(Protocol):
    """What an injector knows of a connection. `exempt`: it sets plans, and nothing goes wrong on it."""

    @property
    def number(self) -> int: ...

    @property
    def application(self) -> str: ...

    @property
    def exempt(self) -> bool: ...

    def let_go(self) -> None:
        """End what stalls or drips."""
        ...

    def break_off(self, how: str) -> None:
        """End the connection as a network does."""
        ...


C = TypeVar("C", bound=FaultyConnection)


@dataclass(frozen=True)
class Firing:
    """One thing that went wrong. `fault` is its place in the plan, from 1; 0 for a login refused after a failover."""

    fault: int
    do: str
    connection: int
    at: str


@dataclass
class _Course:
    """How far one plan has come. Guarded by the injector's lock."""

    plan: Plan
    dice: tuple[random.Random, ...]
    matched: dict[tuple[int, int], int] = field(default_factory=dict)
    hit: dict[tuple[int, int], int] = field(default_factory=dict)
    connections: int = 0
    logins_refused: int = 0
    fired: list[Firing] = field(default_factory=list)

    @staticmethod
    def begin(plan: Plan) -> _Course:
        dice = tuple(random.Random(f"{plan.seed}/{place}") for place in range(len(plan.faults)))  # noqa: S311
        return _Course(plan, dice)


class Injector:
    """The faults of one server. `settable`: whether a client may change the plan with `EXEC sandbox_faults`.

    With a seed the same occasions in the same order meet the same faults; connections at work at the same time have no order.
    """

    def __init__(self, plan: Plan | None = None, *, settable: bool = False) -> None:
        self.settable = settable
        self._lock = threading.Lock()
        self._course = _Course.begin(plan or Plan())
        self._living: set[FaultyConnection] = set()

    def set_plan(self, plan: Plan) -> tuple[Firing, ...]:
        """Begin a new plan; whatever stalls or drips is let go. What went wrong under the old one is returned."""
        with self._lock:
            fired, self._course = tuple(self._course.fired), _Course.begin(plan)
            living = tuple(self._living)
        for connection in living:
            connection.let_go()
        return fired

    @property
    def fired(self) -> tuple[Firing, ...]:
        """What went wrong under this plan, in order."""
        with self._lock:
            return tuple(self._course.fired)

    def admit(self, make: Callable[[int], C]) -> C:
        """The next connection, made with its number."""
        with self._lock:
            self._course.connections += 1
            connection = make(self._course.connections)
            self._living.add(connection)
            return connection

    def forget(self, connection: FaultyConnection) -> None:
        """The connection is over."""
        with self._lock:
            self._living.discard(connection)

    def decide(
        self, connection: FaultyConnection, occasion: Occasion, actions: tuple[type[A], ...], *, with_rows: bool = True
    ) -> A | None:
        """What goes wrong at this occasion: the first of `actions` in the plan that is for it. It counts as having happened.

        An action that is to happen among rows is not for an occasion without any.
        """
        with self._lock:
            course, found = self._course, None
            for place, fault in enumerate(course.plan.faults):
                action = fault.do
                if not isinstance(action, actions) or (getattr(action, "rows", None) is not None and not with_rows):
                    continue
                if self._meets(course, place, fault, connection, occasion, taken=found is not None):
                    found = action
                    at = f"{occasion.kind}: {occasion.text.strip()}"
                    course.fired.append(Firing(place + 1, NAMES[type(action)], connection.number, at))
            return found

    def _meets(
        self,
        course: _Course,
        place: int,
        fault: Fault,
        connection: FaultyConnection,
        occasion: Occasion,
        *,
        taken: bool,
    ) -> bool:
        where = fault.where
        if not _agrees(where, connection, occasion):
            return False
        key = (place, connection.number if where.per_connection else 0)
        course.matched[key] = course.matched.get(key, 0) + 1
        if taken or course.matched[key] <= where.skip:
            return False
        if where.times is not None and course.hit.get(key, 0) >= where.times:
            return False
        if where.probability < 1 and course.dice[place].random() >= where.probability:
            return False
        course.hit[key] = course.hit.get(key, 0) + 1
        return True

    # ---- failover ----------------------------------------------------------------------------------------------------
    def fail_over(self, logins: int) -> None:
        """Break every connection but those that set plans; refuse the next `logins` logins."""
        with self._lock:
            self._course.logins_refused += logins
            living = tuple(self._living)
        for connection in living:
            if not connection.exempt:
                connection.break_off("reset")

    def login_after_failover(self, connection: FaultyConnection) -> RefuseLogin | None:
        """Whether this login still comes too early."""
        with self._lock:
            if not self._course.logins_refused:
                return None
            self._course.logins_refused -= 1
            self._course.fired.append(Firing(0, "failover", connection.number, "login"))
            return RefuseLogin(UNAVAILABLE)


def _agrees(where: Where, connection: FaultyConnection, occasion: Occasion) -> bool:
    if connection.exempt:
        return False
    if where.connection is not None and where.connection != connection.number:
        return False
    if where.kind is not None and where.kind != occasion.kind:
        return False
    if where.database is not None and where.database.lower() != occasion.database.lower():
        return False
    if where.table is not None and not any(_found(where.table, table) for table in occasion.tables):
        return False
    if where.application is not None and not _found(where.application, connection.application):
        return False
    return where.pattern is None or _found(where.pattern, occasion.text)


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None
