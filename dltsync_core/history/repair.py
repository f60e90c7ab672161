"""From versions to the changes that mend them: pure, cautious, and nothing left to do the second time.

Repaired is what has one right answer: a version that another one follows ends at the latest where that one begins, and is
not the latest; the last version, when open, is. Left alone, and reported, is what only the source can know: a gap may be a
thing that was deleted and came back; a last version that is closed may be a deletion; two versions with the same start have
no order; keys that are spelt differently may be one or several, and a change that is right for one is wrong for the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from dltsync_core.history.integrity import Finding, by_likeness, doubt, find_breaches
from dltsync_core.history.versions import Version, VersionColumns


@dataclass(frozen=True)
class VersionChange:
    """A version as it is and as it should be."""

    before: Version
    after: Version


@dataclass(frozen=True)
class RepairPlan:
    """What is wrong and what would be changed. `notes` are sentences about how the table writes its history; `left_alone`
    counts the keys with findings of which nothing is changed."""

    findings: tuple[Finding, ...] = ()
    changes: tuple[VersionChange, ...] = ()
    notes: tuple[str, ...] = ()
    left_alone: int = 0


def plan_repair(versions: Iterable[Version], columns: VersionColumns | None = None) -> RepairPlan:
    """All findings and changes. Versions that are alike come together. `columns` names, in findings, what leaves a doubt."""
    findings: list[Finding] = []
    changes: list[VersionChange] = []
    left_alone = 0
    for entities in by_likeness(versions):
        if len(entities) > 1:
            findings.append(doubt(entities, columns))
            left_alone += 1
            continue
        found = find_breaches(entities[0])
        mended = list(_changes(entities[0], found))
        findings.extend(found)
        changes.extend(mended)
        left_alone += bool(found and not mended)
    return RepairPlan(tuple(findings), tuple(changes), left_alone=left_alone)


def _changes(versions: Sequence[Version], found: Sequence[Finding]) -> Iterator[VersionChange]:
    if not found or any(finding.kind == "same_start" for finding in found):
        return
    for before, after in zip(versions, mend(versions), strict=True):
        if before != after:
            yield VersionChange(before, after)


def mend(versions: Sequence[Version]) -> Iterator[Version]:
    """The versions of one entity as they should be. No two begin at the same moment; they are ordered by valid_from."""
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
    return replace(version, valid_to=valid_to, is_latest=is_latest)
