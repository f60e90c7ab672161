"""Exact TDS bytes for answers that the sandbox cannot work out itself ([MS-TDS] 2.2.5): types, values, whole tins."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyodbc

PLP = b"\xff\xff"
PLP_NULL = b"\xff" * 8
SHORT_NULL = b"\xff\xff"


@dataclass(frozen=True)
class Collation:
    """Five bytes: LCID and flags, then the sort id. The code page of char and varchar follows from the LCID."""

    lcid: int
    flags: int = 0xD0
    sort_id: int = 0

    @property
    def wire(self) -> bytes:
        return (self.lcid | self.flags << 16).to_bytes(4, "little") + bytes((self.sort_id,))


LATIN = Collation(0x0409, sort_id=52)
CYRILLIC = Collation(0x0419)
"""Cyrillic_General_CI_AS: code page 1251."""
JAPANESE = Collation(0x0411)
"""Japanese_CI_AS: code page 932."""
POLISH = Collation(0x0415)
"""Polish_CI_AS: code page 1250."""
UTF8 = Collation(0x0409, flags=0x24D0)
"""Latin1_General_100_CI_AS_SC_UTF8."""

INT = b"\x26\x04"


def integer(value: int | None) -> bytes:
    return b"\0" if value is None else b"\x04" + struct.pack("<i", value)


BIGINT = b"\x26\x08"


def bigint(value: int) -> bytes:
    return b"\x08" + struct.pack("<q", value)


def varchar(length: int, collation: Collation = LATIN) -> bytes:
    return struct.pack("<BH", 0xA7, length) + collation.wire


def nvarchar(length: int, collation: Collation = LATIN) -> bytes:
    return struct.pack("<BH", 0xE7, 2 * length) + collation.wire


def short(value: bytes | None) -> bytes:
    """A value of varchar(n), nvarchar(n) or varbinary(n)."""
    return SHORT_NULL if value is None else struct.pack("<H", len(value)) + value


NVARCHAR_MAX = b"\xe7" + PLP + LATIN.wire
VARCHAR_MAX = b"\xa7" + PLP + LATIN.wire
VARBINARY_MAX = b"\xa5" + PLP


def long(value: bytes | None) -> bytes:
    """A value of a (max) type, in one piece."""
    if value is None:
        return PLP_NULL
    piece = struct.pack("<I", len(value)) + value if value else b""
    return struct.pack("<Q", len(value)) + piece + bytes(4)


def utf16(text: str) -> bytes:
    """UTF-16LE, half surrogate pairs included."""
    return text.encode("utf-16-le", "surrogatepass")


def answer(statement: str, columns: Mapping[str, bytes], *rows: Sequence[bytes], is_pattern: bool = False) -> Any:
    """One answer, ready for JSON. Columns may be NULL."""
    return {
        "pattern" if is_pattern else "statement": statement,
        "columns": [{"name": name, "type": kind.hex(), "flags": 9} for name, kind in columns.items()],
        "rows": [[value.hex() for value in row] for row in rows],
    }


def put_up(connection: pyodbc.Connection, **tin: Any) -> None:
    """Declare a tin for the connection's database. In place of the one before."""
    connection.execute("EXEC sandbox_canned ?", json.dumps(tin)).fetchall()
