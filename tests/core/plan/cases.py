"""Small facts and committed units to plan from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts, Slot, TableFacts
from dltsync_core.committed import CommittedUnit, CommittedUnits, LoadIdentity, Marker, Probe, TableKind, lake_digest
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.plan.definition import TableDefinition
from dltsync_core.plan.judgement import UnitEvidence, UnitJudgement, judge
from dltsync_core.plan.selection import RunOptions
from dltsync_core.ranges import Boundary, Side, slots_of

ORDERS = TableName("sales", "Orders")
NOW = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
BASIS = TableDefinition(definition_digest="definition-1", source="server/db")
PLAIN = RunOptions(now=NOW)


def column(name: str, type_name: str = "int") -> ColumnFacts:
    return ColumnFacts(name, 1, type_name, 4, 10, 0, None, is_nullable=True)


def partitioning(boundaries: Sequence[int | None], side: Side = "right") -> PartitioningFacts:
    ranges = slots_of([Boundary(None if b is None else str(b)) for b in boundaries], side)
    slots = tuple(Slot(number, r, 3) for number, r in enumerate(ranges, 1))
    return PartitioningFacts("pf", "ps", column("OrderNo"), side, slots)


def table_facts(boundaries: Sequence[int | None] | None = None, side: Side = "right") -> TableFacts:
    return TableFacts(
        name=ORDERS,
        object_id=1,
        columns=(column("OrderNo"),),
        primary_key=("OrderNo",),
        unique_keys=(("OrderNo",),),
        partitioning=None if boundaries is None else partitioning(boundaries, side),
        approx_rows=9,
    )


def probe(rows: int = 3, signature: str = "3:17:4", method: str = "fingerprint", high: str | None = None) -> Probe:
    return Probe(method, rows, signature, high)


def committed_unit(
    unit: str = WHOLE_TABLE,
    kind: TableKind = "static",
    *,
    seen: Probe | None = None,
    load_id: str = "load-1",
    warehouse_rows: int | None = None,
    watermark: str | None = None,
    definition_digest: str = BASIS.definition_digest,
    source: str = BASIS.source,
    age: timedelta = timedelta(hours=1),
    lake_loads: Iterable[str] | None = None,
) -> CommittedUnit:
    seen = seen or probe()
    return CommittedUnit(
        identity=LoadIdentity("shop", source, ORDERS, kind, unit, load_id, "run-1", definition_digest),
        generation=1,
        probe=seen,
        rows=seen.rows,
        warehouse_rows=seen.rows if warehouse_rows is None else warehouse_rows,
        lake=lake_digest([load_id] if lake_loads is None else lake_loads),
        committed_at=NOW - age,
        watermark=watermark,
    )


def committed_units(*found: CommittedUnit) -> CommittedUnits:
    return CommittedUnits({h.unit: h for h in found}, {h.unit: h.generation for h in found})


def evidence(ledger: CommittedUnit, *lake_loads: str, **more: Any) -> UnitEvidence:
    """A committed unit whose loads the lake holds, and whose rows the warehouse holds, unless said otherwise."""
    loads = lake_loads or (ledger.load_id,)
    given = {"lake_loads": loads, "warehouse_rows": ledger.warehouse_rows, "lake": ledger, **more}
    return UnitEvidence(ledger.unit, ledger.source, ledger=ledger, **{"marker": marker_of(ledger), **given})


def marker_of(unit: CommittedUnit) -> Marker:
    """What the warehouse says when it stands at this committed unit."""
    return Marker(unit.identity, 1, unit.warehouse_rows, unit.probe, unit.watermark, unit.lake, unit.committed_at)


def judged(*found: UnitEvidence) -> dict[str, UnitJudgement]:
    return {each.unit: judge(each) for each in found}


def intact(*found: CommittedUnit) -> dict[str, UnitJudgement]:
    """A lake and a warehouse that hold what these committed units committed."""
    return judged(*(evidence(each, lake_loads=(each.load_id,)) for each in found))
