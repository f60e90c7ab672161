"""Markers as rows of a table, for warehouses that are databases, and the error for a late writer.

Targets are compared without regard to case, as most warehouses compare names: a config with two that differ in case only is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dltsync_core.clock import iso, parse_iso
from dltsync_core.committed import Marker, load_identity_from, probe_from
from dltsync_core.errors import Fenced
from dltsync_core.identity import Target

OF_TARGET = ("target_schema", "target_table")


def folded(target: Target) -> tuple[str, str]:
    """The target as markers name it."""
    return target[0].casefold(), target[1].casefold()


def row_of(marker: Marker, target: Target) -> dict[str, str | int | None]:
    """The values by column."""
    return {
        **marker.identity.to_columns(),
        **dict(zip(OF_TARGET, folded(target), strict=True)),
        "fence": marker.fence,
        "rows": marker.rows,
        **marker.probe.to_columns(),
        "watermark": marker.watermark,
        "lake": marker.lake,
        "written_at": iso(marker.written_at),
    }


def marker_from(row: Mapping[str, Any]) -> Marker:
    """The marker that `row_of` stored."""
    return Marker(
        identity=load_identity_from(row),
        fence=row["fence"],
        rows=row["rows"],
        probe=probe_from(row),
        watermark=row["watermark"],
        lake=row["lake"],
        written_at=parse_iso(row["written_at"]),
    )


def late_writer(marker: Marker, load_id: str) -> Fenced:
    """The error for a load that arrives after `load_id`, whose fence is higher."""
    return Fenced(
        f"{marker.table} {marker.unit}: load {load_id} of another run reached the warehouse in between",
        remedy="nothing of this load was written; run again, it will see what the other run did",
        table=str(marker.table),
        unit=marker.unit,
    )
