"""Reads the little-endian fields that TDS messages are made of, and writes the counted strings."""

from __future__ import annotations

import struct

from sqlserver_sandbox.wire.refusals import protocol_error, stream_ended


class FieldReader:
    """A position in a message. Every read past the end is a protocol error, never a short answer."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    def __bool__(self) -> bool:
        """True while bytes are left."""
        return self.position < len(self.data)

    def take(self, size: int) -> bytes:
        end = self.position + size
        if size < 0 or end > len(self.data):
            raise stream_ended(f"a field of {size} bytes at offset {self.position} runs past the message's end")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def peek(self) -> int:
        """The next byte, left where it is; -1 at the end."""
        return self.data[self.position] if self else -1

    def byte(self) -> int:
        return self.take(1)[0]

    def ushort(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def ulong(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def ulonglong(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def b_varchar(self) -> str:
        """UTF-16 text counted in characters by one byte."""
        return utf16_text(self.take(self.byte() * 2))

    def us_varchar(self) -> str:
        """UTF-16 text counted in characters by two bytes."""
        return utf16_text(self.take(self.ushort() * 2))

    def plp(self) -> bytes | None:
        """A partially length-prefixed value ([MS-TDS] 2.2.5.2.3): total, then pieces, then an empty piece."""
        total = self.ulonglong()
        if total == PLP_NULL:
            return None
        pieces = []
        while size := self.ulong():
            pieces.append(self.take(size))
        value = b"".join(pieces)
        if total not in (PLP_UNKNOWN_LENGTH, len(value)):
            raise protocol_error(f"a value announced as {total} bytes came with {len(value)}")
        return value


PLP_NULL = 0xFFFF_FFFF_FFFF_FFFF
PLP_UNKNOWN_LENGTH = 0xFFFF_FFFF_FFFF_FFFE


def utf16_text(raw: bytes) -> str:
    """Text from UTF-16LE. A surrogate without its partner is refused: nothing behind the wire can hold it."""
    try:
        return raw.decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise protocol_error(f"text is not well-formed UTF-16: {error.reason}") from error


def b_varchar(text: str) -> bytes:
    """Text counted in UTF-16 units by one byte; longer text cannot be sent in this field."""
    raw = text.encode("utf-16-le")
    if len(raw) > 2 * 255:
        raise protocol_error(f"a name of {len(raw) // 2} characters does not fit its field")
    return bytes((len(raw) // 2,)) + raw


def us_varchar(text: str) -> bytes:
    """Text counted in UTF-16 units by two bytes."""
    raw = text.encode("utf-16-le")
    if len(raw) > 2 * 0xFFFF:
        raise protocol_error(f"a text of {len(raw) // 2} characters does not fit its field")
    return struct.pack("<H", len(raw) // 2) + raw
