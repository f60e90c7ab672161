"""The rules for the versions of one key, and the issues that break them.

One latest version, and it is the last; each version ends where the next begins; a version ends after it begins; latest and
open are the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal, TypeAlias

from dltsync_core.display import number_of
from dltsync_core.history.collation import CollationRule
from dltsync_core.history.versions import Version, VersionColumns, moment_text

_SHOWN = 5
"""Number of keys that a message lists."""

FindingKind: TypeAlias = Literal[
    "several_latest",
    "no_latest",
    "overlap",
    "gap",
    "superseded_but_open",
    "superseded_but_latest",
    "zero_length",
    "inverted",
    "latest_but_closed",
    "open_but_not_latest",
    "same_start",
    "possible_same_key",
]


Origin: TypeAlias = Literal["source", "warehouse", "unknown"]
"""Where the issue comes from: the source has it too, only the warehouse has it, or the lake cannot show which."""


@dataclass(frozen=True)
class VersionIssue:
    """One rule that one key breaks, or keys that may be one (`possible_same_key`). `valid_from` identifies the version (None:
    the key as a whole). `is_repaired`: the planned changes repair it."""

    kind: FindingKind
    key: tuple[str | None, ...]
    valid_from: int | None
    detail: str
    origin: Origin = "unknown"
    is_repaired: bool = False

    def __str__(self) -> str:
        key = ", ".join("NULL" if part is None else part for part in self.key)
        return f"{key}: {self.kind}: {self.detail}"


def group_possible_matches(versions: Iterable[Version]) -> Iterator[tuple[tuple[Version, ...], ...]]:
    """The entities that may be one, each as its versions; mostly one alone. Versions that are alike come together."""
    for _, group in groupby(versions, key=lambda version: version.like or version.key):
        yield tuple(by_entity(group))


def by_entity(versions: Iterable[Version]) -> Iterator[tuple[Version, ...]]:
    """The versions of one entity after another, each ordered by valid_from. Versions of an entity come together."""
    for _, group in groupby(versions, key=lambda version: version.entity or version.key):
        yield tuple(sorted(group, key=lambda version: (version.valid_from, version.row)))


def doubt(entities: Sequence[Sequence[Version]], columns: VersionColumns | None) -> VersionIssue:
    """These entities may be one: only the server can compare their keys. Other issues of them could be wrong."""
    keys = sorted(
        {version.key for versions in entities for version in versions}, key=lambda key: [part or "" for part in key]
    )
    shown = ", ".join(" + ".join("NULL" if part is None else f"'{part}'" for part in key) for key in keys[:_SHOWN])
    more = f" and {len(keys) - _SHOWN:,} more" if len(keys) > _SHOWN else ""
    under = "".join(f" under {_named(*column)}" for column in _in_doubt(entities, columns))
    return VersionIssue(
        "possible_same_key", keys[0], None, f"{shown}{more} are written differently and may be one entity{under}"
    )


def _in_doubt(
    entities: Sequence[Sequence[Version]], columns: VersionColumns | None
) -> Iterator[tuple[str, CollationRule]]:
    """The key columns in which these entities differ."""
    for number, (name, spelling) in enumerate(columns.compared if columns else ()):
        if spelling is not None and len({(v[0].entity or v[0].key)[number] for v in entities}) > 1:
            yield name, spelling


def _named(column: str, spelling: CollationRule) -> str:
    if spelling.collation is None:
        return f"the collation of {column}, which is not known"
    return f"the collation {spelling.collation} of {column}"


def find_violations(versions: Sequence[Version]) -> tuple[VersionIssue, ...]:
    """The issues of one entity's versions, ordered by valid_from. Empty when all rules hold."""
    return (
        *_of_key(versions),
        *(finding for version in versions if (finding := _of_version(version))),
        *(finding for earlier, later in pairwise(versions) for finding in _of_neighbours(earlier, later)),
        *_of_last(versions[-1]),
    )


def _of_key(versions: Sequence[Version]) -> Iterator[VersionIssue]:
    key = versions[0].key
    latest = sum(version.is_latest for version in versions)
    if latest > 1:
        yield VersionIssue("several_latest", key, None, f"{latest} versions are marked latest")
    if latest == 0:
        yield VersionIssue("no_latest", key, None, f"none of {number_of(len(versions), 'version')} is marked latest")


def _of_version(version: Version) -> VersionIssue | None:
    if version.valid_to is None or version.valid_to > version.valid_from:
        return None
    start, end = moment_text(version.valid_from), moment_text(version.valid_to)
    if version.valid_to == version.valid_from:
        return VersionIssue("zero_length", version.key, version.valid_from, f"begins and ends at {start}")
    return VersionIssue(
        "inverted", version.key, version.valid_from, f"begins at {start} and ends before that, at {end}"
    )


def _of_neighbours(earlier: Version, later: Version) -> Iterator[VersionIssue]:
    start, end, follows = (moment_text(m) for m in (earlier.valid_from, earlier.valid_to, later.valid_from))
    if earlier.valid_from == later.valid_from:
        yield VersionIssue("same_start", earlier.key, earlier.valid_from, f"two versions begin at {start}")
        return
    if earlier.is_latest:
        detail = f"the version of {start} is marked latest, another begins at {follows}"
        yield VersionIssue("superseded_but_latest", earlier.key, earlier.valid_from, detail)
    if earlier.valid_to is None:
        detail = f"the version of {start} is open, another begins at {follows}"
        yield VersionIssue("superseded_but_open", earlier.key, earlier.valid_from, detail)
    elif earlier.valid_to > later.valid_from:
        detail = f"the version of {start} ends at {end}, after the next begins at {follows}"
        yield VersionIssue("overlap", earlier.key, earlier.valid_from, detail)
    elif earlier.valid_from < earlier.valid_to < later.valid_from:
        detail = f"the version of {start} ends at {end}, the next begins at {follows}"
        yield VersionIssue("gap", earlier.key, earlier.valid_from, detail)


def _of_last(last: Version) -> Iterator[VersionIssue]:
    start, end = moment_text(last.valid_from), moment_text(last.valid_to)
    if last.is_latest and last.valid_to is not None:
        detail = f"the last version, of {start}, is marked latest and ended at {end}"
        yield VersionIssue("latest_but_closed", last.key, last.valid_from, detail)
    if not last.is_latest and last.valid_to is None:
        detail = f"the last version, of {start}, is open and not marked latest"
        yield VersionIssue("open_but_not_latest", last.key, last.valid_from, detail)
