"""Finds where rows begin in bulk data, and where each column's value lies in them.

A row's length shows only by walking through it, so that walk is a tight loop over the length fields alone. Once row starts
are known, all rows of a batch are taken apart column by column with numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sqlserver_sandbox.wire.codec.buffers import Bytes, Longs, Mask, from_low_bytes
from sqlserver_sandbox.wire.fields import PLP_NULL, FieldReader
from sqlserver_sandbox.wire.refusals import protocol_error
from sqlserver_sandbox.wire.rows import NBCROW, ROW
from sqlserver_sandbox.wire.tokens import Done
from sqlserver_sandbox.wire.type_info import USHORT_NULL, Layout, WireType

_BYTE, _USHORT, _PLP, _POINTER = -1, -2, -3, -4
_HOPS = {
    Layout.BYTE_LENGTH: _BYTE,
    Layout.USHORT_LENGTH: _USHORT,
    Layout.PLP: _PLP,
    Layout.TEXT_POINTER: _POINTER,
}
_TIMESTAMP = 8


@dataclass(frozen=True)
class Scanned:
    """Complete rows from a scan: the offset of each row's token, the offset after the last, whether a DONE ended them."""

    starts: list[int]
    end: int
    is_finished: bool


@dataclass(frozen=True)
class Located:
    """One column's values: offset and length of each; `valid` is False where null. `in_pieces` marks values that are not
    one run of bytes (PLP in several pieces): their start is that of their PLP header, their length is 0."""

    starts: Longs
    lengths: Longs
    valid: Mask
    in_pieces: Mask | None = None


class RowScanner:
    """Knows the columns; keeps the way through a row for every pattern of nulls it has met."""

    def __init__(self, columns: Sequence[WireType]) -> None:
        self._columns = columns
        self._bitmap_size = (len(columns) + 7) // 8
        self._all_hops = _hops(columns)
        self._hops_by_bitmap: dict[bytes, tuple[int, ...]] = {}

    def scan(self, data: bytes | bytearray, position: int) -> Scanned:
        """The complete rows from `position` on."""
        starts: list[int] = []
        available = len(data)
        while position < available:
            token = data[position]
            if token == ROW:
                end = _walk(data, position + 1, self._all_hops)
            elif token == NBCROW:
                body = position + 1 + self._bitmap_size
                end = _walk(data, body, self._hops_without_nulls(bytes(data[position + 1 : body])))
            elif token in (Done.BATCH, Done.PROCEDURE, Done.IN_PROCEDURE):
                return Scanned(starts, position, True)
            else:
                raise protocol_error(f"bulk data contains token {token:#04x} where a row should begin")
            if end > available:
                break
            starts.append(position)
            position = end
        return Scanned(starts, position, False)

    def locate(self, data: Bytes, starts: Longs) -> list[Located]:
        """Where each column's values lie, for rows that begin at `starts` and are complete."""
        with_bitmap = data[starts] == NBCROW
        nulls = np.zeros((len(starts), len(self._columns)), np.bool_)
        if with_bitmap.any():
            places = starts[with_bitmap][:, None] + 1 + np.arange(self._bitmap_size)
            bits = np.unpackbits(data[places], axis=1, bitorder="little")
            nulls[with_bitmap] = bits[:, : len(self._columns)] != 0
        position = starts + 1 + with_bitmap * self._bitmap_size
        located = []
        for place, column in enumerate(self._columns):
            found, position = _locate(data, position, ~nulls[:, place], column)
            located.append(found)
        return located

    def _hops_without_nulls(self, bitmap: bytes) -> tuple[int, ...]:
        hops = self._hops_by_bitmap.get(bitmap)
        if hops is None:
            bits = int.from_bytes(bitmap, "little")
            hops = _hops([column for place, column in enumerate(self._columns) if not bits >> place & 1])
            self._hops_by_bitmap[bitmap] = hops
        return hops


def _hops(columns: Sequence[WireType]) -> tuple[int, ...]:
    """The way through a row: a number of bytes to pass, or a negative code for 'read the length here'."""
    hops: list[int] = []
    for column in columns:
        if column.layout is not Layout.FIXED:
            hops.append(_HOPS[column.layout])
        elif hops and hops[-1] >= 0:
            hops[-1] += column.width
        else:
            hops.append(column.width)
    return tuple(hops)


def _walk(data: bytes | bytearray, position: int, hops: tuple[int, ...]) -> int:
    """The offset after the row; past the end of the data when the row is not all there."""
    try:
        for hop in hops:
            if hop == _BYTE:
                position += 1 + data[position]
            elif hop == _USHORT:
                size = data[position] | data[position + 1] << 8
                position += 2 if size == USHORT_NULL else 2 + size
            elif hop >= 0:
                position += hop
            elif hop == _PLP:
                position = _walk_plp(data, position)
            elif data[position]:
                position += 1 + data[position] + _TIMESTAMP
                position += 4 + int.from_bytes(data[position : position + 4], "little")
            else:
                position += 1
    except IndexError:
        return len(data) + 1
    return position


def _walk_plp(data: bytes | bytearray, position: int) -> int:
    total = int.from_bytes(data[position : position + 8], "little")
    position += 8
    if total == PLP_NULL:
        return position
    while position + 4 <= len(data):
        size = int.from_bytes(data[position : position + 4], "little")
        position += 4 + size
        if size == 0:
            return position
    return len(data) + 1


def _locate(data: Bytes, position: Longs, present: Mask, column: WireType) -> tuple[Located, Longs]:
    """The column's values, and where the next column begins in each row. Absent values take no bytes."""
    if column.layout is Layout.FIXED:
        lengths = np.where(present, column.width, 0)
        return Located(position, lengths, present), position + lengths
    if column.layout is Layout.PLP:
        return _locate_plp(data, position, present)
    at = position[present]
    lengths = np.zeros(len(position), np.int64)
    valid = present.copy()
    head = np.zeros(len(position), np.int64)
    if column.layout is Layout.BYTE_LENGTH:
        lengths[present] = data[at]
        valid &= lengths > 0
        head[present] = 1
    elif column.layout is Layout.USHORT_LENGTH:
        sizes = from_low_bytes(data[at[:, None] + np.arange(2)])
        lengths[present] = np.where(sizes == USHORT_NULL, 0, sizes)
        valid[present] = sizes != USHORT_NULL
        head[present] = 2
    else:
        pointers = data[at].astype(np.int64)
        valid[present] = pointers > 0
        head[present] = np.where(pointers > 0, 1 + pointers + _TIMESTAMP + 4, 1)
        lengths[valid] = from_low_bytes(data[(position + head)[valid][:, None] - 4 + np.arange(4)])
    return Located(position + head, lengths, valid), position + head + lengths


def _locate_plp(data: Bytes, position: Longs, present: Mask) -> tuple[Located, Longs]:
    """The usual value is one piece and is found with numpy's help; anything else is walked through."""
    raw = data.tobytes()
    count = len(position)
    starts, lengths, after = position.copy(), np.zeros(count, np.int64), position.copy()
    valid, in_pieces = present.copy(), np.zeros(count, np.bool_)
    for row in np.nonzero(present)[0].tolist():
        at = int(position[row])
        if raw[at : at + 8] == b"\xff" * 8:
            valid[row] = False
            after[row] = at + 8
            continue
        end = _walk_plp(raw, at)
        size = int.from_bytes(raw[at + 8 : at + 12], "little")
        after[row] = end
        if size == 0:
            starts[row] = at + 12
        elif at + 12 + size + 4 == end:
            starts[row], lengths[row] = at + 12, size
        else:
            in_pieces[row] = True
    return Located(starts, lengths, valid, in_pieces if in_pieces.any() else None), after


def whole_plp(data: bytes, position: int) -> bytes | None:
    """A value that came in several pieces, put together."""
    return FieldReader(data, position).plp()
