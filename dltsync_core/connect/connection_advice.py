"""The cause of a failed connection, and the remedy, by the step that failed. Pure.

Facts of the drivers (18.6, measured on loopback): pyodbc reports HYT00 "Login timeout expired" for everything before the port
answers; mssql-python names the operating system's number, in hexadecimal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dltsync_core.connect.reachability import Reach, ReachResult

_TIMED_OUT = re.compile(r"login timeout expired|timeout error|Error Locating Server/Instance", re.IGNORECASE)
_CLOSED = re.compile(r"error code 0x2746\b|handshakes before login|forcibly closed|reset by peer", re.IGNORECASE)
_NO_ENCRYPTION = re.compile(r"encryption not supported", re.IGNORECASE)
_TLS = re.compile(r"SSL Provider|SSL routines|TLS|handshake failure", re.IGNORECASE)

NAME_UNKNOWN, REFUSED, TIMED_OUT, NOT_CONNECTED, RESET = 11001, 10061, 10060, 10057, 10054
"""Error numbers of Windows Sockets, which the driver uses on Linux too; a refused port is 10057 there (0x2749)."""


@dataclass(frozen=True)
class Route:
    """The target of the connection. `instance` is None for a plain port."""

    host: str
    port: int
    instance: str | None = None
    encrypt: str = "yes"


@dataclass(frozen=True)
class Advice:
    """What happened, and what to do."""

    happened: str
    remedy: str


def needs_reachability_check(message: str, number: int | None) -> bool:
    """Whether the driver's error does not show which step of the connection failed."""
    return number not in (NAME_UNKNOWN, REFUSED) and (
        number in (TIMED_OUT, NOT_CONNECTED) or _TIMED_OUT.search(message) is not None
    )


def advice(message: str, number: int | None, route: Route, reached: ReachResult | None) -> Advice | None:
    """The advice, None when nothing is known beyond the driver's message."""
    if number == NAME_UNKNOWN or (reached is not None and reached.reach is Reach.NAME_UNKNOWN):
        return Advice(
            f"the name {route.host} has no address",
            "check database.server for a typing error, and that this machine's DNS knows the name (a VPN may have to be on): "
            f"getent hosts {route.host}",
        )
    if number == REFUSED or (reached is not None and reached.reach is Reach.REFUSED):
        port = reached.port if reached is not None and reached.port is not None else route.port
        return Advice(
            f"{route.host} refused: nothing listens at port {port}",
            "check database.port (1433 is the default; a named instance has a port of its own), that SQL Server runs, and that "
            "TCP/IP is enabled for it (SQL Server Configuration Manager)",
        )
    if reached is not None:
        return _advice_from_reach(reached, route)
    if route.encrypt == "strict" and (number == RESET or _CLOSED.search(message) or _TLS.search(message)):
        return Advice(
            "the server ended the connection before TLS began, which `encrypt: strict` begins with",
            "SQL Server supports strict from 2022 on, so does Azure SQL: write `encrypt: yes` for an older one; "
            "for a newer one check that the port is SQL Server's and that it has a certificate",
        )
    if _NO_ENCRYPTION.search(message):
        return Advice(
            "the server offers no TLS",
            "give the server a certificate; `encrypt: no` sends rows unencrypted, for a network that you trust",
        )
    if _TLS.search(message):
        return Advice(
            "this machine and the server have no TLS version and cipher in common",
            "the server must offer TLS 1.2 or newer (an old SQL Server or Windows needs an update) with a cipher and a key that "
            "this machine's OpenSSL allows; `encrypt: no` sends rows unencrypted, for a network that you trust",
        )
    if number == RESET or _CLOSED.search(message):
        return Advice(
            f"{route.host} accepted the connection and closed it before the login",
            "check that the port is SQL Server's; a server that is starting or full does so too: see its error log, run again",
        )
    return None


def _advice_from_reach(reached: ReachResult, route: Route) -> Advice:
    if reached.reach is Reach.NO_BROWSER:
        return Advice(
            f"SQL Server Browser at {route.host} (UDP 1434) does not know the instance {route.instance}, or does not answer",
            "write the instance's port instead of its name (`server: HOST`, `port: N`; the server's error log has `Server is "
            "listening on`); or check the name, start SQL Server Browser, and let UDP 1434 through the firewall",
        )
    if reached.reach is Reach.NO_TCP:
        return Advice(
            f"the instance {route.instance} of {route.host} does not listen on TCP",
            "enable TCP/IP for it (SQL Server Configuration Manager) and restart it",
        )
    if reached.reach is Reach.OPEN:
        return Advice(
            f"port {reached.port} of {route.host} accepts connections, and no login was answered",
            "check that the port is SQL Server's"
            + (" and that it is SQL Server 2022 or newer, for `encrypt: strict`" if route.encrypt == "strict" else "")
            + "; a busy server, or a database that has paused, needs a longer connection_timeout; a firewall or proxy on the way "
            "may take connections and end them",
        )
    return Advice(
        f"no answer from port {reached.port} of {route.host}",
        "check server and port, that the machine is on, and that no firewall on the way drops the connection "
        "(a security group, a VPN that is off)",
    )
