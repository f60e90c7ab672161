"""The faults of one connection: what its transport, its login and its statements ask before they go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

import pyarrow as pa

from sqlserver_sandbox.faults.injector import Injector
from sqlserver_sandbox.faults.messages import sql_error
from sqlserver_sandbox.faults.plan import (
    BreakTls,
    Drip,
    Drop,
    Fail,
    Failover,
    Miscount,
    RefuseLogin,
    ResetAtAccept,
    Stall,
    Tear,
)
from sqlserver_sandbox.faults.plan_json import PlanError, parse_plan
from sqlserver_sandbox.model import Cancelled, Occasion, SqlError
from sqlserver_sandbox.wire.transport import ConnectionLost

AtStatement: TypeAlias = Fail | Drop | Stall | Drip | Failover | Tear
AT_STATEMENTS: tuple[type[AtStatement], ...] = (Fail, Drop, Stall, Drip, Failover, Tear)
WRONG_PLAN = 50000


class Line(Protocol):
    """What a connection's faults do to its bytes."""

    def break_off(self, how: str) -> None: ...

    def after_bytes(self, count: int, then: Callable[[], None]) -> None:
        """Let `count` bytes more through, then do that."""
        ...

    def slow_down(self, bytes_per_second: int | None) -> None: ...


class ConnectionFaults:
    """Implements `model.Interference`. All but `cancel`, `break_off`, `let_go` and `left` belong to the connection's thread."""

    def __init__(self, injector: Injector, number: int) -> None:
        self.number = number
        self.application = ""
        self.exempt = False
        """Whether this connection sets plans: nothing goes wrong on it."""
        self._injector = injector
        self._line: Line | None = None
        self._flush: Callable[[], None] = lambda: None
        self._login, self._spid, self._server = "", 0, ""
        self._now: AtStatement | None = None
        self._state = threading.Condition()
        self._cancelled = False
        self._gone = False
        self._epoch = 0

    # ---- the connection ----------------------------------------------------------------------------------------------
    def attach(self, line: Line) -> None:
        self._line = line

    def deliver_with(self, flush: Callable[[], None]) -> None:
        """How the rows that were written so far are sent."""
        self._flush = flush

    def is_reset_at_accept(self) -> bool:
        return self._injector.decide(self, Occasion("accept"), (ResetAtAccept,)) is not None

    def tls_trouble(self) -> str | None:
        """How the handshake is to fail, if it is."""
        found = self._injector.decide(self, Occasion("tls"), (BreakTls,))
        return None if found is None else found.how

    def before_login(self, *, user: str, database: str, application: str, server: str) -> None:
        """Raises the SqlError that the login is refused with."""
        self.application, self._login, self._server = application, user, server
        occasion = Occasion("login", user, database or "master")
        refused = self._injector.decide(self, occasion, (RefuseLogin,)) or self._injector.login_after_failover(self)
        if refused is not None:
            raise self._error(refused.number, refused.message, occasion)

    def logged_in(self, spid: int) -> None:
        self._spid = spid

    def break_off(self, how: str) -> None:
        """End the connection as a network does. May be called from any thread."""
        if self._line is not None:
            self._line.break_off(how)
        self.left()

    def left(self) -> None:
        """The client is gone: nothing waits any longer."""
        with self._state:
            self._gone = True
            self._state.notify_all()

    def let_go(self) -> None:
        """End what stalls or drips."""
        if self._line is not None:
            self._line.slow_down(None)
        with self._state:
            self._epoch += 1
            self._state.notify_all()

    def close(self) -> None:
        self._injector.forget(self)

    # ---- statements --------------------------------------------------------------------------------------------------
    def before(self, occasion: Occasion) -> None:
        """Decide what happens to this statement, and do what happens before it. Raises what that is."""
        self._now = now = self._injector.decide(self, occasion, AT_STATEMENTS, with_rows=occasion.kind == "select")
        if isinstance(now, Fail) and now.rows is None:
            raise self._failure(now, occasion)
        if isinstance(now, Drop) and now.rows is None and now.when == "before":
            self._drop_or_count(now)
        elif isinstance(now, Stall) and now.rows is None:
            self._stall_or_count(now)
        elif isinstance(now, Drip) and self._line is not None:
            self._line.slow_down(now.bytes_per_second)
        elif isinstance(now, Failover):
            self._injector.fail_over(now.logins)
            raise ConnectionLost("a fault: failover")

    def after(self) -> None:
        """The statement took effect; nothing of a small answer was sent yet."""
        now, self._now = self._now, None
        if isinstance(now, Drop) and now.when == "after" and now.rows is None and now.bytes is None:
            self._drop(now)

    def rows(self, occasion: Occasion, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The statement's rows, with what happens to them."""
        now = self._now
        if isinstance(now, Tear):
            return _torn(batches, now.rows)
        if isinstance(now, (Fail, Drop, Stall)) and now.rows is not None:
            return self._until(now.rows, batches, lambda: self._among_rows(now, occasion))
        return batches

    def counted(self, database: str, table: str, counts: list[int]) -> list[int]:
        """What the catalogue says of a table's rows."""
        occasion = Occasion("select", "catalogue", database, frozenset({table}))
        wrong = self._injector.decide(self, occasion, (Miscount,))
        return counts if wrong is None else [max(count + wrong.rows, 0) for count in counts]

    def cancel(self) -> None:
        with self._state:
            self._cancelled = True
            self._state.notify_all()

    def control(self, plan: str | None) -> list[tuple[int, str, int, str]]:
        """What went wrong so far, after which the plan (if there is one) begins. From now on this connection is spared."""
        if not self._injector.settable:
            raise SqlError(2812, "Could not find stored procedure 'sandbox_faults'.", state=62)
        self.exempt = True
        try:
            fired = self._injector.fired if plan is None else self._injector.set_plan(parse_plan(plan))
        except PlanError as error:
            raise SqlError(WRONG_PLAN, f"sandbox_faults: {error}") from error
        return [(f.fault, f.do, f.connection, f.at[:4000]) for f in fired]

    # ---- acts --------------------------------------------------------------------------------------------------------
    def wait(self, seconds: float | None, *, deaf: bool = False) -> None:
        """Do nothing. Raises Cancelled when the client asks for that, ConnectionLost when it is gone."""
        with self._state:
            self._cancelled, epoch = False, self._epoch
            self._state.wait_for(lambda: self._gone or self._epoch != epoch or (self._cancelled and not deaf), seconds)
            if self._gone:
                raise ConnectionLost("the client left while a fault held its answer")
            if self._cancelled and not deaf:
                raise Cancelled

    def _drop_or_count(self, now: Drop) -> None:
        if now.bytes is None or self._line is None:
            self._drop(now)
        else:
            self._line.after_bytes(now.bytes, lambda: self._drop(now))

    def _stall_or_count(self, now: Stall) -> None:
        if now.bytes is None or self._line is None:
            self.wait(now.seconds, deaf=now.deaf)
        else:
            self._line.after_bytes(now.bytes, lambda: self._hold(now))

    def _hold(self, now: Stall) -> None:
        """In the middle of an answer a cancel ends the waiting only: what was begun to be sent must be sent whole."""
        try:
            self.wait(now.seconds, deaf=now.deaf)
        except Cancelled:
            return

    def _drop(self, now: Drop) -> None:
        self.break_off(now.how)
        raise ConnectionLost(f"a fault: {now.how}")

    def _among_rows(self, now: Fail | Drop | Stall, occasion: Occasion) -> None:
        if isinstance(now, Fail):
            raise self._failure(now, occasion)
        self._flush()
        if isinstance(now, Drop):
            self._drop(now)
        else:
            self.wait(now.seconds, deaf=now.deaf)

    def _until(
        self, count: int, batches: Iterator[pa.RecordBatch], then: Callable[[], None]
    ) -> Iterator[pa.RecordBatch]:
        """Rows, and what happens after `count` of them, or after the last when there are fewer."""
        left = count
        for batch in batches:
            if left >= batch.num_rows:
                left -= batch.num_rows
                yield batch
                continue
            if left:
                yield batch.slice(0, left)
            then()
            yield batch.slice(left)
            yield from batches
            return
        then()

    def _failure(self, now: Fail, occasion: Occasion) -> SqlError:
        return self._error(now.number, now.message, occasion, severity=now.severity, state=now.state)

    def _error(
        self, number: int, message: str | None, occasion: Occasion, *, severity: int | None = None, state: int = 1
    ) -> SqlError:
        return sql_error(
            number,
            message=message,
            severity=severity,
            state=state,
            spid=self._spid,
            login=self._login,
            database=occasion.database,
            table=next(iter(sorted(occasion.tables)), ""),
            server=self._server,
        )


def connect(injector: Injector) -> ConnectionFaults:
    """The faults of the server's next connection."""
    return injector.admit(lambda number: ConnectionFaults(injector, number))


def _torn(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Without the first rows, or with the first row again so many times."""
    left = rows
    for batch in batches:
        if left > 0 and batch.num_rows:
            for _ in range(left):
                yield batch.slice(0, 1)
            left = 0
        away = min(-left, batch.num_rows) if left < 0 else 0
        left += away
        yield batch.slice(away)
