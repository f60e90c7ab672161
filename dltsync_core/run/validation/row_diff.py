"""The rows of a unit in the three places, as `validate.row_diff` asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace

import pyarrow as pa

from dltsync_core.digest.buckets import RowKeySpec, digest_by_bucket, hashed_rows
from dltsync_core.digest.segment import HashAlgorithm, SegmentDigest
from dltsync_core.errors import ConnectError, SyncError
from dltsync_core.extract.buckets import BucketedUnit
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.keys import naming_key
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.run.ports import View
from dltsync_core.run.validation.retained_rows import rows_without_retained
from dltsync_core.tsql.buckets import Buckets
from dltsync_core.typemap.mapping import ColumnMapping
from dltsync_core.validate.differing_rows import LAKE, SOURCE, WAREHOUSE
from dltsync_core.validate.lake_rows import lake_batches
from dltsync_core.validate.row_diff import RowDiff, Side, diff_rows
from dltsync_core.validate.row_sample import HeldRows, hold

UNLIKE_ITS_HASH = (
    "in one snapshot the source's rows came with other values than the server hashed: text that the driver cannot hand over "
    "(half of a surrogate pair) is the usual reason"
)

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class UnitToDiff:
    """A unit whose rows are compared. `places` are those whose rows can be read, the source among them, with their digests as far
    as they are known. `rows` is what the largest of them has, `loads` are the unit's in the lake, `columns` are those that every
    place has, `left_out` says which others there are, `without_retained` that rows which the warehouse keeps on purpose are left
    alone."""

    unit: str
    places: Mapping[str, str | None]
    rows: int
    loads: Sequence[Manifest]
    columns: tuple[ColumnMapping, ...]
    left_out: Sequence[str]
    without_retained: bool = False


def diff_unit(
    context: RunContext, view: View, resolved: ResolvedTable, unit: UnitToDiff, algorithm: HashAlgorithm
) -> RowDiff:
    """The rows that differ. Raises ConnectError and failures that may pass; for any other the answer says why there is none."""
    if len(unit.places) == 1:
        return RowDiff.refused("neither the lake's rows nor the warehouse's can be looked at")
    if not unit.columns:
        return RowDiff.refused("there is no column that every place has and can write as the server does")
    names = naming_key(resolved.facts, resolved.keys, [column.name for column in unit.columns])
    folded = {name.casefold() for name in names}
    key = tuple(column for column in unit.columns if column.name.casefold() in folded)
    keyed = RowKeySpec(unit.columns, key or unit.columns, algorithm)
    places = {SOURCE: _Source(view, resolved, unit.unit, keyed), **_others(context, resolved, unit, keyed)}
    whole = {place: SegmentDigest.from_text(text) for place, text in unit.places.items() if text is not None}
    try:
        found = diff_rows(places, keyed, whole, unit.rows)
    except SyncError as error:
        if error.is_transient or isinstance(error, ConnectError):
            raise
        return RowDiff.refused(error.problem)
    if found.moved == SOURCE and view.consistency == "snapshot":
        return replace(found, reason=UNLIKE_ITS_HASH)
    if found.rows or found.omitted or found.reason:
        return found
    beside = f"; {'; '.join(unit.left_out)}" if unit.left_out else ""
    return replace(found, reason=f"every row is the same in the columns that can be compared by value{beside}")


def _others(context: RunContext, resolved: ResolvedTable, unit: UnitToDiff, keyed: RowKeySpec) -> dict[str, Side]:
    names = [column.name for column in keyed.columns]
    version_keys = resolved.keys if resolved.config.kind == "scd" else ()

    @contextmanager
    def in_lake() -> Iterator[Batches]:
        with ExitStack() as stack:
            loads = [stack.enter_context(context.lake.files(manifest)) for manifest in unit.loads]
            yield stack.enter_context(
                lake_batches(loads, names, version_keys, context.config.processing.memory.scratch)
            )

    def in_warehouse() -> AbstractContextManager[Batches]:
        if unit.without_retained:
            return rows_without_retained(context, resolved, unit.loads, names)
        return context.warehouse.rows(resolved.target, resolved.scope_of(unit.unit), resolved.fields_of(names))

    reads: dict[str, Callable[[], AbstractContextManager[Batches]]] = {LAKE: in_lake, WAREHOUSE: in_warehouse}
    return {place: _Read(reads[place], keyed) for place in unit.places if place != SOURCE}


@dataclass(frozen=True)
class _Read:
    """A place whose rows are read, and hashed here."""

    read: Callable[[], AbstractContextManager[Batches]]
    keyed: RowKeySpec

    def digests(self, length: int, within: Buckets | None) -> Mapping[int, SegmentDigest]:
        with self.read() as batches:
            return digest_by_bucket(batches, self.keyed, length, within)

    def held(self, within: Buckets | None) -> HeldRows:
        with self.read() as batches:
            return hold(batches, self.keyed, within)


class _Source:
    """The source, which hashes its rows itself."""

    def __init__(self, view: View, resolved: ResolvedTable, unit: str, keyed: RowKeySpec) -> None:
        self._view = view
        self._keyed = keyed
        self._bucketed = BucketedUnit(
            resolved.facts, resolved.filter_of(unit), keyed.columns, keyed.key_positions, keyed.algorithm
        )

    def digests(self, length: int, within: Buckets | None) -> Mapping[int, SegmentDigest]:
        found = self._view.bucket_digests(self._bucketed, length, within)
        return {number: SegmentDigest(*figures) for number, figures in found.items()}

    def held(self, within: Buckets | None) -> HeldRows:
        held = HeldRows()

        def take(batch: pa.RecordBatch) -> None:
            # Too many of them are read to their end all the same: none is kept.
            if not held.too_many:
                for some in hashed_rows([batch], self._keyed, None):
                    held.add(some, self._keyed)

        self._view.rows_of_buckets(self._bucketed, within, take)
        return held
