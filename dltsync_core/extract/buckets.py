"""Rows of the source by the buckets their keys fall into: digests of all buckets, and the rows of some."""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.extract.questions import Fetch
from dltsync_core.extract.unit import UnitFilter, condition_of
from dltsync_core.tsql.buckets import Buckets, digest_by_bucket, in_buckets
from dltsync_core.tsql.digest import HashAlgorithm
from dltsync_core.tsql.fragments import Statement, join
from dltsync_core.tsql.select import select_rows
from dltsync_core.typemap.mapping import ColumnMapping, TableMapping


@dataclass(frozen=True)
class BucketedUnit:
    """The rows to divide into buckets: these columns of a unit, by a key. `key` are positions in `columns`, from 0."""

    facts: TableFacts
    unit: UnitFilter
    columns: tuple[ColumnMapping, ...]
    key: tuple[int, ...]
    algorithm: HashAlgorithm

    @property
    def mapping(self) -> TableMapping:
        """The mapping of these columns only."""
        return TableMapping(self.columns)


def bucket_digests(
    fetch: Fetch, bucketed: BucketedUnit, length: int, within: Buckets | None
) -> dict[int, tuple[int, int, int]]:
    """Rows and lane sums of every bucket that has rows, by one statement."""
    statement = digest_by_bucket(
        bucketed.facts.name,
        [mapping.column for mapping in bucketed.columns],
        bucketed.key,
        condition_of(bucketed.unit),
        length,
        within,
        algorithm=bucketed.algorithm,
    )
    return {int(number): (int(rows), int(s1), int(s2)) for number, rows, s1, s2 in fetch(statement)}


def rows_of_buckets(bucketed: BucketedUnit, within: Buckets | None) -> Statement:
    """The statement for the rows of these buckets (None: of the whole unit)."""
    key = [bucketed.columns[place].column for place in bucketed.key]
    conditions = [
        condition_of(bucketed.unit),
        in_buckets(key, within, bucketed.algorithm) if within is not None else None,
    ]
    present = [condition for condition in conditions if condition is not None]
    return select_rows(bucketed.facts.name, bucketed.mapping, join(" AND ", present) if present else None)
