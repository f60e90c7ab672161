"""Arrow batches to ROW and NBCROW tokens ([MS-TDS] 2.2.7.19, 2.2.7.13), column by column.

A row without nulls is a ROW; a row with one is an NBCROW, whose bitmap says which columns are left out. So a null never
needs bytes of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray, Column
from sqlserver_sandbox.wire.codec.buffers import Bytes, Longs, Mask, WrongForm, as_matrix, low_bytes, validity
from sqlserver_sandbox.wire.codec.families import fixed_family, variable_family
from sqlserver_sandbox.wire.pieces import Block, Piece, Ragged, join_rows, keep_where, repeated
from sqlserver_sandbox.wire.type_info import Layout, layout_of

ROW, NBCROW = 0xD1, 0xD2
MOST_ROWS = 16_384
"""Rows encoded at once: enough to amortise numpy, few enough that an attention is noticed soon."""
MOST_BYTES = 2 << 20
"""Arrow bytes encoded at once, however few rows that is. One row can be larger: it is encoded alone."""

_TEXT_POINTER = b"\x10" + b"sandbox textptr\0" + b"dummyTS\0"
"""Sixteen bytes of pointer and eight of timestamp, as clients expect in front of text, ntext and image."""


def encode_batch(batch: pa.RecordBatch, columns: Sequence[Column]) -> Iterator[memoryview]:
    """The batch's rows in bounded pieces. Raises WrongForm when the batch is not what `columns` declare."""
    if batch.num_columns != len(columns):
        raise WrongForm(f"{batch.num_columns} arrays for {len(columns)} columns")
    rows_at_once = MOST_ROWS
    if batch.num_rows:
        rows_at_once = max(1, min(MOST_ROWS, MOST_BYTES * batch.num_rows // max(batch.nbytes, 1)))
    for start in range(0, batch.num_rows, rows_at_once):
        yield _encode(batch.slice(start, rows_at_once), columns)


def _encode(batch: pa.RecordBatch, columns: Sequence[Column]) -> memoryview:
    rows = batch.num_rows
    present = [validity(array) for array in batch.columns]
    pieces: list[Piece] = [_row_starts(present, rows)]
    for array, column, valid in zip(batch.columns, columns, present, strict=True):
        try:
            pieces += _column_pieces(array, column, valid)
        except WrongForm as error:
            raise WrongForm(f"column '{column.name}' ({column.type.name}): {error}") from error
    return join_rows(pieces)


def _row_starts(present: Sequence[Mask | None], rows: int) -> Piece:
    """The token of each row, with the bitmap of nulls where there is one."""
    with_nulls = [(place, valid) for place, valid in enumerate(present) if valid is not None]
    if not with_nulls:
        return repeated(bytes((ROW,)), rows)
    bitmap = np.zeros((rows, 1 + (len(present) + 7) // 8), np.uint8)
    any_null = np.zeros(rows, np.bool_)
    for place, valid in with_nulls:
        bitmap[:, 1 + (place >> 3)] |= (~valid).astype(np.uint8) << np.uint8(place & 7)
        any_null |= ~valid
    bitmap[:, 0] = np.where(any_null, NBCROW, ROW)
    shown = np.ones(bitmap.shape, np.bool_)
    shown[~any_null, 1:] = False
    return Ragged(bitmap[shown], shown.sum(axis=1, dtype=np.int64))


def _column_pieces(array: ArrowArray, column: Column, valid: Mask | None) -> list[Piece]:
    if valid is not None and not column.nullable:
        raise WrongForm("a null in a column declared NOT NULL")
    layout = layout_of(column.type, nullable=column.nullable)
    fixed = fixed_family(column.type)
    if fixed is not None:
        matrix = fixed.to_wire(array, column.type)
        blocks = [Block(matrix)] if layout is Layout.FIXED else [_length_byte(matrix), Block(matrix)]
        if valid is None:
            return list(blocks)
        return [keep_where(Block(np.hstack([block.matrix for block in blocks])), valid)]
    data, lengths = variable_family(column.type).to_wire(array, column.type)
    return _variable_pieces(data, lengths, layout, valid)


def _length_byte(matrix: Bytes) -> Block:
    return repeated(bytes((matrix.shape[1],)), len(matrix))


def _variable_pieces(data: Bytes, lengths: Longs, layout: Layout, valid: Mask | None) -> list[Piece]:
    rows = len(lengths)
    values = Ragged(data, lengths)
    if layout is Layout.PLP:
        return _plp_pieces(values, valid)
    if layout is Layout.TEXT_POINTER:
        prefix = Block(np.hstack((repeated(_TEXT_POINTER, rows).matrix, as_matrix(lengths.astype("<i4")))))
    else:
        if lengths.size and lengths.max() >= 0xFFFF:
            raise WrongForm(f"a value of {lengths.max()} bytes in a type that is not (max)")
        prefix = Block(low_bytes(lengths, 2))
    return [prefix if valid is None else keep_where(prefix, valid), values]


def _plp_pieces(values: Ragged, valid: Mask | None) -> list[Piece]:
    """Total, one piece of data with its length, and the empty piece that ends a value. An empty value has only that."""
    rows = len(values.lengths)
    head = np.hstack((low_bytes(values.lengths, 8), low_bytes(values.lengths, 4)))
    shown = np.ones(head.shape, np.bool_)
    shown[values.lengths == 0, 8:] = False
    end = repeated(bytes(4), rows)
    if valid is not None:
        shown[~valid] = False
        return [Ragged(head[shown], shown.sum(axis=1, dtype=np.int64)), values, keep_where(end, valid)]
    if shown.all():
        return [Block(head), values, end]
    return [Ragged(head[shown], shown.sum(axis=1, dtype=np.int64)), values, end]
