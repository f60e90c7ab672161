"""What is looked up of a server that was not reached, and what is told of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dltsync_core.connect import reachability as reach
from dltsync_core.connect.connection_advice import Route, advice, needs_reachability_check
from dltsync_core.connect.reachability import Reach, ReachResult, check_reachability

HERE = "127.0.0.1"


@contextmanager
def browser(answer: bytes | None) -> Iterator[tuple[int, list[bytes]]]:
    """A SQL Server Browser on loopback: its port, and what it was asked. None: it says nothing."""
    asked: list[bytes] = []
    with socket.socket(type=socket.SOCK_DGRAM) as listening:
        listening.bind((HERE, 0))

        def serve() -> None:
            try:
                question, sender = listening.recvfrom(100)
            except OSError:
                return
            asked.append(question)
            if answer is not None:
                listening.sendto(b"\x05" + len(answer).to_bytes(2, "little") + answer, sender)

        threading.Thread(target=serve, daemon=True).start()
        yield int(listening.getsockname()[1]), asked


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HERE, 0))
        return int(free.getsockname()[1])


def test_the_steps_of_a_plain_port() -> None:
    with socket.create_server((HERE, 0)) as server:
        port = server.getsockname()[1]
        assert check_reachability(HERE, port, None) == ReachResult(Reach.OPEN, port)
    assert check_reachability(HERE, port, None) == ReachResult(Reach.REFUSED, port)
    assert check_reachability("nonexistent.invalid", 1433, None) == ReachResult(Reach.NAME_UNKNOWN)
    assert check_reachability("a" * 70 + ".example", 1433, None) == ReachResult(
        Reach.NAME_UNKNOWN
    )  # no name that DNS could carry


def test_a_port_that_drops_what_comes_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropped(address: tuple[str, int], timeout: float) -> socket.socket:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", dropped)
    assert check_reachability(HERE, 1433, None) == ReachResult(Reach.SILENT, 1433)


def test_a_port_that_resets_what_it_accepted_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was called silent: the advice was to switch the machine on."""

    def reset(address: tuple[str, int], timeout: float) -> socket.socket:
        raise ConnectionResetError

    monkeypatch.setattr(socket, "create_connection", reset)
    assert check_reachability(HERE, 1433, None) == ReachResult(Reach.OPEN, 1433)


def test_an_instance_is_asked_of_the_browser() -> None:
    with socket.create_server((HERE, 0)) as server:
        port = server.getsockname()[1]
        said = f"ServerName;DB;InstanceName;ONE;IsClustered;No;Version;16.0.1000.6;tcp;{port};;".encode()
        with browser(said) as (at, asked):
            assert check_reachability(HERE, 1433, "ONE", browser_port=at) == ReachResult(Reach.OPEN, port)
        assert asked == [b"\x04ONE\0"]
    with browser(said) as (at, _):
        assert check_reachability(HERE, 1433, "ONE", browser_port=at) == ReachResult(Reach.REFUSED, port)
    with browser(b"ServerName;DB;InstanceName;ONE;IsClustered;No;Version;16.0;np;\\\\DB\\pipe;;") as (at, _):
        assert check_reachability(HERE, 1433, "ONE", browser_port=at) == ReachResult(Reach.NO_TCP)


def test_a_browser_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "STEP_SECONDS", 0.05)
    with browser(None) as (at, asked):
        assert check_reachability(HERE, 1433, "NOPE", browser_port=at) == ReachResult(Reach.NO_BROWSER)
    assert asked == [b"\x04NOPE\0"]
    assert check_reachability(HERE, 1433, "NOPE", browser_port=_free_port()) == ReachResult(Reach.NO_BROWSER)


@pytest.mark.parametrize(
    ("message", "number", "route", "reached", "happened", "remedy"),
    [
        (
            "Login timeout expired",
            None,
            Route("h", 1433),
            ReachResult(Reach.SILENT, 1433),
            "no answer from port 1433",
            "firewall",
        ),
        (
            "Login timeout expired",
            None,
            Route("h", 1),
            ReachResult(Reach.REFUSED, 1),
            "nothing listens at port 1",
            "TCP/IP",
        ),
        (
            "x",
            None,
            Route("h", 1433, "I"),
            ReachResult(Reach.REFUSED, 50123),
            "nothing listens at port 50123",
            "TCP/IP",
        ),
        ("x", None, Route("h", 1433, "I"), ReachResult(Reach.NO_TCP), "does not listen on TCP", "enable TCP/IP"),
        ("TCP Provider: Error code 0x2AF9", 11001, Route("h", 1433), None, "the name h has no address", "DNS"),
        ("TCP Provider: Error code 0x274D", 10061, Route("h", 1433), None, "refused", "database.port"),
        (
            "SSL Provider: [error:0A000102:SSL routines::unsupported protocol]",
            None,
            Route("h", 1433),
            None,
            "no TLS version and cipher in common",
            "TLS 1.2",
        ),
        (
            "SSL Provider: [error:0A00010B::wrong version number]",
            None,
            Route("h", 1, None, "strict"),
            None,
            "strict",
            "2022",
        ),
    ],
)
def test_each_end_of_a_way_has_its_advice(
    message: str, number: int | None, route: Route, reached: ReachResult | None, happened: str, remedy: str
) -> None:
    told = advice(message, number, route, reached)
    assert told is not None
    assert happened in told.happened
    assert remedy in told.remedy


def test_only_what_the_driver_leaves_open_is_looked_up() -> None:
    assert needs_reachability_check("Login timeout expired", None)
    assert needs_reachability_check("TCP Provider: Timeout error [258]. ", None)
    assert needs_reachability_check(
        "SQL Server Network Interfaces: Error Locating Server/Instance Specified [xFFFFFFFF]. ", None
    )
    assert needs_reachability_check(
        "TCP Provider: Error code 0x2749", 10057
    )  # a refused port, and perhaps other things
    assert not needs_reachability_check("TCP Provider: Error code 0x274D", 10061)
    assert not needs_reachability_check("TCP Provider: Error code 0x2AF9", 11001)
    assert not needs_reachability_check("TCP Provider: Error code 0x2746", 10054)
    assert advice("something else", None, Route("h", 1433), None) is None
