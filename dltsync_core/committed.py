"""What is committed: the last validated load of each unit. The ledger keeps these; planning compares with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from dltsync_core.held_back import HeldBack
from dltsync_core.identity import TableName

TableKind = Literal["partition", "scd", "static"]


@dataclass(frozen=True)
class Probe:
    """What a cheap look at a unit of the source said. Equal probes mean: nothing changed.

    `method` names how it looked (rowversion, last_modified, fingerprint, row_count); probes of different methods are never
    equal. `signature` is text made of the server's figures, part by part (`plan.evidence`); `watermark_high` is the largest
    change position seen, server text. `held_back` is told beside it: it belongs to the moment, not to what was seen of the rows.
    """

    method: str
    rows: int
    signature: str
    watermark_high: str | None = None
    held_back: HeldBack | None = field(default=None, compare=False)


def lake_digest(load_ids: Iterable[str]) -> str:
    """A short name for a set of lake loads, the same whatever their order."""
    return hashlib.sha256("\n".join(sorted(load_ids)).encode()).hexdigest()[:16]


def prefix_digests(load_ids: Sequence[str]) -> Iterator[str]:
    """The `lake_digest` of the first load, of the first two, and so on: in one pass where the ids ascend, as those of loads that
    were made one after the other do."""
    digest, last = hashlib.sha256(), ""
    for count, load_id in enumerate(load_ids, start=1):
        ascending = count == 1 or last < load_id
        if not ascending:
            yield from (lake_digest(load_ids[:longer]) for longer in range(count, len(load_ids) + 1))
            return
        digest.update(f"{'' if count == 1 else chr(10)}{load_id}".encode())
        last = load_id
        yield digest.hexdigest()[:16]


@dataclass(frozen=True)
class CommittedUnit:
    """The committed state of one unit.

    `generation` grows by one with every commit of the unit and never goes back, not even when the unit vanished and came
    again: it is what compare-and-set compares. `rows` were counted at the source and found equal in lake and warehouse;
    `warehouse_rows` differs from it only where the warehouse keeps rows that the source no longer has (static upsert).
    `shape` names columns, types and partitioning column (`plan.definition_digest`), `source` the server and database they
    came from.
    `watermark` is server text, None for kinds without one. `lake` is the digest of the lake loads that made up the unit
    (`lake_digest`), so that a lost change file is noticed.
    """

    table: TableName
    unit: str
    kind: TableKind
    generation: int
    load_id: str
    run_id: str
    probe: Probe
    rows: int
    warehouse_rows: int
    shape: str
    source: str
    lake: str
    committed_at: datetime
    watermark: str | None = None


@dataclass(frozen=True)
class CommittedUnits:
    """All the ledger knows about one table: live committed units by unit, and the generation each unit ever reached."""

    live: Mapping[str, CommittedUnit] = field(default_factory=dict)
    generations: Mapping[str, int] = field(default_factory=dict)

    def generation(self, unit: str) -> int:
        """The generation to expect when committing this unit next; 0 for one that was never committed."""
        return self.generations.get(unit, 0)


@dataclass(frozen=True)
class CommitChange:
    """One compare-and-set: put `committed_unit` (or remove the unit, None) if the unit still is at `expected_generation`."""

    unit: str
    expected_generation: int
    committed_unit: CommittedUnit | None
