"""Work that begins again when a connection to the warehouse breaks: how often, on which session, and with which locks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from dltsync_core.config import DatabaseConfig
from dltsync_core.errors import QueryError, ServerUnreachable
from dltsync_core.warehouse.sqlserver import session as sessions_module
from dltsync_core.warehouse.sqlserver.session import Sessions

LOCK = [("dltsync:1", "sales.Orders")]


class Server:
    """Sessions by their numbers, from 1. `refused` are those that cannot be had; `broken` those whose statements fail."""

    def __init__(self, *, refused: Sequence[int] = (), broken: Sequence[int] = ()) -> None:
        self.refused, self.broken = {*refused}, {*broken}
        self.opened = 0
        self.locked_by: list[int] = []
        self.closed: set[int] = set()

    @contextmanager
    def control_session(self, database: DatabaseConfig) -> Iterator[Session]:
        self.opened += 1
        if self.opened in self.refused:
            raise ServerUnreachable("no connection")
        number = self.opened
        try:
            yield Session(self, number)
        finally:
            self.closed.add(number)


class Session:
    def __init__(self, server: Server, number: int) -> None:
        self.server, self.number = server, number

    def query(self, text: str, parameters: Sequence[object], doing: str) -> list[dict[str, Any]]:
        if self.number in self.server.closed:
            raise QueryError("attempt to use a closed connection")
        if self.number in self.server.broken:
            raise ServerUnreachable("broken")
        if "sp_getapplock" in text:
            self.server.locked_by.append(self.number)
        return [{"code": 0}]


def made(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[Sessions, list[str]]:
    monkeypatch.setattr(sessions_module, "control_session", server.control_session)
    said: list[str] = []
    database = DatabaseConfig(server="db", database="dw", username="u", password="p")
    return Sessions(database, lock_seconds=60, on_wait=said.append), said


def breaking(server: Server, sessions: Sessions, times: int) -> list[int]:
    """Work under which that many sessions break, and the sessions it ran on."""
    ran: list[int] = []

    def work() -> int:
        with sessions.opened() as session:
            number: int = session.number  # type: ignore[attr-defined]
        ran.append(number)
        sessions.remembered[number] = "read"
        assert list(sessions.remembered) == [number], "what was read on another session is not remembered"
        if len(ran) <= times:
            server.broken.add(number)
            raise ServerUnreachable("broken")
        return number

    with suppress(ServerUnreachable):
        sessions.locked_again(LOCK, work, pause=lambda seconds: None)
    return ran


@pytest.mark.parametrize("is_open", [False, True], ids=["a session of its own", "the run's session"])
def test_work_begins_again_on_another_session_with_its_locks(monkeypatch: pytest.MonkeyPatch, is_open: bool) -> None:
    server = Server()
    sessions, said = made(server, monkeypatch)
    if is_open:
        with sessions.opened():
            assert breaking(server, sessions, 2) == [1, 2, 3]
    else:
        assert breaking(server, sessions, 2) == [1, 2, 3]
    assert server.locked_by == [1, 2, 3]
    assert len(said) == 2
    assert server.closed == {1, 2, 3}


def test_a_login_that_fails_in_between_counts_as_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(refused=[2])
    sessions, said = made(server, monkeypatch)
    with sessions.opened():
        assert breaking(server, sessions, 1) == [1, 3]
    assert len(said) == 2


def test_three_attempts_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    sessions, _ = made(server, monkeypatch)
    assert breaking(server, sessions, 9) == [1, 2, 3]


def test_other_errors_are_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, said = made(Server(), monkeypatch)

    def work() -> None:
        raise QueryError("no")

    with pytest.raises(QueryError, match="no"):
        sessions.locked_again(LOCK, work)
    assert said == []
