"""Bulk data ([MS-TDS] 2.2.6.1) as Arrow batches: what follows an accepted INSERT BULK."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray, BulkTarget, Column, SqlError
from sqlserver_sandbox.wire.bulk_scan import Located, RowScanner, whole_plp
from sqlserver_sandbox.wire.codec.buffers import Bytes, Longs, Mask
from sqlserver_sandbox.wire.codec.families import fixed_family, variable_family
from sqlserver_sandbox.wire.codec.values import array_of, arrow_form
from sqlserver_sandbox.wire.fields import FieldReader
from sqlserver_sandbox.wire.refusals import StreamEnded, invalid_value, protocol_error
from sqlserver_sandbox.wire.tokens import COLMETADATA
from sqlserver_sandbox.wire.type_info import WireType, parse_type_info, value_width

BATCH_BYTES = 4 << 20
"""Bytes of rows that make a batch. What is held at once is this, its decoded form, and one row if a row is larger."""
SCAN_BYTES = 1 << 18
"""Bytes to gather before looking for rows in them."""

_TEXTS = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext", "sysname", "xml"})
_BINARIES = frozenset({"binary", "varbinary", "image", "rowversion"})
_EXACT = frozenset({"decimal", "numeric"})


def bulk_batches(message: Iterator[bytes], target: BulkTarget) -> Iterator[pa.RecordBatch]:
    """The rows of one bulk message, in bounded batches, in the Arrow forms of the target's columns.

    Raises SqlError 4816 when the client's columns are not those it named in INSERT BULK.
    """
    data = bytearray()
    columns = _metadata(data, message)
    _check_columns([column for _name, column in columns], target)
    names = [name for name, _column in columns]
    wire_types = [column for _name, column in columns]
    scanner = RowScanner(wire_types)
    starts: list[int] = []
    position, finished, more = 0, False, True
    while more and not finished:
        more = _gather(data, message, len(data) + SCAN_BYTES)
        scanned = scanner.scan(data, position)
        starts += scanned.starts
        position, finished = scanned.end, scanned.is_finished
        if starts and (position >= BATCH_BYTES or finished or not more):
            yield _decode(bytes(data[:position]), starts, scanner, wire_types, names, target.columns)
            del data[:position]
            position, starts = 0, []
    if not finished and position != len(data):
        raise protocol_error("bulk data ends inside a row")
    for _rest in message:  # a DONE may share its packet with nothing, or come alone in the last one
        continue


def _gather(data: bytearray, message: Iterator[bytes], wanted: int) -> bool:
    """Read until there are `wanted` bytes; False at the end of the message."""
    while len(data) < wanted:
        part = next(message, None)
        if part is None:
            return False
        data += part
    return True


def _metadata(data: bytearray, message: Iterator[bytes]) -> list[tuple[str, WireType]]:
    """The columns that the client declares; they are taken off the front of `data`."""
    while True:
        more = _gather(data, message, len(data) + 1)
        fields = FieldReader(bytes(data))
        try:
            columns = _parse_metadata(fields)
        except StreamEnded:
            if not more:
                raise
            continue
        del data[: fields.position]
        return columns


def _parse_metadata(fields: FieldReader) -> list[tuple[str, WireType]]:
    if fields.byte() != COLMETADATA:
        raise protocol_error("bulk data does not begin with its columns")
    columns = []
    for _place in range(fields.ushort()):
        fields.take(6)  # user type and flags: the table has its own
        wire_type = parse_type_info(fields, in_row=True)
        columns.append((fields.b_varchar(), wire_type))
    return columns


def _check_columns(sent: Sequence[WireType], target: BulkTarget) -> None:
    if len(sent) != len(target.columns):
        raise protocol_error(f"bulk data has {len(sent)} columns, INSERT BULK named {len(target.columns)}")
    for place, (wire_type, column) in enumerate(zip(sent, target.columns, strict=True), 1):
        if not _fits(wire_type, column):
            raise SqlError(
                4816,
                f"Invalid column type from bcp client for colid {place}: "
                f"{wire_type.sql.name} was sent for {column.name}, declared {column.type.name}.",
            )


def _fits(wire_type: WireType, column: Column) -> bool:
    """Whether the values sent are values of the declared type as they are. Their length is the engine's to check."""
    sent, declared = wire_type.sql, column.type
    if sent.name in _EXACT and declared.name in _EXACT:
        return sent.scale == declared.scale and sent.precision <= declared.precision
    if {sent.name, declared.name} <= _TEXTS or {sent.name, declared.name} <= _BINARIES:
        return True
    return sent.name == declared.name and sent.scale <= declared.scale


def _decode(
    data: bytes,
    starts: list[int],
    scanner: RowScanner,
    wire_types: Sequence[WireType],
    names: Sequence[str],
    declared: Sequence[Column],
) -> pa.RecordBatch:
    view = np.frombuffer(data, np.uint8)
    located = scanner.locate(view, np.array(starts, np.int64))
    arrays = [
        _column(data, view, found, wire_type, column)
        for found, wire_type, column in zip(located, wire_types, declared, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _column(data: bytes, view: Bytes, found: Located, wire_type: WireType, column: Column) -> ArrowArray:
    if found.in_pieces is not None:
        array = array_of(_values_in_pieces(data, found, found.in_pieces), wire_type.sql)
    else:
        array = _values_in_place(view, found, wire_type)
    return array.cast(arrow_form(column.type))  # same type, or a decimal of more digits


def _values_in_place(view: Bytes, found: Located, wire_type: WireType) -> ArrowArray:
    valid = None if found.valid.all() else found.valid
    family = fixed_family(wire_type.sql)
    if family is None:
        lengths = np.where(found.valid, found.lengths, 0)
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
        gathered = view[np.repeat(found.starts - offsets[:-1], lengths) + np.arange(offsets[-1])]
        return variable_family(wire_type.sql).from_wire(gathered, offsets, valid, wire_type.sql)
    return family.from_wire(_fixed_matrix(view, found, wire_type), valid, wire_type.sql)


def _fixed_matrix(view: Bytes, found: Located, wire_type: WireType) -> Bytes:
    """The bytes of each value as a row, zero where null and where a decimal was sent with fewer bytes."""
    width = value_width(wire_type.sql)
    lengths: Longs = found.lengths[found.valid]
    if (lengths > width).any() or (wire_type.sql.name not in _EXACT and (lengths != width).any()):
        raise invalid_value(wire_type.sql)
    matrix = np.zeros((len(found.starts), width), np.uint8)
    places = found.starts[found.valid][:, None] + np.arange(width)
    inside = np.arange(width) < lengths[:, None]
    if inside.all():
        matrix[found.valid] = view[places]
    else:
        matrix[found.valid] = np.where(inside, view[np.minimum(places, len(view) - 1)], 0)
    return matrix


def _values_in_pieces(data: bytes, found: Located, pieces: Mask) -> list[bytes | None]:
    values: list[bytes | None] = []
    for start, length, valid, in_pieces in zip(
        found.starts.tolist(), found.lengths.tolist(), found.valid.tolist(), pieces.tolist(), strict=True
    ):
        if not valid:
            values.append(None)
        else:
            values.append(whole_plp(data, start) if in_pieces else data[start : start + length])
    return values
