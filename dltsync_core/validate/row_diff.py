"""The row diff: buckets are compared on all sides, those that differ are divided again, and the few rows left are compared by
value.

This module does not read: a `Side` gives access to its rows. Each side is read at most three times, however many rows there are
and however many differ: rows beyond the limits are counted, never read. The digest of a bucket must equal the sum of its parts;
otherwise the side changed meanwhile and no rows are reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from dltsync_core.digest.buckets import RowKeySpec
from dltsync_core.digest.segment import SegmentDigest
from dltsync_core.tsql.buckets import Buckets
from dltsync_core.validate.differing_rows import SOURCE, RowDifference, row_differences
from dltsync_core.validate.row_sample import MOST_HELD, HeldRows

BYTES = 2
"""Bytes of the hash that divide a bucket: into 65,536."""
_DEEPEST = 2 * BYTES


@dataclass(frozen=True)
class Limits:
    """Of at most `at_once` rows nothing is parted any more. `by_value` rows of a place are compared by value: few enough for a
    small result, enough that two partings suffice for a billion rows. `to_part` are parted again: the answer has at most as many
    lines. `buckets` are named by one statement, which takes 2,100 parameters at most. `rows` are given of one unit."""

    at_once: int = 1_000
    by_value: int = 1_000
    to_part: int = 65_536
    buckets: int = 1_000
    rows: int = 100


LIMITS = Limits()


class Side(Protocol):
    """The rows of a unit on one side (source, lake or warehouse)."""

    def digests(self, length: int, within: Buckets | None) -> Mapping[int, SegmentDigest]:
        """The digest of every bucket of `length` bytes that has rows; with `within` of the parts of these buckets only."""

    def held(self, within: Buckets | None) -> HeldRows:
        """The rows of these buckets (None: all of the unit)."""


@dataclass(frozen=True)
class Segment:
    """A bucket that differs."""

    number: int
    digests: Mapping[str, SegmentDigest]

    @property
    def rows(self) -> int:
        """The rows of the side with the most of them."""
        return max(digest.rows for digest in self.digests.values())

    @property
    def least(self) -> int:
        """A lower bound of the rows that differ."""
        return max(1, *(abs(digest.rows - self.digests[SOURCE].rows) for digest in self.digests.values()))


@dataclass(frozen=True)
class Level:
    """The result of one pass over all sides: the number of buckets (0: rows themselves), those that differ, and their rows."""

    buckets: int
    differing: int
    rows: int


@dataclass(frozen=True)
class RowDiff:
    """The rows that differ: at most `Limits.rows`. `omitted` further rows differ, or at least so many where
    `omitted_is_exact` is False. `key` are the columns that name a row; without any each is given whole. `reason` says why no row
    can be given; `moved` is the place whose parts did not add up. The source got one statement per level."""

    key: tuple[str, ...]
    places: tuple[str, ...]
    rows: tuple[RowDifference, ...] = ()
    omitted: int = 0
    omitted_is_exact: bool = True
    levels: tuple[Level, ...] = ()
    reason: str = ""
    moved: str = ""

    @staticmethod
    def refused(reason: str) -> RowDiff:
        """Nothing was read, for this reason."""
        return RowDiff((), (), reason=reason)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: {"key", "places", "rows", "omitted", "omitted_is_exact", "reason", "levels"}; see docs/validation.md."""
        return {
            "key": list(self.key) or None,
            "places": list(self.places),
            "rows": [row.as_dict() for row in self.rows],
            "omitted": self.omitted,
            "omitted_is_exact": self.omitted_is_exact,
            "reason": self.reason or None,
            "levels": [asdict(level) for level in self.levels],
        }


class _Moved(Exception):
    """A side changed during the comparison."""

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__(
            f"the {place} changed during the comparison: validate again"
            + (", while no application writes or with SNAPSHOT isolation allowed" if place == SOURCE else "")
        )


class _KeyRepeats(Exception):
    def __init__(self, place: str, keyed: RowKeySpec) -> None:
        names = ", ".join(column.name for column in keyed.key)
        super().__init__(f"more than {MOST_HELD:,} different rows of the {place} share few keys ({names})")


def diff_rows(
    places: Mapping[str, Side],
    keyed: RowKeySpec,
    whole: Mapping[str, SegmentDigest],
    rows: int,
    limits: Limits = LIMITS,
) -> RowDiff:
    """The rows that differ. `whole` are the known digests of the unit, by side; `rows` is the count of the side with the most
    rows."""
    looked: list[Level] = []
    try:
        return _diff(places, keyed, whole, rows, looked, limits)
    except (_Moved, _KeyRepeats) as problem:
        moved = problem.place if isinstance(problem, _Moved) else ""
        return RowDiff(_key_names(keyed), tuple(places), levels=tuple(looked), reason=str(problem), moved=moved)


def _diff(
    places: Mapping[str, Side],
    keyed: RowKeySpec,
    whole: Mapping[str, SegmentDigest],
    rows: int,
    looked: list[Level],
    limits: Limits,
) -> RowDiff:
    within, omitted, parents = None, 0, {place: {0: digest} for place, digest in whole.items()}
    if rows > limits.at_once:
        for length in range(BYTES, _DEEPEST + 1, BYTES):
            looks = {place: answers.digests(length, within) for place, answers in places.items()}
            _check_sums(looks, length, parents, within)
            found = differing(looks)
            looked.append(Level(len(set().union(*looks.values())), len(found), sum(s.rows for s in found)))
            if not found:
                return RowDiff(
                    _key_names(keyed),
                    tuple(places),
                    omitted=omitted,
                    omitted_is_exact=not omitted,
                    levels=tuple(looked),
                )
            final = length == _DEEPEST or sum(s.rows for s in found) <= limits.at_once
            chosen = first_of(found, limits.by_value if final else limits.to_part, limits.buckets)
            omitted += sum(segment.least for segment in found[len(chosen) :])
            within = Buckets(length, tuple(segment.number for segment in chosen))
            parents = {place: {s.number: s.digests[place] for s in chosen} for place in places}
            if final:
                break
    held = {place: answers.held(within) for place, answers in places.items()}
    for place, has in held.items():
        if has.too_many:
            raise _KeyRepeats(place, keyed)
    _check_rows(held, parents, within)
    looked.append(Level(0, 0, max(sum(has.times.values()) for has in held.values())))
    found_rows = row_differences(held, keyed)
    exact = not omitted
    omitted += len(found_rows[limits.rows :])
    return RowDiff(_key_names(keyed), tuple(places), tuple(found_rows[: limits.rows]), omitted, exact, tuple(looked))


def _key_names(keyed: RowKeySpec) -> tuple[str, ...]:
    return tuple(column.name for column in keyed.key) if keyed.key != keyed.columns else ()


def differing(looks: Mapping[str, Mapping[int, SegmentDigest]]) -> list[Segment]:
    """The buckets that differ, in order."""
    segments = (
        Segment(number, {place: look.get(number, SegmentDigest()) for place, look in looks.items()})
        for number in sorted(set().union(*looks.values()))
    )
    return [segment for segment in segments if len(set(segment.digests.values())) > 1]


def first_of(segments: Sequence[Segment], rows: int, most: int) -> list[Segment]:
    """The first of them with at most `rows` rows together, at most `most`, and at least one."""
    chosen: list[Segment] = []
    for segment in segments[:most]:
        rows -= segment.rows
        if rows < 0 and chosen:
            break
        chosen.append(segment)
    return chosen


def _check_sums(
    looks: Mapping[str, Mapping[int, SegmentDigest]],
    length: int,
    parents: Mapping[str, Mapping[int, SegmentDigest]],
    within: Buckets | None,
) -> None:
    """Raises _Moved when the parts of a bucket do not sum up to its digest."""
    for place, expected in parents.items():
        shift = 8 * (length - (within.length if within else 0))
        sums: dict[int, SegmentDigest] = {}
        for number, digest in looks[place].items():
            sums[number >> shift] = sums.get(number >> shift, SegmentDigest()) + digest
        if any(sums.get(number, SegmentDigest()) != digest for number, digest in _all(expected, sums)):
            raise _Moved(place)


def _check_rows(
    held: Mapping[str, HeldRows], parents: Mapping[str, Mapping[int, SegmentDigest]], within: Buckets | None
) -> None:
    for place, expected in parents.items():
        sums = held[place].segments(within.length) if within else {0: held[place].whole}
        if any(sums.get(number, SegmentDigest()) != digest for number, digest in _all(expected, sums)):
            raise _Moved(place)


def _all(
    expected: Mapping[int, SegmentDigest], found: Mapping[int, SegmentDigest]
) -> Iterator[tuple[int, SegmentDigest]]:
    yield from ((number, expected.get(number, SegmentDigest())) for number in {*expected, *found})
