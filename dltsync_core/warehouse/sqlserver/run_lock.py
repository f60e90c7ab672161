"""A lock that says that loads of this process are still being validated: it ends with the process, whatever ends it.

The rows that a load replaced stay in staging until the load was validated. Another run must not take them for those of a dead
run meanwhile, and no lock of the target is held then: units of one table are loaded while others are validated.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from dltsync_core.config import DatabaseConfig
from dltsync_core.connect.control import control_session
from dltsync_core.errors import SyncError, WarehouseBusy
from dltsync_core.tsql.warehouse.locks import take_session_lock


def run_resource(token: str) -> str:
    """The name of the application lock of a process."""
    return f"dltsync:run:{token}"


class RunLock:
    """One per warehouse object, for any number of threads. A session of its own is open, and holds the lock, for as long as there
    are loads in it."""

    def __init__(self, database: DatabaseConfig) -> None:
        self.token = uuid.uuid4().hex
        self._database = database
        self._guard = threading.Lock()
        self._loads: set[tuple[str, str]] = set()
        self._stack: ExitStack | None = None

    def add(self, loads: Iterable[tuple[str, str]]) -> None:
        """Loads, as pairs of their marker's id and their own, that are about to be published. Raises what connecting raises."""
        with self._guard:
            added = set(loads)
            if added and self._stack is None:
                self._stack = self._locked()
            self._loads |= added

    def discard(self, loads: Iterable[tuple[str, str]]) -> None:
        """Loads that are settled, or were not published."""
        with self._guard:
            self._loads -= set(loads)
            if not self._loads and self._stack is not None:
                stack, self._stack = self._stack, None
                with suppress(SyncError):  # nothing depends on how the session ends
                    stack.close()

    def _locked(self) -> ExitStack:
        with ExitStack() as stack:
            session = stack.enter_context(control_session(self._database))
            statement = take_session_lock(run_resource(self.token), 0)
            (row,) = session.query(statement.text, (), "taking the lock of this run")
            if int(row["code"]) < 0:
                raise WarehouseBusy("the lock of this run was not granted", remedy="run again")
            return stack.pop_all()
