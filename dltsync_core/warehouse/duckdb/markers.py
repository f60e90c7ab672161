"""The markers of a DuckDB warehouse: one row per unit, written with the unit's rows, readable by anyone.

`_dltsync.markers` tells which load the rows of a partition or table come from, how many they are and up to which watermark.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from dltsync_core.committed import Marker
from dltsync_core.duckdb import sql as q
from dltsync_core.identity import Target
from dltsync_core.warehouse.duckdb.catalog import find_table
from dltsync_core.warehouse.marker_rows import OF_TARGET, folded, late_writer, marker_from, row_of

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
_OF_UNIT = ("pipeline", *OF_TARGET, "unit")


def read_markers(
    connection: DuckDBPyConnection, catalog: str, target: Target, pipeline: str, *, unit: str | None = None
) -> dict[str, Marker]:
    """The markers of one table by unit, or that of one `unit`. Targets are compared as DuckDB compares names: case does not
    count."""
    if find_table(connection, catalog, _TABLE) is None:
        return {}
    of = ("pipeline", *OF_TARGET) if unit is None else _OF_UNIT
    values = [pipeline, *folded(target), *(() if unit is None else (unit,))]
    rows = connection.execute(q.select_rows(catalog, _TABLE, list(_COLUMNS), of), values).fetchall()
    markers = (marker_from(dict(zip(_COLUMNS, row, strict=True))) for row in rows)
    return {marker.unit: marker for marker in markers}


def refuse_late_writer(connection: DuckDBPyConnection, catalog: str, target: Target, marker: Marker) -> None:
    """Raises Fenced when a writer with a higher fence has been at the unit: the load that wants in is an older one."""
    stored = read_markers(connection, catalog, target, marker.pipeline, unit=marker.unit).get(marker.unit)
    if stored is not None and stored.fence > marker.fence:
        raise late_writer(marker, stored.load_id)


def write_marker(
    connection: DuckDBPyConnection, catalog: str, target: Target, marker: Marker, retires: tuple[str, ...]
) -> None:
    """Put the unit's marker in the place of its last one, and take away those of `retires`. What other pipelines' markers say of
    the same rows is true no more: theirs then name this load, and no load of their lake, so that they fill the unit again."""
    connection.execute(q.create_schema(catalog, MARKER_SCHEMA))
    connection.execute(q.create_table(catalog, _TABLE, _COLUMNS))
    for unit in (marker.unit, *retires):
        connection.execute(q.delete_rows(catalog, _TABLE, _OF_UNIT), [marker.pipeline, *folded(target), unit])
    row = row_of(marker, target)
    connection.execute(q.insert_row(catalog, _TABLE, list(row)), list(row.values()))
    _void_other_pipelines(connection, catalog, target, marker)


def _void_other_pipelines(connection: DuckDBPyConnection, catalog: str, target: Target, marker: Marker) -> None:
    """Units are told apart within one pipeline only: of another one's, those that are units of ours as well are left alone."""
    known = connection.execute(
        q.select_rows(catalog, _TABLE, ("pipeline", "unit"), OF_TARGET), list(folded(target))
    ).fetchall()
    beside = {unit for pipeline, unit in known if pipeline == marker.pipeline and unit != marker.unit}
    void = q.update_rows(catalog, _TABLE, ("load_id", "lake", "watermark"), _OF_UNIT)
    for pipeline, unit in known:
        if pipeline != marker.pipeline and unit not in beside:
            connection.execute(void, [marker.load_id, "", None, pipeline, *folded(target), unit])


def drop_markers(connection: DuckDBPyConnection, catalog: str, target: Target) -> None:
    """A table that is gone has no units."""
    if find_table(connection, catalog, _TABLE) is not None:
        connection.execute(q.delete_rows(catalog, _TABLE, OF_TARGET), list(folded(target)))
