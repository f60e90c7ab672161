"""From versions to the changes that mend them: pure, cautious, and nothing left to do the second time.

Repaired is what has one right answer: a version that another one follows ends at the latest where that one begins, and is
not the latest; the last version, when open, is. Left alone, and reported, is what only the source can know: a gap may be a
thing that was deleted and came back; a last version that is closed may be a deletion; two versions with the same start have
no order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dltsync_core.history.integrity import Finding, by_key, find_breaches
from dltsync_core.history.versions import Version


@dataclass(frozen=True)
class VersionChange:
    """A version as it is and as it should be."""

    before: Version
    after: Version


@dataclass(frozen=True)
class RepairPlan:
    """What is wrong and what would be changed. `notes` are sentences about how the table writes its history."""

    findings: tuple[Finding, ...] = ()
    changes: tuple[VersionChange, ...] = ()
    notes: tuple[str, ...] = ()


def plan_repair(versions: Iterable[Version]) -> RepairPlan:
    """All findings and changes. Versions of one key come together."""
    findings: list[Finding] = []
    changes: list[VersionChange] = []
    for group in by_key(versions):
        breaches = find_breaches(group)
        findings.extend(breaches)
        if breaches and not any(finding.kind == "same_start" for finding in breaches):
            changes.extend(
                VersionChange(before, after)
                for before, after in zip(group, mend(group), strict=True)
                if before != after
            )
    return RepairPlan(tuple(findings), tuple(changes))


def mend(versions: Sequence[Version]) -> Iterator[Version]:
    """The versions of one key as they should be. No two begin at the same moment; they are ordered by valid_from."""
    for version, following in pairwise(versions):
        yield _changed(version, _end_before(version, following), is_latest=False)
    last = versions[-1]
    if last.valid_to is not None and last.valid_to <= last.valid_from and last.is_latest:
        yield _changed(last, None, is_latest=True)  # it cannot have ended before it began, and it claims to be valid
    else:
        yield _changed(last, last.valid_to, is_latest=last.is_latest or last.valid_to is None)


def _end_before(version: Version, following: Version) -> int:
    """Where a version ends that another follows. An end of its own that leaves a gap stays."""
    if version.valid_to is not None and version.valid_from < version.valid_to <= following.valid_from:
        return version.valid_to
    return following.valid_from


def _changed(version: Version, valid_to: int | None, *, is_latest: bool) -> Version:
    return Version(version.row, version.key, version.valid_from, valid_to, is_latest)
