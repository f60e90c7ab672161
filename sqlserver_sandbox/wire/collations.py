"""Collations as five bytes on the wire ([MS-TDS] 2.2.5.1.2), and the code page of their char, varchar and text."""

from __future__ import annotations

from dataclasses import dataclass

from sqlserver_sandbox.model import DEFAULT_COLLATION
from sqlserver_sandbox.wire.refusals import refusal

ENGLISH_US = 0x0409
IGNORE_CASE, IGNORE_KANA, IGNORE_WIDTH = 1 << 20, 1 << 22, 1 << 23
BINARY2, UTF8 = 1 << 25, 1 << 26
VERSION_100 = 2 << 28
SIZE = 5


@dataclass(frozen=True)
class Collation:
    """`codec` is Python's name for the code page; nchar, nvarchar and ntext are UTF-16 whatever it is."""

    name: str
    wire: bytes
    codec: str
    case_sensitive: bool


def _collation(name: str, flags: int, *, sort_id: int = 0) -> Collation:
    return Collation(
        name=name,
        wire=(ENGLISH_US | flags).to_bytes(4, "little") + bytes((sort_id,)),
        codec="utf-8" if flags & UTF8 else "cp1252",
        case_sensitive=not flags & IGNORE_CASE,
    )


KNOWN = {
    collation.name.lower(): collation
    for collation in (
        _collation(DEFAULT_COLLATION, IGNORE_CASE | IGNORE_KANA | IGNORE_WIDTH, sort_id=52),
        _collation("Latin1_General_CS_AS", IGNORE_KANA | IGNORE_WIDTH),
        _collation("Latin1_General_CI_AS", IGNORE_CASE | IGNORE_KANA | IGNORE_WIDTH),
        _collation("Latin1_General_BIN2", BINARY2),
        _collation("Latin1_General_100_BIN2", BINARY2 | VERSION_100),
        _collation("Latin1_General_100_CI_AS_SC_UTF8", IGNORE_CASE | IGNORE_KANA | IGNORE_WIDTH | UTF8 | VERSION_100),
    )
}
_BY_WIRE = {collation.wire: collation for collation in KNOWN.values()}


def find_collation(name: str | None) -> Collation:
    """The collation by name (None is the server's default). Raises SqlError for one the sandbox does not have."""
    found = KNOWN.get((name or DEFAULT_COLLATION).lower())
    if found is None:
        raise refusal(f"the collation {name}")
    return found


def collation_from_wire(raw: bytes) -> Collation:
    """The collation a client declares for a value. All zero means 'the server's default'."""
    if raw == bytes(SIZE):
        return find_collation(None)
    found = _BY_WIRE.get(raw)
    if found is None:
        raise refusal(f"the collation with the bytes {raw.hex()}")
    return found
