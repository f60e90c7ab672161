"""The tokens of an answer ([MS-TDS] 2.2.7), as bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum, IntFlag

from sqlserver_sandbox.model import Column, RawColumn, SqlError, SqlType
from sqlserver_sandbox.wire.collations import find_collation
from sqlserver_sandbox.wire.fields import b_varchar, us_varchar
from sqlserver_sandbox.wire.type_info import CHARACTER_TYPES, USER_TYPES, render_type_info

COLMETADATA, ROW, RETURN_STATUS, RETURN_VALUE = 0x81, 0xD1, 0x79, 0xAC
ERROR, INFO, LOGIN_ACK, FEATURE_ACK, ENV_CHANGE = 0xAA, 0xAB, 0xAD, 0xAE, 0xE3
FATAL_CLASS = 20
"""An error of this severity or above ends the connection."""

MOST_TEXT = 2047
"""Characters of message text: SQL Server's own limit for the text of an error it is told to raise."""

_NULLABLE, _CASE_SENSITIVE, _UPDATABLE_UNKNOWN, _IDENTITY, _COMPUTED = 0x01, 0x02, 0x08, 0x10, 0x20


class Done(IntEnum):
    """Which token ends a statement: of a batch, of a procedure, or of a statement inside a procedure."""

    BATCH = 0xFD
    PROCEDURE = 0xFE
    IN_PROCEDURE = 0xFF


class DoneStatus(IntFlag):
    FINAL = 0x00
    MORE = 0x01
    ERROR = 0x02
    COUNT = 0x10
    ATTENTION = 0x20


class Env(IntEnum):
    """Kinds of ENVCHANGE."""

    DATABASE = 1
    LANGUAGE = 2
    PACKET_SIZE = 4
    COLLATION = 7
    BEGIN = 8
    COMMIT = 9
    ROLLBACK = 10
    RESET = 18


def done(kind: Done, status: DoneStatus, *, command: int = 0, count: int = 0) -> bytes:
    return struct.pack("<BHHQ", kind, status, command, count)


def error(fault: SqlError, server: str) -> bytes:
    return _message(ERROR, fault.number, fault.state, fault.class_, fault.message, server, fault.line)


def info(number: int, text: str, server: str, *, state: int = 1, class_: int = 0) -> bytes:
    return _message(INFO, number, state, class_, text, server, 1)


def _message(token: int, number: int, state: int, class_: int, text: str, server: str, line: int) -> bytes:
    if len(text) > MOST_TEXT:
        text = text[: MOST_TEXT - 1] + "…"
    body = struct.pack("<iBB", number, state, class_) + us_varchar(text) + b_varchar(server) + b_varchar("")
    body += struct.pack("<i", line)
    return struct.pack("<BH", token, len(body)) + body


def env_text(kind: Env, new: str, old: str) -> bytes:
    return _env_change(kind, b_varchar(new) + b_varchar(old))


def env_collation(name: str) -> bytes:
    wire = find_collation(name).wire
    return _env_change(Env.COLLATION, bytes((len(wire),)) + wire + b"\0")


def env_transaction(kind: Env, descriptor: int) -> bytes:
    """The descriptor is the new value of a begin and the old one of an end."""
    identity = b"\x08" + struct.pack("<Q", descriptor)
    return _env_change(kind, identity + b"\0" if kind is Env.BEGIN else b"\0" + identity)


def env_reset() -> bytes:
    return _env_change(Env.RESET, b"\0\0")


def _env_change(kind: Env, values: bytes) -> bytes:
    return struct.pack("<BHB", ENV_CHANGE, len(values) + 1, kind) + values


def login_ack(tds_version: int, version: tuple[int, int, int]) -> bytes:
    major, minor, build = version
    body = b"\x01" + struct.pack(">I", tds_version) + b_varchar("Microsoft SQL Server")
    body += struct.pack(">BBH", major, minor, build)
    return struct.pack("<BH", LOGIN_ACK, len(body)) + body


def feature_ack(acknowledged: Sequence[tuple[int, bytes]]) -> bytes:
    body = b"".join(struct.pack("<BI", feature, len(data)) + data for feature, data in acknowledged)
    return bytes((FEATURE_ACK,)) + body + b"\xff"


def column_metadata(columns: Sequence[Column]) -> bytes:
    parts = [struct.pack("<BH", COLMETADATA, len(columns))]
    for column in columns:
        parts.append(struct.pack("<IH", USER_TYPES.get(column.type.name, 0), _column_flags(column)))
        parts.append(render_type_info(column.type, nullable=column.nullable))
        parts.append(b_varchar(column.name))
    return b"".join(parts)


def raw_column_metadata(columns: Sequence[RawColumn]) -> bytes:
    """COLMETADATA whose types are given as bytes."""
    described = (struct.pack("<IH", c.user_type, c.flags) + c.type_info + b_varchar(c.name) for c in columns)
    return struct.pack("<BH", COLMETADATA, len(columns)) + b"".join(described)


def raw_row(values: Sequence[bytes]) -> bytes:
    """ROW whose values are given as bytes, each with its own length or NULL mark."""
    return bytes((ROW,)) + b"".join(values)


def _column_flags(column: Column) -> int:
    flags = _UPDATABLE_UNKNOWN
    flags |= _NULLABLE if column.nullable else 0
    flags |= _IDENTITY if column.is_identity else 0
    flags |= _COMPUTED if column.is_computed else 0
    if column.type.name in CHARACTER_TYPES and find_collation(column.type.collation).case_sensitive:
        flags |= _CASE_SENSITIVE
    return flags


def return_status(value: int) -> bytes:
    return struct.pack("<Bi", RETURN_STATUS, value)


def return_integer(name: str, ordinal: int, value: int | None) -> bytes:
    """An int output parameter."""
    head = struct.pack("<BH", RETURN_VALUE, ordinal) + b_varchar(name) + b"\x01" + struct.pack("<IH", 0, _NULLABLE)
    body = b"\0" if value is None else struct.pack("<Bi", 4, value)
    return head + render_type_info(SqlType("int"), nullable=True) + body
