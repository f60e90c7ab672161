"""Ctrl-C while a connection is opened ends the run as an interrupt does, and is no error of the server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dltsync_core.config import DatabaseConfig
from dltsync_core.connect import control

DATABASE = DatabaseConfig(server="interrupted.example", database="Shop", username="reader", password="secret")


def opened_by(monkeypatch: pytest.MonkeyPatch, cause: BaseException | None) -> None:
    def connect(*_: Any, **__: Any) -> None:
        # What the interpreter makes of a C function that returns a value although a signal's handler raised.
        raise SystemError("<built-in function connect> returned a result with an exception set") from cause

    monkeypatch.setattr(control, "load_pyodbc", lambda: SimpleNamespace(connect=connect, Error=OSError))
    monkeypatch.setattr(control, "find_driver", lambda name: "driver")
    control.open_control_session(DATABASE)


def test_an_interrupt_while_pyodbc_connects_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        opened_by(monkeypatch, KeyboardInterrupt())


def test_another_fault_of_the_driver_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemError, match="with an exception set"):
        opened_by(monkeypatch, None)
