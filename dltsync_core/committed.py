"""One load, by the values that lake, warehouse and ledger say of it: its identity, the probe, the marker, the committed unit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from dltsync_core.held_back import HeldBack
from dltsync_core.identity import TableName

TableKind = Literal["partition", "scd", "static"]


_KINDS = get_args(TableKind)


@dataclass(frozen=True)
class LoadIdentity:
    """Which load this is, and of what. The same values in the footer of each file, in the manifest, the marker and the ledger.

    `source` is the server and database the rows came from. `unit` is a partition key or `identity.WHOLE_TABLE`.
    `definition_digest` names columns, types, keys, target and what splits or orders the rows (`plan.definition_digest`).
    """

    pipeline: str
    source: str
    table: TableName
    kind: TableKind
    unit: str
    load_id: str
    run_id: str
    definition_digest: str

    def to_columns(self) -> dict[str, str]:
        """The values by the names they are stored under."""
        return {
            "pipeline": self.pipeline,
            "source": self.source,
            "schema_name": self.table.schema,
            "table_name": self.table.table,
            "kind": self.kind,
            "unit": self.unit,
            "load_id": self.load_id,
            "run_id": self.run_id,
            "definition_digest": self.definition_digest,
        }


def load_identity_from(stored: Mapping[str, Any]) -> LoadIdentity:
    """The identity that `to_columns` stored. Raises KeyError for a missing value, ValueError for an unknown kind."""
    if stored["kind"] not in _KINDS:
        raise ValueError(f"unknown kind {stored['kind']!r}")
    return LoadIdentity(
        pipeline=stored["pipeline"],
        source=stored["source"],
        table=TableName(stored["schema_name"], stored["table_name"]),
        kind=stored["kind"],
        unit=stored["unit"],
        load_id=stored["load_id"],
        run_id=stored["run_id"],
        definition_digest=stored["definition_digest"],
    )


class OfLoad:
    """Something that belongs to one load: what its `identity` says can be asked of it directly."""

    identity: LoadIdentity

    @property
    def pipeline(self) -> str:
        return self.identity.pipeline

    @property
    def source(self) -> str:
        return self.identity.source

    @property
    def table(self) -> TableName:
        return self.identity.table

    @property
    def kind(self) -> TableKind:
        return self.identity.kind

    @property
    def unit(self) -> str:
        return self.identity.unit

    @property
    def load_id(self) -> str:
        return self.identity.load_id

    @property
    def run_id(self) -> str:
        return self.identity.run_id

    @property
    def definition_digest(self) -> str:
        return self.identity.definition_digest


@dataclass(frozen=True)
class Probe:
    """What a cheap query says of a unit of the source. Equal probes mean that nothing changed.

    `method` names the change detection (rowversion, last_modified, fingerprint, row_count); probes of different methods are never
    equal. `signature` is text made of the server's figures, part by part (`plan.evidence`); `watermark_high` is the largest
    change position seen, server text. `held_back` is no part of the comparison: it belongs to the moment, not to the rows.
    """

    method: str
    rows: int
    signature: str
    watermark_high: str | None = None
    held_back: HeldBack | None = field(default=None, compare=False)

    def to_columns(self) -> dict[str, str | int | None]:
        """The values by the names they are stored under."""
        return {
            "probe_method": self.method,
            "probe_rows": self.rows,
            "probe_signature": self.signature,
            "probe_watermark": self.watermark_high,
        }


def probe_from(stored: Mapping[str, Any]) -> Probe:
    """The probe that `to_columns` stored. Raises KeyError for a missing value, ValueError for rows that are no number."""
    rows = int(stored["probe_rows"])
    return Probe(stored["probe_method"], rows, stored["probe_signature"], stored.get("probe_watermark"))


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
class CommittedUnit(OfLoad):
    """The committed state of one unit: its last validated load.

    `generation` grows by one with every commit of the unit and never goes back, not even when the unit vanished and came
    again: it is what compare-and-set compares. `rows` were counted at the source and found equal in lake and warehouse;
    `warehouse_rows` differs from it only where the warehouse retains rows that the source no longer has (static upsert).
    `watermark` is server text, None for kinds without one. `lake` is the digest of the lake loads that made up the unit
    (`lake_digest`), so that a lost change file is noticed.
    """

    identity: LoadIdentity
    generation: int
    probe: Probe
    rows: int
    warehouse_rows: int
    lake: str
    committed_at: datetime
    watermark: str | None = None


@dataclass(frozen=True)
class Marker(OfLoad):
    """What the warehouse itself says of one unit, written in the same transaction as the unit's rows.

    It answers "did that load get through?" after a crash, and a lost ledger is rebuilt from it. `lake` is the digest of the lake
    loads the unit consists of (`lake_digest`). `rows` are the unit's rows in the warehouse, counted inside the transaction; in a
    request it is what the load is expected to make of it. `fence` orders the writers: a load with a lower one than the stored is
    refused (`errors.Fenced`).
    """

    identity: LoadIdentity
    fence: int
    rows: int
    probe: Probe
    watermark: str | None
    lake: str
    written_at: datetime


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
