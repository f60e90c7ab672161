"""Rows are put together from pieces, one per row each, and joined by Arrow's compiled kernel rather than row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sqlserver_sandbox.model import ArrowArray
from sqlserver_sandbox.wire.codec.buffers import Bytes, Longs, variable_values

# Any number of arrays and a separator, all of one type: more than the published signature says.
_join: Callable[..., ArrowArray] = pc.binary_join_element_wise
_NOTHING = pa.scalar(b"", pa.large_binary())


@dataclass(frozen=True)
class Block:
    """The same number of bytes in every row: a matrix, one row each."""

    matrix: Bytes


@dataclass(frozen=True)
class Ragged:
    """Its own number of bytes in every row: all bytes in order, and the lengths."""

    data: Bytes
    lengths: Longs


Piece = Block | Ragged


def repeated(constant: bytes, rows: int) -> Block:
    """The same bytes in every row."""
    return Block(np.broadcast_to(np.frombuffer(constant, np.uint8), (rows, len(constant))))


def keep_where(block: Block, present: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Ragged:
    """The block in the chosen rows, nothing in the others."""
    width = block.matrix.shape[1]
    return Ragged(block.matrix[present].reshape(-1), present.astype(np.int64) * width)


def join_rows(pieces: Sequence[Piece]) -> memoryview:
    """The bytes of all rows, one after the other."""
    arrays = [_as_arrow(piece) for piece in _merge_blocks(pieces)]
    joined = arrays[0] if len(arrays) == 1 else _join(*arrays, _NOTHING)
    data, _offsets = variable_values(joined)
    return data.data


def _merge_blocks(pieces: Sequence[Piece]) -> list[Piece]:
    """Neighbouring blocks as one: fewer pieces to join per row."""
    merged: list[Piece] = []
    neighbours: list[Bytes] = []
    for piece in (*pieces, None):
        if isinstance(piece, Block):
            neighbours.append(piece.matrix)
            continue
        if neighbours:
            merged.append(Block(neighbours[0] if len(neighbours) == 1 else np.hstack(neighbours)))
            neighbours = []
        if piece is not None:
            merged.append(piece)
    return merged


def _as_arrow(piece: Piece) -> ArrowArray:
    if isinstance(piece, Block):
        rows, width = piece.matrix.shape
        offsets = np.arange(rows + 1, dtype=np.int64) * width
        data = np.ascontiguousarray(piece.matrix)
    else:
        offsets = np.zeros(len(piece.lengths) + 1, np.int64)
        np.cumsum(piece.lengths, out=offsets[1:])
        data = np.ascontiguousarray(piece.data)
    buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(data.data)]
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)
