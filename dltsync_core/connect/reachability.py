"""How far this machine gets towards a server that no connection was made to: its name, its port, SQL Server Browser.

Microsoft's driver says "Login timeout expired" for a name that nobody knows, for a port at which nobody listens and for one that
a firewall keeps silent about (measured with 18.6 under pyodbc). Each needs something else of a person, so it is looked up.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from enum import Enum

LOOK_SECONDS = 3.0
"""For each step. Longer than a handshake around the world takes, short beside the time-out that came before."""
BROWSER_PORT = 1434
_ASKS_FOR_INSTANCE = b"\x04"
"""CLNT_UCAST_INST of the SQL Server Resolution Protocol (MC-SQLR 2.2.3)."""


class Reach(Enum):
    """The step that failed, or the last one that did not."""

    NAME_UNKNOWN = "the name has no address"
    REFUSED = "nobody listens at the port"
    SILENT = "no answer from the port"
    OPEN = "the port takes connections"
    NO_BROWSER = "SQL Server Browser does not answer"
    NO_TCP = "the instance does not listen on TCP"


@dataclass(frozen=True)
class Looked:
    """What was found. `port` is the one that was tried, None when there was none to try."""

    reach: Reach
    port: int | None = None


def look(host: str, port: int, instance: str | None, *, browser_port: int = BROWSER_PORT) -> Looked:
    """Try the steps of a connection one by one, without logging in. Raises nothing."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Looked(Reach.NAME_UNKNOWN)
    if instance is None:
        return Looked(_of_port(host, port), port)
    answer = _browser(found[0][4][0], found[0][0], instance, browser_port)
    if answer is None:
        return Looked(Reach.NO_BROWSER)
    listening = re.search(r";tcp;(\d{1,5})(?:;|$)", answer, re.IGNORECASE)
    if listening is None:
        return Looked(Reach.NO_TCP)
    return Looked(_of_port(host, int(listening[1])), int(listening[1]))


def _of_port(host: str, port: int) -> Reach:
    try:
        socket.create_connection((host, port), timeout=LOOK_SECONDS).close()
    except ConnectionRefusedError:
        return Reach.REFUSED
    except (OSError, OverflowError):
        return Reach.SILENT
    return Reach.OPEN


def _browser(address: str | int, family: int, instance: str, port: int) -> str | None:
    """What SQL Server Browser says of an instance; None when it says nothing, as it does of one that it does not know."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.settimeout(LOOK_SECONDS)
            asking.connect((str(address), port))
            asking.send(_ASKS_FOR_INSTANCE + instance.encode("ascii", "replace") + b"\0")
            return asking.recv(4096)[3:].decode("ascii", "replace")
    except OSError:
        return None
