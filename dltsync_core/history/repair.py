"""From versions to the changes that repair them: pure, cautious, and idempotent.

An issue with one right answer is repaired: a version with a successor ends at the latest where the successor begins, and is
not the latest; the last version, when open, is. Issues that only the source can answer are reported and not changed: a gap may be
a thing that was deleted and came back; a last version that is closed may be a deletion; two versions with the same start have
no order; keys that are written differently may be one or several, and a change that is right for one is wrong for the other.

Where the source's version is known, a version that differs in the warehouse is set to the source's. An issue that the source
has too is not changed without a request: validation would find the difference, and the next load would undo the change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from dltsync_core.display import number_of
from dltsync_core.history.integrity import Origin, VersionIssue, doubt, find_violations, group_possible_matches
from dltsync_core.history.versions import SourceHistory, Version, VersionColumns


class VersionStore(Protocol):
    """A warehouse with versions."""

    def revise_versions(
        self,
        target: tuple[str, str],
        columns: VersionColumns,
        decide: Callable[[Sequence[Version]], RepairPlan],
        *,
        apply: bool,
    ) -> RepairPlan:
        """Give `decide` all versions of every key that may break a rule or equal another key (grouped by possible match, in it by
        entity, ordered by valid_from), and make the planned changes when `apply`. All in one transaction. The plan that was (or
        would be) carried out, with the store's notes."""


@dataclass(frozen=True)
class VersionChange:
    """A version before and after its repair."""

    before: Version
    after: Version


@dataclass(frozen=True)
class RepairPlan:
    """Issues and planned changes. `notes` are sentences about how the table writes its history; `left_alone` counts the keys
    with issues and without changes."""

    findings: tuple[VersionIssue, ...] = ()
    changes: tuple[VersionChange, ...] = ()
    notes: tuple[str, ...] = ()
    left_alone: int = 0


def plan_repair(
    versions: Iterable[Version],
    columns: VersionColumns | None = None,
    *,
    source: SourceHistory | None = None,
    including_source_faults: bool = True,
) -> RepairPlan:
    """All findings and changes. Versions that are alike come together. `columns` names, in findings, what leaves a doubt.
    `source` is what the source said of the keys with findings (None: not known); without `including_source_faults` nothing is
    changed that the source may have said."""
    findings: list[VersionIssue] = []
    changes: list[VersionChange] = []
    left_alone = 0
    for entities in group_possible_matches(versions):
        if len(entities) > 1:
            findings.append(replace(doubt(entities, columns), origin=_origin_of_doubt(entities, source)))
            left_alone += 1
            continue
        found = find_violations(entities[0])
        if not found:
            continue
        after = _wanted(entities[0], source, including_source_faults=including_source_faults)
        mended = [VersionChange(b, a) for b, a in zip(entities[0], after, strict=True) if a != b]
        findings.extend(_judged(found, after, _as_source(entities[0], source)))
        changes.extend(mended)
        left_alone += not mended
    return RepairPlan(tuple(findings), tuple(changes), left_alone=left_alone)


def _wanted(
    versions: Sequence[Version], source: SourceHistory | None, *, including_source_faults: bool
) -> tuple[Version, ...]:
    """The repaired versions of one entity: the source's values, and the rules applied to them on request."""
    after = tuple(versions) if source is None else tuple(_restored(versions, source))
    if not including_source_faults or any(finding.kind == "same_start" for finding in find_violations(after)):
        return after
    return tuple(repaired_versions(after)) if find_violations(after) else after


def _restored(versions: Sequence[Version], source: SourceHistory) -> Iterator[Version]:
    """Each version with the source's end and flag; unchanged where the source does not have it, or the warehouse has it several
    times."""
    times = Counter((version.key, version.valid_from) for version in versions)
    for version in versions:
        said = [each for each in source.get(version.key, ()) if each.valid_from == version.valid_from]
        if len(said) != 1 or times[version.key, version.valid_from] > 1:
            yield version
            continue
        end = None if said[0].written_to is None else said[0].written_to + version.step
        yield _changed(version, end, is_latest=said[0].is_latest)


def _as_source(versions: Sequence[Version], source: SourceHistory | None) -> tuple[Version, ...] | None:
    """The entity at the source. None: unknown."""
    if source is None:
        return None
    pattern = {version.key: version for version in versions}
    told = [
        replace(
            like,
            row=number,
            valid_from=each.valid_from,
            valid_to=None if each.written_to is None else each.written_to + like.step,
            is_latest=each.is_latest,
        )
        for key, like in pattern.items()
        for number, each in enumerate(source.get(key, ()))
    ]
    return tuple(sorted(told, key=lambda version: (version.valid_from, version.row)))


def _judged(
    found: Sequence[VersionIssue], after: Sequence[Version], said: Sequence[Version] | None
) -> Iterator[VersionIssue]:
    """The issues with their origin, and whether the changes repair them."""
    left = {(finding.kind, finding.valid_from) for finding in find_violations(after)}
    at_source = {(finding.kind, finding.valid_from) for finding in find_violations(said)} if said else set()
    for finding in found:
        place = finding.kind, finding.valid_from
        origin: Origin = "unknown" if said is None else "source" if place in at_source else "warehouse"
        yield replace(finding, origin=origin, is_repaired=place not in left)


def _origin_of_doubt(entities: Sequence[Sequence[Version]], source: SourceHistory | None) -> Origin:
    """Keys that are written differently: origin source when the source has several of them too."""
    if source is None:
        return "unknown"
    there = [versions for versions in entities if any(source.get(version.key) for version in versions)]
    return "source" if len(there) > 1 else "warehouse"


def repaired_versions(versions: Sequence[Version]) -> Iterator[Version]:
    """The repaired versions of one entity. No two begin at the same moment; they are ordered by valid_from."""
    for version, following in pairwise(versions):
        yield _changed(version, _end_before(version, following), is_latest=False)
    last = versions[-1]
    if last.valid_to is not None and last.valid_to <= last.valid_from and last.is_latest:
        yield _changed(last, None, is_latest=True)  # it cannot end before its start, and its flag marks it as valid
    else:
        yield _changed(last, last.valid_to, is_latest=last.is_latest or last.valid_to is None)


def _end_before(version: Version, following: Version) -> int:
    """The end of a version with a successor. An end of its own that leaves a gap stays."""
    if version.valid_to is not None and version.valid_from < version.valid_to <= following.valid_from:
        return version.valid_to
    return following.valid_from


def _changed(version: Version, valid_to: int | None, *, is_latest: bool) -> Version:
    return replace(version, valid_to=valid_to, is_latest=is_latest)


def notes_on_history(start: str, end: str, marker: str | None, step: int, skipped: int) -> tuple[str, ...]:
    """What a report says besides its findings. `start` and `end` are columns; `marker` is the end of open versions, as text;
    `step` the nanoseconds between an end and the start that follows; `skipped` the rows without a start."""
    notes = [f"open versions end in {marker or 'NULL'} in {end}"]
    if step:
        seconds = f"{step // 10**9}.{step % 10**9:09d}".rstrip("0").rstrip(".")
        unit = "second" if seconds == "1" else "seconds"
        notes.append(f"ends belong to their version: the next begins {seconds} {unit} later")
    if skipped:
        rows = number_of(skipped, "row")
        notes.append(f"{rows} without {start} {'was' if skipped == 1 else 'were'} not looked at")
    return tuple(notes)
