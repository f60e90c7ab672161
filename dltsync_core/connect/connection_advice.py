"""What to tell of a server that did not let us connect, by what happened on the way. Pure.

Facts of the drivers (18.6, measured on loopback): pyodbc says HYT00 "Login timeout expired" for everything before the port
answers; mssql-python names the operating system's number, in hexadecimal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dltsync_core.connect.reachability import Looked, Reach

_TIMED_OUT = re.compile(r"login timeout expired|timeout error|Error Locating Server/Instance", re.IGNORECASE)
_CLOSED = re.compile(r"error code 0x2746\b|handshakes before login|forcibly closed|reset by peer", re.IGNORECASE)
_NO_ENCRYPTION = re.compile(r"encryption not supported", re.IGNORECASE)
_TLS = re.compile(r"SSL Provider|SSL routines|TLS|handshake failure", re.IGNORECASE)

NAME_UNKNOWN, REFUSED, TIMED_OUT, NOT_CONNECTED, RESET = 11001, 10061, 10060, 10057, 10054
"""Of Windows Sockets, which the driver speaks on Linux too; a refused port is 10057 there (0x2749)."""


@dataclass(frozen=True)
class Way:
    """Where the connection was to lead, and how. `instance` is None for a plain port."""

    host: str
    port: int
    instance: str | None = None
    encrypt: str = "yes"


@dataclass(frozen=True)
class Advice:
    """What happened, and what to do."""

    happened: str
    remedy: str


def needs_a_look(message: str, number: int | None) -> bool:
    """Whether the driver's error leaves open where the connection ended."""
    return number not in (NAME_UNKNOWN, REFUSED) and (
        number in (TIMED_OUT, NOT_CONNECTED) or _TIMED_OUT.search(message) is not None
    )


def advice(message: str, number: int | None, way: Way, looked: Looked | None) -> Advice | None:
    """What to tell, None when nothing is known beside the driver's words."""
    if number == NAME_UNKNOWN or (looked is not None and looked.reach is Reach.NAME_UNKNOWN):
        return Advice(
            f"the name {way.host} has no address",
            "check database.server for a typing error, and that this machine's DNS knows the name (a VPN may have to be on): "
            f"getent hosts {way.host}",
        )
    if number == REFUSED or (looked is not None and looked.reach is Reach.REFUSED):
        port = looked.port if looked is not None and looked.port is not None else way.port
        return Advice(
            f"{way.host} refused: nothing listens at port {port}",
            "check database.port (1433 is the default; a named instance has a port of its own), that SQL Server runs, and that "
            "TCP/IP is enabled for it (SQL Server Configuration Manager)",
        )
    if looked is not None:
        return _of_look(looked, way)
    if way.encrypt == "strict" and (number == RESET or _CLOSED.search(message) or _TLS.search(message)):
        return Advice(
            "the server ended the connection before TLS began, which `encrypt: strict` begins with",
            "SQL Server takes strict from 2022 on, Azure SQL takes it as well: write `encrypt: yes` for an older one; "
            "for a newer one check that the port is SQL Server's and that it has a certificate",
        )
    if _NO_ENCRYPTION.search(message):
        return Advice(
            "the server offers no TLS",
            "give the server a certificate; `encrypt: no` sends rows unencrypted, for a network that you trust",
        )
    if _TLS.search(message):
        return Advice(
            "this machine and the server found no TLS that both take",
            "the server must offer TLS 1.2 or newer (an old SQL Server or Windows needs an update) with a cipher and a key that "
            "this machine's OpenSSL allows; `encrypt: no` sends rows unencrypted, for a network that you trust",
        )
    if number == RESET or _CLOSED.search(message):
        return Advice(
            f"{way.host} took the connection and closed it before the login",
            "check that the port is SQL Server's; a server that starts or is full does so too: see its error log, run again",
        )
    return None


def _of_look(looked: Looked, way: Way) -> Advice:
    if looked.reach is Reach.NO_BROWSER:
        return Advice(
            f"SQL Server Browser at {way.host} (UDP 1434) says nothing of the instance {way.instance}",
            "write the instance's port instead of its name (`server: HOST`, `port: N`; the server's error log says `Server is "
            "listening on`); or check the name, start SQL Server Browser, and let UDP 1434 through the firewall",
        )
    if looked.reach is Reach.NO_TCP:
        return Advice(
            f"the instance {way.instance} of {way.host} does not listen on TCP",
            "enable TCP/IP for it (SQL Server Configuration Manager) and restart it",
        )
    if looked.reach is Reach.OPEN:
        return Advice(
            f"port {looked.port} of {way.host} takes connections, and no login was answered within connection_timeout",
            "check that the port is SQL Server's"
            + (" and that it is SQL Server 2022 or newer, for `encrypt: strict`" if way.encrypt == "strict" else "")
            + "; a busy server, or a database that has paused, needs a longer connection_timeout",
        )
    return Advice(
        f"no answer from port {looked.port} of {way.host}",
        "check server and port, that the machine is on, and that no firewall between here and there drops the connection "
        "(a security group, a VPN that is off)",
    )
