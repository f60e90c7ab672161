"""Rows in memory for comparison: few, and with shortened values, so that their size is bounded for every table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from dltsync_core.digest.buckets import HashedRows, RowKeySpec, bucket_of, hashed_rows
from dltsync_core.digest.canonical import canonical_texts
from dltsync_core.digest.segment import SegmentDigest, segment_of
from dltsync_core.tsql.buckets import Buckets

LONGEST_SHOWN = 120
"""Characters of a value that are stored and shown."""
MOST_HELD = 10_000
"""Different rows of one side that are in memory at once. There are more only when the key is not unique."""
_SHORT_HASH = 12


@dataclass(frozen=True)
class Cell:
    """A value: its lossless text; of a long one the beginning, the length, and a hash of all of it."""

    text: str
    characters: int
    sha256: str = ""

    @property
    def shown(self) -> str:
        """The text; of a long one the beginning, the length and the hash."""
        if not self.sha256:
            return self.text
        return f"{self.text}… ({self.characters:,} characters, sha256 {self.sha256[:_SHORT_HASH]}…)"


def cell_of(text: str | None) -> Cell | None:
    """None for NULL."""
    if text is None or len(text) <= LONGEST_SHOWN:
        return None if text is None else Cell(text, len(text))
    return Cell(text[:LONGEST_SHOWN], len(text), hashlib.sha256(text.encode("utf-8")).hexdigest())


@dataclass(frozen=True)
class HeldRow:
    """A row: digests of its key and of itself, and its values in the order of the compared columns."""

    key: bytes
    digest: bytes
    cells: tuple[Cell | None, ...]


@dataclass
class HeldRows:
    """The rows of one side: each different one once, by its digest, with its count."""

    rows: dict[bytes, HeldRow] = field(default_factory=dict)
    times: dict[bytes, int] = field(default_factory=dict)
    too_many: bool = False

    def add(self, some: HashedRows, keyed: RowKeySpec) -> None:
        """Add these rows, up to the limit."""
        new: dict[bytes, int] = {}
        for place, digest in enumerate(some.rows):
            self.times[digest] = self.times.get(digest, 0) + 1
            if digest not in self.rows:
                new.setdefault(digest, place)
        if len(self.rows) + len(new) > MOST_HELD:
            self.too_many = True
        elif new:
            cells = _cells(some.batch.take(pa.array(list(new.values()))), keyed)
            for (digest, place), row in zip(new.items(), cells, strict=True):
                self.rows[digest] = HeldRow(some.keys[place], digest, row)

    def segments(self, length: int) -> Mapping[int, SegmentDigest]:
        """The digests of their buckets."""
        found: dict[int, SegmentDigest] = {}
        for digest, row in self.rows.items():
            number = bucket_of(row.key, length)
            found[number] = found.get(number, SegmentDigest()) + self._of(digest)
        return found

    @property
    def whole(self) -> SegmentDigest:
        """The digest of all of them."""
        return sum((self._of(digest) for digest in self.rows), SegmentDigest())

    def _of(self, digest: bytes) -> SegmentDigest:
        one, times = segment_of([digest]), self.times[digest]
        return SegmentDigest(times, one.lane_1 * times, one.lane_2 * times)


def hold(batches: Iterable[pa.RecordBatch], keyed: RowKeySpec, within: Buckets | None) -> HeldRows:
    """The rows of these buckets (None: all). Raises FidelityError for a column without a fingerprint."""
    held = HeldRows()
    for some in hashed_rows(batches, keyed, within):
        held.add(some, keyed)
        if held.too_many:
            break
    return held


def _cells(batch: pa.RecordBatch, keyed: RowKeySpec) -> list[tuple[Cell | None, ...]]:
    columns = [
        [cell_of(text) for text in canonical_texts(batch.column(column.name), column).to_pylist()]
        for column in keyed.columns
    ]
    return list(zip(*columns, strict=True))
