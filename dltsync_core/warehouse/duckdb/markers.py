"""The markers of a DuckDB warehouse: one row per unit, written with the unit's rows, readable by anyone.

`_dltsync.markers` tells which load the rows of a partition or table come from, how many they are and up to which watermark.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from dltsync_core.committed import Marker
from dltsync_core.duckdb import sql as q
from dltsync_core.identity import Target
from dltsync_core.warehouse import marker_rows
from dltsync_core.warehouse.duckdb.catalog import find_table
from dltsync_core.warehouse.marker_rows import (
    MARKER_COLUMNS,
    MARKER_SCHEMA,
    OF_TARGET,
    OF_UNIT,
    VOIDED,
    marker_from,
    marker_row,
    voided_by,
)
from dltsync_core.warehouse.marker_rows import MARKER_TABLE as _TABLE


def read_markers(
    connection: DuckDBPyConnection, catalog: str, target: Target, pipeline: str, *, unit: str | None = None
) -> dict[str, Marker]:
    """The markers of one table by unit, or that of one `unit`. Targets are compared as DuckDB compares names: case does not
    count."""
    if find_table(connection, catalog, _TABLE) is None:
        return {}
    of = ("pipeline", *OF_TARGET) if unit is None else OF_UNIT
    values = [pipeline, *_folded(target), *(() if unit is None else (unit,))]
    rows = connection.execute(q.select_rows(catalog, _TABLE, list(MARKER_COLUMNS), of), values).fetchall()
    markers = (marker_from(dict(zip(MARKER_COLUMNS, row, strict=True))) for row in rows)
    return {marker.unit: marker for marker in markers}


def refuse_late_writer(connection: DuckDBPyConnection, catalog: str, target: Target, marker: Marker) -> None:
    """Raises Fenced when a writer with a higher fence has been at the unit: the load that wants in is an older one."""
    stored = read_markers(connection, catalog, target, marker.pipeline, unit=marker.unit)
    marker_rows.refuse_late_writer(stored.get(marker.unit), marker)


def write_marker(
    connection: DuckDBPyConnection, catalog: str, target: Target, marker: Marker, retires: tuple[str, ...]
) -> None:
    """Put the unit's marker in the place of its last one, and take away those of `retires`. What other pipelines' markers say of
    the same rows is true no more (`marker_rows.voided_by`)."""
    connection.execute(q.create_schema(catalog, MARKER_SCHEMA))
    connection.execute(q.create_table(catalog, _TABLE, MARKER_COLUMNS))
    for unit in (marker.unit, *retires):
        connection.execute(q.delete_rows(catalog, _TABLE, OF_UNIT), [marker.pipeline, *_folded(target), unit])
    schema, table = _folded(target)
    row = marker_row(marker, (schema, table))
    connection.execute(q.insert_row(catalog, _TABLE, list(row)), list(row.values()))
    known = connection.execute(
        q.select_rows(catalog, _TABLE, ("pipeline", "unit"), OF_TARGET), [schema, table]
    ).fetchall()
    void = q.update_rows(catalog, _TABLE, VOIDED, OF_UNIT)
    for pipeline, unit in voided_by(marker, [(str(pipeline), str(unit)) for pipeline, unit in known]):
        connection.execute(void, [marker.load_id, "", None, pipeline, schema, table, unit])


def drop_markers(connection: DuckDBPyConnection, catalog: str, target: Target) -> None:
    """A table that is gone has no units."""
    if find_table(connection, catalog, _TABLE) is not None:
        connection.execute(q.delete_rows(catalog, _TABLE, OF_TARGET), _folded(target))


def _folded(target: Target) -> list[str]:
    return [part.casefold() for part in target]
