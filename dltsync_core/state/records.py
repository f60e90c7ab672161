"""What is written into the ledger: as values, and as rows of its tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa

from dltsync_core.clock import iso, parse_iso
from dltsync_core.committed import CommittedUnit, TableKind, load_identity_from, probe_from
from dltsync_core.identity import TableName
from dltsync_core.state.tables import unit_key


class LoadStatus(str, Enum):
    """How far a load got. Recorded as it happens, never changed afterwards."""

    PLANNED = "planned"
    EXTRACTED = "extracted"
    PUBLISHED = "published"
    LOADED = "loaded"
    VALIDATED = "validated"
    COMMITTED = "committed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Looked at and found up to date. Recorded only where a failure stood: it is over."""


@dataclass(frozen=True)
class LoadEvent:
    """One line of the ledger: load `load_id` of a unit reached `status`. `detail` is the reason or the error text.
    `load_id` is empty where there was no load: a table that could not be planned, of which `unit` is then the whole."""

    table: TableName
    kind: TableKind
    unit: str
    load_id: str
    run_id: str
    status: LoadStatus
    at: datetime
    rows: int | None = None
    detail: str = ""


def event_row(pipeline: str, event: LoadEvent) -> dict[str, Any]:
    """The row of an event."""
    return {
        "pipeline": pipeline,
        "schema_name": event.table.schema,
        "table_name": event.table.table,
        "kind": event.kind,
        "unit": event.unit,
        "unit_key": unit_key(pipeline, event.table, event.unit),
        "load_id": event.load_id,
        "run_id": event.run_id,
        "status": event.status.value,
        "at": iso(event.at),
        "rows": event.rows,
        "detail": event.detail,
    }


_NAMING_A_UNIT = ("pipeline", "schema_name", "table_name", "unit")


def unit_values(committed_unit: CommittedUnit) -> dict[str, Any]:
    """What a commit changes in the row of its unit."""
    identity = committed_unit.identity.to_columns()
    return {
        **{name: value for name, value in identity.items() if name not in _NAMING_A_UNIT},
        **committed_unit.probe.to_columns(),
        "watermark": committed_unit.watermark,
        "rows": committed_unit.rows,
        "warehouse_rows": committed_unit.warehouse_rows,
        "lake": committed_unit.lake,
        "committed_at": iso(committed_unit.committed_at),
    }


def committed_unit_from(row: sa.Row[Any]) -> CommittedUnit:
    """The committed unit that a row holds."""
    stored = row._asdict()
    return CommittedUnit(
        identity=load_identity_from(stored),
        generation=row.generation,
        probe=probe_from(stored),
        rows=row.rows,
        warehouse_rows=row.warehouse_rows,
        lake=row.lake,
        committed_at=parse_iso(row.committed_at),
        watermark=row.watermark,
    )


def event_from(row: sa.Row[Any]) -> LoadEvent:
    """The event that a row holds."""
    return LoadEvent(
        table=TableName(row.schema_name, row.table_name),
        kind=row.kind,
        unit=row.unit,
        load_id=row.load_id,
        run_id=row.run_id,
        status=LoadStatus(row.status),
        at=parse_iso(row.at),
        rows=row.rows,
        detail=row.detail,
    )
