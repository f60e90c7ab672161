"""Sessions that are used again: which, by whom, until when."""

from __future__ import annotations

import os
import threading

import pytest

from dltsync_core.connect.pool import SessionPool
from dltsync_core.errors import QueryError, ServerUnreachable


class Session:
    def __init__(self, number: int) -> None:
        self.number = number
        self.reusable = True
        self.closed = False
        self.ended = False

    def close(self) -> None:
        self.closed = True
        if self.ended:
            raise ServerUnreachable("it ended long ago")


class Server:
    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.down = False

    def connect(self) -> Session:
        if self.down:
            raise ServerUnreachable("down")
        self.sessions.append(Session(len(self.sessions) + 1))
        return self.sessions[-1]

    @property
    def open_sessions(self) -> list[int]:
        return [session.number for session in self.sessions if not session.closed]


def number_of(session: Session) -> int:
    if session.ended:
        raise ServerUnreachable("the connection broke")
    return session.number


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def pool(server: Server) -> SessionPool[Session]:
    return SessionPool(server.connect)


def used(pool: SessionPool[Session]) -> int:
    session, number = pool.take(number_of)
    pool.give_back(session)
    return number


def test_one_session_serves_one_use_after_another(pool: SessionPool[Session], server: Server) -> None:
    with pool.kept_open():
        assert [used(pool) for _ in range(5)] == [1] * 5
        assert server.open_sessions == [1]
    assert server.open_sessions == []


def test_a_session_has_one_user_at_a_time(pool: SessionPool[Session], server: Server) -> None:
    with pool.kept_open():
        first, second = pool.take(number_of)[0], pool.take(number_of)[0]
        assert first is not second
        pool.give_back(second)
        pool.give_back(first)
        assert len(server.sessions) == 2
    assert server.open_sessions == []


def test_many_threads_log_in_once_each_at_most(pool: SessionPool[Session], server: Server) -> None:
    in_use: set[int] = set()
    shared: list[int] = []

    def work() -> None:
        for _ in range(200):
            session, number = pool.take(number_of)
            if number in in_use:
                shared.append(number)
            in_use.add(number)
            in_use.discard(number)
            pool.give_back(session)

    with pool.kept_open():
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.sessions) <= 4
    assert shared == []
    assert server.open_sessions == []


def test_outside_of_the_block_every_use_has_its_own(pool: SessionPool[Session], server: Server) -> None:
    assert [used(pool), used(pool)] == [1, 2]
    assert server.open_sessions == []


def test_what_comes_back_after_the_block_is_closed(pool: SessionPool[Session], server: Server) -> None:
    with pool.kept_open():
        session, _ = pool.take(number_of)
    pool.give_back(session)
    assert server.open_sessions == []


def test_the_last_of_several_blocks_closes_what_is_idle(pool: SessionPool[Session], server: Server) -> None:
    with pool.kept_open():
        with pool.kept_open():
            used(pool)
        assert server.open_sessions == [1]
    assert server.open_sessions == []


def test_after_an_error_a_session_is_not_used_again(pool: SessionPool[Session], server: Server) -> None:
    with pool.kept_open():
        session, _ = pool.take(number_of)
        session.reusable = False
        pool.give_back(session)
        assert session.closed
        assert used(pool) == 2


def test_a_session_whose_first_statement_fails_is_closed(pool: SessionPool[Session], server: Server) -> None:
    def refused(session: Session) -> None:
        raise QueryError("no")

    with pool.kept_open():
        with pytest.raises(QueryError):
            pool.take(refused)
        assert server.open_sessions == []


def test_idle_sessions_that_ended_at_the_server_are_replaced_at_once(
    pool: SessionPool[Session], server: Server
) -> None:
    with pool.kept_open():
        sessions = [pool.take(number_of)[0] for _ in range(3)]
        for session in sessions:
            pool.give_back(session)
            session.ended = True
        assert used(pool) == 4
        assert server.open_sessions == [4]


def test_a_server_that_is_down_is_an_error_after_all(pool: SessionPool[Session], server: Server) -> None:
    with pool.kept_open():
        session, _ = pool.take(number_of)
        pool.give_back(session)
        session.ended = server.down = True
        with pytest.raises(ServerUnreachable, match="down"):
            used(pool)
        server.down = False
        assert used(pool) == 2


def test_a_forked_child_leaves_the_parents_sessions_alone(
    pool: SessionPool[Session], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pool.kept_open():
        assert used(pool) == 1
        monkeypatch.setattr(os, "getpid", lambda: -1)
        assert used(pool) == 2
        assert server.open_sessions == [1], "the child keeps none open unless it says so itself"
        with pool.kept_open():
            assert [used(pool), used(pool)] == [3, 3]
        assert server.open_sessions == [1]
