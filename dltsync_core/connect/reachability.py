"""Which step of a connection fails from this machine: name, port, SQL Server Browser.

Microsoft's driver reports "Login timeout expired" for an unknown name, for a port without a listener and for a port that
a firewall drops (measured with 18.6 under pyodbc). Each has another remedy, so the steps are checked one by one.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from enum import Enum

STEP_SECONDS = 3.0
"""For each step. Longer than a handshake around the world, short beside the time-out before it."""
BROWSER_PORT = 1434
_ASKS_FOR_INSTANCE = b"\x04"
"""CLNT_UCAST_INST of the SQL Server Resolution Protocol (MC-SQLR 2.2.3)."""


class Reach(Enum):
    """The step that failed, or the last one that succeeded."""

    NAME_UNKNOWN = "the name has no address"
    REFUSED = "nothing listens at the port"
    SILENT = "no answer from the port"
    OPEN = "the port accepts connections"
    NO_BROWSER = "SQL Server Browser does not answer"
    NO_TCP = "the instance does not listen on TCP"


@dataclass(frozen=True)
class ReachResult:
    """The result. `port` is the one that was tried, None when there was none to try."""

    reach: Reach
    port: int | None = None


def check_reachability(host: str, port: int, instance: str | None, *, browser_port: int = BROWSER_PORT) -> ReachResult:
    """Try the steps of a connection one by one, without logging in. Raises nothing."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ReachResult(Reach.NAME_UNKNOWN)
    if instance is None:
        return ReachResult(_of_port(host, port), port)
    answer = _browser(found[0][4][0], found[0][0], instance, browser_port)
    if answer is None:
        return ReachResult(Reach.NO_BROWSER)
    listening = re.search(r";tcp;(\d{1,5})(?:;|$)", answer, re.IGNORECASE)
    if listening is None:
        return ReachResult(Reach.NO_TCP)
    return ReachResult(_of_port(host, int(listening[1])), int(listening[1]))


def _of_port(host: str, port: int) -> Reach:
    try:
        socket.create_connection((host, port), timeout=STEP_SECONDS).close()
    except ConnectionRefusedError:
        return Reach.REFUSED
    except ConnectionResetError:  # by whoever accepted it
        return Reach.OPEN
    except (OSError, OverflowError):
        return Reach.SILENT
    return Reach.OPEN


def _browser(address: str | int, family: int, instance: str, port: int) -> str | None:
    """The answer of SQL Server Browser for an instance; None without an answer, as for an instance that it does not know."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.settimeout(STEP_SECONDS)
            asking.connect((str(address), port))
            asking.send(_ASKS_FOR_INSTANCE + instance.encode("ascii", "replace") + b"\0")
            return asking.recv(4096)[3:].decode("ascii", "replace")
    except OSError:
        return None
