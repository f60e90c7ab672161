"""What a probe looked at, part by part: two signatures tell not only that something changed, but among which rows.

A signature is text of parts between `|`. Plain parts say something of all rows (count, maximum, digest of the columns); a named
part, `name:figures`, speaks of some of them. A part that is missing says: no such rows, or they were not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from dltsync_core.committed import Probe
from dltsync_core.display import number_of

PartName: TypeAlias = Literal["stamps", "recent", "unstamped", "above"]

STAMPS: PartName = "stamps"
"""scd by a date or time: version keys and stamps of all rows, digested. The warehouse is held to it after an increment."""
RECENT: PartName = "recent"
"""scd by a date or time: the whole content of the rows that an increment reads again (the lag below the watermark). A coarse
stamp may be set to the value it already has."""
UNSTAMPED: PartName = "unstamped"
"""The whole content of the rows whose change column is NULL: no stamp speaks for them. Missing when there are none."""
ABOVE: PartName = "above"
"""scd by rowversion: count and sum of the rowversions at or above the ceiling, which the watermark may not reach yet."""

_NAMES: tuple[PartName, ...] = (STAMPS, RECENT, UNSTAMPED, ABOVE)


def signature(*parts: object, named: Mapping[PartName, str] | None = None, schema_digest: str) -> str:
    """The signature of these parts. The digest of the columns comes last (see `run.planning.schema_changes`)."""
    spelt = ["" if part is None else str(part) for part in parts]
    spelt += [f"{name}:{figures}" for name, figures in (named or {}).items()]
    return "|".join([*spelt, schema_digest])


def figures_of(text: str, name: PartName) -> str | None:
    """The figures of a named part of a signature; None when it has no such part."""
    return next((p[len(name) + 1 :] for p in text.split("|") if p.startswith(f"{name}:")), None)


def rows_of(text: str, name: PartName) -> int:
    """How many rows a named part speaks of; 0 when there is no such part."""
    figures = figures_of(text, name)
    return int(figures.split(",")[0]) if figures else 0


def parts_that_differ(committed: str, now: str) -> frozenset[PartName]:
    """The named parts that two signatures do not share."""
    return frozenset(name for name in _NAMES if figures_of(committed, name) != figures_of(now, name))


def why_changed(committed: Probe, now: Probe) -> str | None:
    """What the source has that was not committed, as a sentence; None when both probes are equal."""
    if committed.method != now.method:
        return f"changes are detected by {now.method} now, by {committed.method} at the last load"
    if committed.rows != now.rows:
        return f"rows went from {committed.rows:,} to {now.rows:,}"
    if committed.watermark_high != now.watermark_high:
        return f"{now.method} moved from {committed.watermark_high or 'NULL'} to {now.watermark_high or 'NULL'}"
    if committed.signature != now.signature:
        reason = why_parts_differ(committed.signature, now.signature)
        return reason or f"the {now.method} of {number_of(now.rows, 'row')} is another one"
    return None


def why_parts_differ(committed: str, now: str) -> str | None:
    """What differs, as a sentence, most telling first; None when no named part does."""
    different = parts_that_differ(committed, now)
    if UNSTAMPED in different:
        return (
            "rows whose change column is NULL are others "
            f"({rows_of(committed, UNSTAMPED):,} then, {rows_of(now, UNSTAMPED):,} now)"
        )
    if ABOVE in different:
        return (
            "rows at or above the lowest rowversion of an open transaction are others "
            f"({rows_of(committed, ABOVE):,} then, {rows_of(now, ABOVE):,} now)"
        )
    if RECENT in different:
        return "rows within the lag below the watermark are others"
    if STAMPS in different:
        return "a stamp further below the watermark than the lag is another one"
    return None
