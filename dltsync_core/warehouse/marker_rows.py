"""A marker as a row of the table `_dltsync.markers`, whatever database has it; and the fence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dltsync_core.clock import iso, parse_iso
from dltsync_core.committed import Marker, load_identity_from, probe_from
from dltsync_core.errors import Fenced
from dltsync_core.identity import Target

MARKER_SCHEMA = "_dltsync"
MARKER_TABLE: Target = (MARKER_SCHEMA, "markers")
MARKER_COLUMNS: Mapping[str, str] = {
    "pipeline": "VARCHAR",
    "target_schema": "VARCHAR",
    "target_table": "VARCHAR",
    "unit": "VARCHAR",
    "schema_name": "VARCHAR",
    "table_name": "VARCHAR",
    "kind": "VARCHAR",
    "load_id": "VARCHAR",
    "run_id": "VARCHAR",
    "fence": "BIGINT",
    "rows": "BIGINT",
    "probe_method": "VARCHAR",
    "probe_rows": "BIGINT",
    "probe_signature": "VARCHAR",
    "probe_watermark": "VARCHAR",
    "watermark": "VARCHAR",
    "definition_digest": "VARCHAR",
    "source": "VARCHAR",
    "lake": "VARCHAR",
    "written_at": "VARCHAR",
}
"""Columns, with their types in standard SQL."""
OF_TARGET = ("target_schema", "target_table")
OF_UNIT = ("pipeline", *OF_TARGET, "unit")
VOIDED = ("load_id", "lake", "watermark")
"""What `voided_by` replaces in the markers of other pipelines."""


def marker_row(marker: Marker, target: Target) -> dict[str, Any]:
    """The values by column. `target` is written as the database tells tables apart."""
    return {
        **marker.identity.to_columns(),
        **dict(zip(OF_TARGET, target, strict=True)),
        "fence": marker.fence,
        "rows": marker.rows,
        **marker.probe.to_columns(),
        "watermark": marker.watermark,
        "lake": marker.lake,
        "written_at": iso(marker.written_at),
    }


def marker_from(row: Mapping[str, Any]) -> Marker:
    """The marker that `marker_row` wrote."""
    return Marker(
        identity=load_identity_from(row),
        fence=int(row["fence"]),
        rows=int(row["rows"]),
        probe=probe_from(row),
        watermark=row["watermark"],
        lake=row["lake"],
        written_at=parse_iso(row["written_at"]),
    )


def voided_by(marker: Marker, known: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Which of the markers of a table, (pipeline, unit), are true no more after this load: those of other pipelines. They then
    name this load, and no load of their lake, so that their pipelines fill the unit again. Units are told apart within one
    pipeline only: of another one's, those that are units of ours as well are left alone."""
    beside = {unit for pipeline, unit in known if pipeline == marker.pipeline and unit != marker.unit}
    return [(pipeline, unit) for pipeline, unit in known if pipeline != marker.pipeline and unit not in beside]


def refuse_late_writer(stored: Marker | None, marker: Marker) -> None:
    """Raises Fenced when a writer with a higher fence has been at the unit: the load that wants in is an older one."""
    if stored is not None and stored.fence > marker.fence:
        raise Fenced(
            f"{marker.table} {marker.unit}: load {stored.load_id} of another run reached the warehouse in between",
            remedy="nothing of this load was written; run again, it will see what the other run did",
            table=str(marker.table),
            unit=marker.unit,
        )
