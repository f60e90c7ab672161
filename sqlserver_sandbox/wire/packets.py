"""TDS packets ([MS-TDS] 2.2.3): an eight-byte header and a part of a message; the last part carries END_OF_MESSAGE."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from sqlserver_sandbox.wire.refusals import protocol_error

HEADER = struct.Struct(">BBHHBB")
HEADER_SIZE = HEADER.size

DEFAULT_PACKET_SIZE = 4096
SMALLEST_PACKET_SIZE = 512
LARGEST_PACKET_SIZE = 32767

FLUSH_AFTER = 1 << 16
"""Bytes of answer gathered before they are written: few system calls, and a first row that does not wait long."""


class PacketType(IntEnum):
    SQL_BATCH = 0x01
    RPC = 0x03
    REPLY = 0x04
    ATTENTION = 0x06
    BULK = 0x07
    FEDERATED_TOKEN = 0x08
    TRANSACTION = 0x0E
    LOGIN7 = 0x10
    SSPI = 0x11
    PRELOGIN = 0x12


class Status(IntFlag):
    END_OF_MESSAGE = 0x01
    IGNORE = 0x02
    RESET = 0x08
    RESET_KEEP_TRANSACTION = 0x10


@dataclass(frozen=True)
class Packet:
    kind: int
    status: int
    data: bytes

    @property
    def is_last(self) -> bool:
        return bool(self.status & Status.END_OF_MESSAGE)


def parse_header(raw: bytes) -> tuple[int, int, int]:
    """(type, status, bytes of data that follow). A length outside TDS's limits is a protocol error."""
    kind, status, length, _spid, _number, _window = HEADER.unpack(raw)
    if not HEADER_SIZE <= length <= LARGEST_PACKET_SIZE + 1:
        raise protocol_error(f"a packet announces {length} bytes")
    return kind, status, length - HEADER_SIZE


class ReplyWriter:
    """Cuts an answer into packets of the negotiated size and hands them to `send`, in pieces of bounded size."""

    def __init__(self, send: Callable[[bytes], None], *, spid: int = 0) -> None:
        self.packet_size = DEFAULT_PACKET_SIZE
        self.spid = spid
        self._send = send
        self._gathered = bytearray()
        self._number = 0

    def write(self, data: bytes | memoryview) -> None:
        """Add to the current message."""
        self._gathered += data
        if len(self._gathered) >= FLUSH_AFTER:
            self._flush_full_packets()

    def end_message(self) -> None:
        """Send what is left as the message's last packet."""
        self._flush_full_packets()
        self._send(self._header(Status.END_OF_MESSAGE, len(self._gathered)) + bytes(self._gathered))
        self._gathered.clear()
        self._number = 0

    def flush(self) -> None:
        """Send what was written so far, in a short packet if need be: only faults cannot wait for a full one."""
        self._flush_full_packets()
        if self._gathered:
            self._send(self._header(Status(0), len(self._gathered)) + bytes(self._gathered))
            self._gathered.clear()

    def _flush_full_packets(self) -> None:
        room = self.packet_size - HEADER_SIZE
        # The last packet is kept back even when it is full: only the end of the message knows its status.
        full = max(len(self._gathered) - 1, 0) // room
        if not full:
            return
        view = memoryview(bytes(self._gathered))
        parts: list[bytes | memoryview] = []
        for start in range(0, full * room, room):
            parts += (self._header(Status(0), room), view[start : start + room])
        self._send(b"".join(parts))
        self._gathered = bytearray(view[full * room :])

    def _header(self, status: Status, size: int) -> bytes:
        self._number = (self._number + 1) & 0xFF
        return HEADER.pack(PacketType.REPLY, status, size + HEADER_SIZE, self.spid, self._number, 0)
