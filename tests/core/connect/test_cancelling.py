"""A statement is cancelled by one thread while another one gives it up."""

from __future__ import annotations

import threading
from types import ModuleType, SimpleNamespace
from typing import Any

from dltsync_core.config import DatabaseConfig
from dltsync_core.connect.data import DataSession


class Handle:
    """A driver's statement whose cancel is slow to return."""

    def __init__(self) -> None:
        self.cancelling = threading.Event()
        self.let_go = threading.Event()

    def _cancel(self) -> None:
        self.cancelling.set()
        self.let_go.wait(10)
        self.cancelling.clear()


class Cursor:
    def __init__(self) -> None:
        self.hstmt: Handle | None = Handle()
        self.closed = False
        self.freed_under_a_cancel = False

    def close(self) -> None:
        assert self.hstmt is not None
        self.freed_under_a_cancel = self.hstmt.cancelling.is_set()
        self.hstmt, self.closed = None, True


def test_a_statement_is_not_freed_under_its_cancel() -> None:
    """ODBC drivers then use freed memory, and the process is gone without a word."""
    cursor = Cursor()
    handle = cursor.hstmt
    assert handle is not None
    connection: Any = SimpleNamespace(cursor=lambda: cursor)
    module = ModuleType("driver")
    module.Error, module.Warning = RuntimeError, RuntimeWarning  # type: ignore[attr-defined]
    session = DataSession(module, connection, DatabaseConfig(server="s", database="d", username="u", password="p"))
    rows = session.rows("SELECT 1", (), "reading")

    cancel = threading.Thread(target=rows.cancel)
    cancel.start()
    assert handle.cancelling.wait(10)
    close = threading.Thread(target=rows.close)
    close.start()
    close.join(0.2)
    assert close.is_alive()
    handle.let_go.set()
    for thread in (cancel, close):
        thread.join(10)
    assert cursor.closed
    assert not cursor.freed_under_a_cancel
    rows.cancel()  # finds nothing to cancel
