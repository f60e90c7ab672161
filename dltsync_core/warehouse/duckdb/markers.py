"""The markers of a DuckDB warehouse: one row per unit, written with the unit's rows, readable by anyone.

`_dltsync.markers` tells which load the rows of a partition or table come from, how many they are and up to which watermark.
"""

from __future__ import annotations

from typing import Any

from duckdb import DuckDBPyConnection

from dltsync_core.clock import iso, parse_iso
from dltsync_core.committed import Marker, load_identity_from, probe_from
from dltsync_core.duckdb import sql as q
from dltsync_core.errors import Fenced
from dltsync_core.identity import Target
from dltsync_core.warehouse.duckdb.catalog import find_table

MARKER_SCHEMA = "_dltsync"
_TABLE: Target = (MARKER_SCHEMA, "markers")
_COLUMNS = {
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
_OF_TARGET = ("target_schema", "target_table")
_OF_UNIT = ("pipeline", *_OF_TARGET, "unit")


def read_markers(
    connection: DuckDBPyConnection, catalog: str, target: Target, pipeline: str, *, unit: str | None = None
) -> dict[str, Marker]:
    """The markers of one table by unit, or that of one `unit`. Targets are compared as DuckDB compares names: case does not
    count."""
    if find_table(connection, catalog, _TABLE) is None:
        return {}
    of = ("pipeline", *_OF_TARGET) if unit is None else _OF_UNIT
    values = [pipeline, *_folded(target), *(() if unit is None else (unit,))]
    rows = connection.execute(q.select_rows(catalog, _TABLE, list(_COLUMNS), of), values).fetchall()
    markers = (_marker(dict(zip(_COLUMNS, row, strict=True))) for row in rows)
    return {marker.unit: marker for marker in markers}


def refuse_late_writer(connection: DuckDBPyConnection, catalog: str, target: Target, marker: Marker) -> None:
    """Raises Fenced when a writer with a higher fence has been at the unit: the load that wants in is an older one."""
    stored = read_markers(connection, catalog, target, marker.pipeline, unit=marker.unit).get(marker.unit)
    if stored is not None and stored.fence > marker.fence:
        raise Fenced(
            f"{marker.table} {marker.unit}: load {stored.load_id} of another run reached the warehouse in between",
            remedy="nothing of this load was written; run again, it will see what the other run did",
            table=str(marker.table),
            unit=marker.unit,
        )


def write_marker(
    connection: DuckDBPyConnection, catalog: str, target: Target, marker: Marker, retires: tuple[str, ...]
) -> None:
    """Put the unit's marker in the place of its last one, and take away those of `retires`. What other pipelines' markers say of
    the same rows is true no more: theirs then name this load, and no load of their lake, so that they fill the unit again."""
    connection.execute(q.create_schema(catalog, MARKER_SCHEMA))
    connection.execute(q.create_table(catalog, _TABLE, _COLUMNS))
    for unit in (marker.unit, *retires):
        connection.execute(q.delete_rows(catalog, _TABLE, _OF_UNIT), [marker.pipeline, *_folded(target), unit])
    row = _row(marker, target)
    connection.execute(q.insert_row(catalog, _TABLE, list(row)), list(row.values()))
    _void_other_pipelines(connection, catalog, target, marker)


def _void_other_pipelines(connection: DuckDBPyConnection, catalog: str, target: Target, marker: Marker) -> None:
    """Units are told apart within one pipeline only: of another one's, those that are units of ours as well are left alone."""
    known = connection.execute(
        q.select_rows(catalog, _TABLE, ("pipeline", "unit"), _OF_TARGET), _folded(target)
    ).fetchall()
    beside = {unit for pipeline, unit in known if pipeline == marker.pipeline and unit != marker.unit}
    void = q.update_rows(catalog, _TABLE, ("load_id", "lake", "watermark"), _OF_UNIT)
    for pipeline, unit in known:
        if pipeline != marker.pipeline and unit not in beside:
            connection.execute(void, [marker.load_id, "", None, pipeline, *_folded(target), unit])


def drop_markers(connection: DuckDBPyConnection, catalog: str, target: Target) -> None:
    """A table that is gone has no units."""
    if find_table(connection, catalog, _TABLE) is not None:
        connection.execute(q.delete_rows(catalog, _TABLE, _OF_TARGET), _folded(target))


def _folded(target: Target) -> list[str]:
    return [part.casefold() for part in target]


def _row(marker: Marker, target: Target) -> dict[str, Any]:
    return {
        **marker.identity.to_columns(),
        **dict(zip(_OF_TARGET, _folded(target), strict=True)),
        "fence": marker.fence,
        "rows": marker.rows,
        **marker.probe.to_columns(),
        "watermark": marker.watermark,
        "lake": marker.lake,
        "written_at": iso(marker.written_at),
    }


def _marker(row: dict[str, Any]) -> Marker:
    return Marker(
        identity=load_identity_from(row),
        fence=row["fence"],
        rows=row["rows"],
        probe=probe_from(row),
        watermark=row["watermark"],
        lake=row["lake"],
        written_at=parse_iso(row["written_at"]),
    )
