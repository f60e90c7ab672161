"""The forms in which people write a server's address, and what to write instead of those that cannot be taken. Pure.

Messages repeat nothing but a host name or a port that looks like one: what is given may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.:-]*)://(?P<rest>.*)", re.DOTALL)
_PROTOCOL = re.compile(r"(?P<protocol>tcp|np|lpc|via|admin):(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"[^\W_](?:[\w.-]{0,252}\w|\.)?\.?")
_INSTANCE = re.compile(r"[^\W\d][\w$#]{0,15}|_[\w$#]{0,15}")
_THIS_MACHINE = {".", "(local)"}

_PARTS = "write the host in `server`, and port, database, username and password in the fields of these names"


@dataclass(frozen=True)
class ServerAddress:
    """A host, by name or address, with its named instance or its port."""

    host: str
    instance: str | None = None
    port: int | None = None

    @property
    def server(self) -> str:
        """As the config stores it: `host`, or `host\\INSTANCE`. IPv6 addresses stand without brackets, as the driver expects."""
        return self.host if self.instance is None else f"{self.host}\\{self.instance}"


def parse_address(text: str) -> ServerAddress:
    """The parts of `host`, `host\\INSTANCE` or `host,port`, each also after `tcp:`; a host is a name or an IPv4 or IPv6 address
    (in brackets or not). Raises ValueError that says what to write instead."""
    name = text.strip()
    if not name:
        raise ValueError("is empty")
    if found := _URL.fullmatch(name):
        raise ValueError(f"is a URL ({found['scheme'].lower()}://…); {_PARTS}{_host_of(found['rest'])}")
    if ";" in name or "=" in name:
        raise ValueError(f"is a connection string; {_PARTS}")
    if "@" in name:
        raise ValueError(f"holds an @, as a URL with a login does; {_PARTS}")
    if found := _PROTOCOL.fullmatch(name):
        name = _over_tcp(found["protocol"].lower(), found["rest"].strip())
    if name.startswith("\\\\"):
        raise ValueError(
            r"names a pipe (\\host\…), and dltsync speaks TCP only: enable TCP/IP for the server, and write `server: host`"
        )
    if name.lower().startswith("(localdb)"):
        raise ValueError(
            "names a LocalDB, which accepts pipes on its own Windows machine only; "
            "dltsync speaks TCP: use an instance of SQL Server (Express will do) with TCP/IP enabled"
        )
    return _without_protocol(name)


def _over_tcp(protocol: str, rest: str) -> str:
    if protocol == "tcp":
        return rest
    if protocol == "admin":
        raise ValueError(
            "requests the dedicated administrator connection (admin:), of which a server has one; dltsync opens several: "
            "leave `admin:` out"
        )
    kinds = {"np": "named pipes (np:)", "lpc": "shared memory (lpc:)", "via": "VIA (via:)"}
    raise ValueError(
        f"requests {kinds[protocol]}, and dltsync speaks TCP only: enable TCP/IP for the server (SQL Server Configuration "
        "Manager), and write `server: host`"
    )


def _without_protocol(name: str) -> ServerAddress:
    place, comma, port_text = (part.strip() for part in name.partition(","))
    port = _port(port_text) if comma else None
    if bracketed := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", place):
        if not _is_ipv6(bracketed[1]):
            raise ValueError("holds brackets, which belong around an IPv6 address only")
        if bracketed[2] is not None:
            if port is not None:
                raise ValueError("gives two ports; write one, in `port`")
            port = _port(bracketed[2])
        return ServerAddress(bracketed[1], port=port)
    if _is_ipv6(place):
        return ServerAddress(place, port=port)
    host, backslash, instance = place.partition("\\")
    if not backslash:
        return ServerAddress(_host(host), port=port)
    if instance.startswith("\\"):
        raise ValueError(r"holds two backslashes; outside double quotes YAML needs no escape: host\INSTANCE")
    if not _INSTANCE.fullmatch(instance):
        raise ValueError(r"names no instance after its backslash; write host\INSTANCE, or the host alone")
    if port is not None:
        raise ValueError("names an instance and a port; the port decides, so drop the instance name")
    return ServerAddress(_host(host), instance)


def _host(text: str) -> str:
    if text.lower() in _THIS_MACHINE:
        raise ValueError(f"is {text}, the name of this machine on Windows; write `localhost`")
    if "/" in text:
        raise ValueError(
            r"holds a slash; a named instance is written host\INSTANCE, and a database goes into `database`"
        )
    host, colon, port = text.partition(":")
    if colon:
        if _HOST.fullmatch(host) and re.fullmatch(r"\d{1,5}", port):
            raise ValueError(f"holds a colon; write `server: {host}` and `port: {port}`")
        raise ValueError("holds a colon; write the host alone, and the port in `port`")
    if not _HOST.fullmatch(text) or ".." in text:
        raise ValueError("is not a host name or address: use letters, digits, dots and hyphens")
    if re.fullmatch(r"[\d.]+", text) and not _is_ipv4(text):
        raise ValueError("is not an IPv4 address: write four numbers from 0 to 255 with dots in between")
    return text


def _port(text: str) -> int:
    if not re.fullmatch(r"\d{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("has an invalid port; write the host alone, and a number from 1 to 65535 in `port`")
    return int(text)


def _host_of(rest: str) -> str:
    """The host of a URL as advice, where it is unambiguous."""
    host, colon, port = re.split(r"[/;?#]", rest, maxsplit=1)[0].partition(":")
    if "@" in rest or not _HOST.fullmatch(host) or (colon and not re.fullmatch(r"\d{1,5}", port)):
        return ""
    return f": `server: {host}`" + (f", `port: {port}`" if colon else "")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
