"""PRELOGIN ([MS-TDS] 2.2.6.5): versions, and whether the connection will be encrypted."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from sqlserver_sandbox.wire.refusals import protocol_error

OPTION = struct.Struct(">BHH")
TERMINATOR = 0xFF
VERSION, ENCRYPTION, INSTANCE, THREAD_ID, MARS, TRACE_ID, FED_AUTH_REQUIRED, NONCE = range(8)


class Encryption(IntEnum):
    OFF = 0  # login only
    ON = 1
    NOT_SUPPORTED = 2
    REQUIRED = 3


@dataclass(frozen=True)
class Prelogin:
    encryption: Encryption
    has_token: bool = False
    """Whether the client will log in with a token (FEDAUTHREQUIRED)."""


def parse_prelogin(data: bytes) -> Prelogin:
    """What the client offers. Options it leaves out have the meaning the protocol gives them."""
    encryption, has_token = Encryption.NOT_SUPPORTED, False
    position = 0
    while position < len(data) and data[position] != TERMINATOR:
        if position + OPTION.size > len(data):
            raise protocol_error("the PRELOGIN option table is cut short")
        option, offset, length = OPTION.unpack_from(data, position)
        position += OPTION.size
        if offset + length > len(data):
            raise protocol_error("a PRELOGIN option lies outside its message")
        if option == ENCRYPTION and length:
            # 0x80 and 0x40 announce client certificates; the low bits are the offer.
            encryption = Encryption(data[offset] & 0x03)
        if option == FED_AUTH_REQUIRED and length:
            has_token = data[offset] == 1
    return Prelogin(encryption, has_token)


def agree_encryption(offer: Encryption, *, server_has_tls: bool) -> Encryption:
    """The server's answer ([MS-TDS] 2.2.6.5, encryption table). The client decides whether it can live with it."""
    if not server_has_tls:
        return Encryption.NOT_SUPPORTED
    return Encryption.ON if offer is Encryption.REQUIRED else offer


def render_prelogin(encryption: Encryption, version: tuple[int, int, int], *, takes_token: bool = False) -> bytes:
    """The server's PRELOGIN message: its version, its answer on encryption, no MARS. `takes_token` answers a client that has
    one."""
    major, minor, build = version
    options: tuple[tuple[int, bytes], ...] = (
        (VERSION, struct.pack(">BBHH", major, minor, build, 0)),
        (ENCRYPTION, bytes((encryption,))),
        (INSTANCE, b"\0"),
        (THREAD_ID, b""),
        (MARS, b"\0"),
        *([(FED_AUTH_REQUIRED, b"\1")] if takes_token else []),
    )
    offset = len(options) * OPTION.size + 1
    table, values = b"", b""
    for option, value in options:
        table += OPTION.pack(option, offset + len(values), len(value))
        values += value
    return table + bytes((TERMINATOR,)) + values
