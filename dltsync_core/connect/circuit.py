"""A circuit breaker per server, for the whole process: units of a run do not all try a server that is down.

While it is closed, connections go through. After ten failures in a row it opens: for a pause every attempt fails at once
without a connection. Then one caller may try (half open): success closes the circuit, failure opens it for another pause.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.connect.connection_string import address_of
from dltsync_core.errors import CircuitOpen, LoginFailed, ServerUnreachable, SyncError

log = logging.getLogger("dltsync.connect")

FAILURES_TO_OPEN = 10
"""In a row. More than the attempts of a few workers during one failover, far fewer than those of a run of hundreds of units.
A refused login counts as well: servers lock accounts after a few of them."""
PAUSE_SECONDS = 30.0
"""Seconds for which an open circuit refuses all attempts."""


@dataclass(frozen=True)
class Circuit:
    """The state: failures in a row, since when it is open (None: closed), and since when a caller tries (None: no caller)."""

    failures: int = 0
    opened_at: float | None = None
    trying_since: float | None = None

    @property
    def is_closed(self) -> bool:
        return self.opened_at is None


@dataclass(frozen=True)
class Go:
    """Try to connect, and report the outcome."""


@dataclass(frozen=True)
class Wait:
    """Do not try for `seconds` more."""

    seconds: float


CircuitDecision: TypeAlias = Go | Wait


def request_attempt(circuit: Circuit, now: float, pause: float = PAUSE_SECONDS) -> tuple[Circuit, CircuitDecision]:
    """A caller wants to connect. An attempt without a reported outcome expires after another pause."""
    if circuit.opened_at is None:
        return circuit, Go()
    left = circuit.opened_at + pause - now
    if left > 0:
        return circuit, Wait(left)
    if circuit.trying_since is not None and now < circuit.trying_since + pause:
        return circuit, Wait(circuit.trying_since + pause - now)
    return replace(circuit, trying_since=now), Go()


def succeeded(circuit: Circuit) -> Circuit:
    """A connection was made."""
    return Circuit()


def failed(circuit: Circuit, now: float, threshold: int = FAILURES_TO_OPEN) -> Circuit:
    """A connection was not made."""
    failures = circuit.failures + 1
    if failures < threshold and circuit.opened_at is None:
        return Circuit(failures)
    return Circuit(failures, opened_at=now)


def abandoned(circuit: Circuit) -> Circuit:
    """The attempt ended for a reason that does not concern the server."""
    return replace(circuit, trying_since=None)


class Breaker:
    """The circuit of one server, for any number of threads. `now` is a clock that never goes back."""

    def __init__(self, server: str, now: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._now = now
        self._lock = threading.Lock()
        self._circuit = Circuit()
        self._last = ""

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Connect inside the block. Raises CircuitOpen without entering it while the circuit is open."""
        with self._lock:
            self._circuit, decision = request_attempt(self._circuit, self._now())
            if isinstance(decision, Wait):
                raise self._open_error(decision.seconds)
        try:
            yield
        except (ServerUnreachable, LoginFailed) as error:
            self._record_failure(error)
            raise
        except BaseException:
            with self._lock:
                self._circuit = abandoned(self._circuit)
            raise
        with self._lock:
            was_closed = self._circuit.is_closed
            self._circuit = succeeded(self._circuit)
        if not was_closed:
            log.warning("%s answers again", self._server)

    def _record_failure(self, error: SyncError) -> None:
        with self._lock:
            was_closed = self._circuit.is_closed
            self._circuit = failed(self._circuit, self._now())
            self._last = error.problem
            failures, is_open = self._circuit.failures, not self._circuit.is_closed
        if was_closed and is_open:
            log.warning(
                "%s: %d connections failed in a row; none is tried for %.0f s: %s",
                self._server,
                failures,
                PAUSE_SECONDS,
                error.problem,
            )

    def _open_error(self, seconds: float) -> CircuitOpen:
        return CircuitOpen(
            f"{self._server}: {self._circuit.failures} connections failed in a row, so none is tried for another "
            f"{max(seconds, 1):.0f} s; the last error: {self._last}",
            remedy="correct the cause of the last error, then run again",
            server=self._server,
        )


_breakers: dict[tuple[str, str, str], Breaker] = {}
_breakers_lock = threading.Lock()


def circuit_of(database: DatabaseConfig) -> Breaker:
    """The breaker of this server, database and login, the same one for the whole process."""
    key = (database.address.casefold(), database.database, database.username or "")
    with _breakers_lock:
        if key not in _breakers:
            _breakers[key] = Breaker(address_of(database).server)
        return _breakers[key]
