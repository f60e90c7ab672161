"""Buckets over Arrow: rows grouped by the digest of their key. Twin of `tsql/buckets.py`: the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dltsync_core.digest.segment import ROWS_AT_ONCE, HashAlgorithm, SegmentDigest, halves, row_digests, segment_from
from dltsync_core.tsql.buckets import Buckets
from dltsync_core.typemap.mapping import ColumnMapping

_HALVES = 4
_HEAD = 8
"""Bytes of a digest that are read as one number, of which a bucket is the upper part."""


@dataclass(frozen=True)
class RowKeySpec:
    """How rows are compared: by these columns, identified by `key`, which are some or all of the columns."""

    columns: tuple[ColumnMapping, ...]
    key: tuple[ColumnMapping, ...]
    algorithm: HashAlgorithm = "hashbytes_sha256"

    @property
    def key_positions(self) -> tuple[int, ...]:
        """Positions of the key columns among the columns."""
        return tuple(self.columns.index(column) for column in self.key)


@dataclass(frozen=True)
class HashedRows:
    """Some rows with the digests of their keys and of themselves, in the same order."""

    batch: pa.RecordBatch
    keys: list[bytes]
    rows: list[bytes]


def bucket_of(digest: bytes, length: int) -> int:
    """The bucket of a key with this digest."""
    return int.from_bytes(digest[:length], "big")


def hashed_rows(batches: Iterable[pa.RecordBatch], keyed: RowKeySpec, within: Buckets | None) -> Iterator[HashedRows]:
    """The rows of these buckets (None: all rows), a few thousand at a time. Of the others only the key is hashed."""
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            part = batch.slice(start, ROWS_AT_ONCE)
            keys = row_digests(part, keyed.key, algorithm=keyed.algorithm)
            if within is not None:
                here = np.isin(_numbers(keys, within.length), np.array(within.numbers, dtype=np.uint64))
                part = part.filter(pa.array(here))
                keys = [key for key, inside in zip(keys, here, strict=True) if inside]
            if not keys:
                continue
            same = keyed.key == keyed.columns
            rows = keys if same else row_digests(part, keyed.columns, algorithm=keyed.algorithm)
            yield HashedRows(part, keys, rows)


def digest_by_bucket(
    batches: Iterable[pa.RecordBatch], keyed: RowKeySpec, length: int, within: Buckets | None
) -> dict[int, SegmentDigest]:
    """The digest of every bucket that has rows. Raises FidelityError for a column without a twin."""
    numbers, sums = np.empty(0, dtype=np.uint64), np.empty((0, 1 + _HALVES), dtype=np.int64)
    for some in hashed_rows(batches, keyed, within):
        counted = np.concatenate([np.ones((len(some.rows), 1), dtype=np.int64), halves(some.rows)], axis=1)
        numbers, places = np.unique(np.concatenate([numbers, _numbers(some.keys, length)]), return_inverse=True)
        added = np.concatenate([sums, counted])
        sums = np.zeros((len(numbers), 1 + _HALVES), dtype=np.int64)
        np.add.at(sums, places.reshape(-1), added)
    return {int(number): segment_from(int(row[0]), row[1:]) for number, row in zip(numbers, sums, strict=True)}


def _numbers(digests: Sequence[bytes], length: int) -> Any:
    heads = np.frombuffer(b"".join(digest[:_HEAD] for digest in digests), dtype=">u8").astype(np.uint64)
    return heads >> np.uint64(8 * (_HEAD - length))
