"""The markers of a DuckDB warehouse: one row per unit, written with the unit's rows, readable by anyone.

`_dltsync.markers` tells which load the rows of a partition or table come from, how many they are and up to which watermark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

_OF_PIPELINE = ("pipeline", *OF_TARGET)


def read_markers(
    connection: DuckDBPyConnection, catalog: str, target: Target, pipeline: str, *, units: Sequence[str] | None = None
) -> dict[str, Marker]:
    """The markers of one table by unit, or those of some units. Targets are compared as DuckDB compares names: case does not
    count."""
    if find_table(connection, catalog, _TABLE) is None:
        return {}
    statement = q.select_rows(
        catalog, _TABLE, list(MARKER_COLUMNS), _OF_PIPELINE, "unit" if units is not None else None
    )
    values: list[Any] = [pipeline, *_folded(target), *([list(units)] if units is not None else ())]
    rows = connection.execute(statement, values).fetchall()
    markers = (marker_from(dict(zip(MARKER_COLUMNS, row, strict=True))) for row in rows)
    return {marker.unit: marker for marker in markers}


def refuse_late_writers(
    connection: DuckDBPyConnection, catalog: str, target: Target, markers: Sequence[Marker]
) -> None:
    """Raises Fenced when a writer with a higher fence has been at one of the units: the load that wants in is an older one."""
    for pipeline, own in _by_pipeline(markers).items():
        stored = read_markers(connection, catalog, target, pipeline, units=[marker.unit for marker in own])
        for marker in own:
            marker_rows.refuse_late_writer(stored.get(marker.unit), marker)


def write_markers(
    connection: DuckDBPyConnection, catalog: str, target: Target, loads: Sequence[tuple[Marker, tuple[str, ...]]]
) -> None:
    """Put the markers of a table's units, in the order of their loads, in the place of their last ones, and take away those of
    the units that each load retires. What other pipelines' markers say of the same rows is true no more
    (`marker_rows.voided_by`)."""
    connection.execute(q.create_schema(catalog, MARKER_SCHEMA))
    connection.execute(q.create_table(catalog, _TABLE, MARKER_COLUMNS))
    gone: dict[str, list[str]] = {}
    written: dict[tuple[str, str], Marker] = {}
    for marker, retires in loads:
        for unit in (marker.unit, *retires):
            gone.setdefault(marker.pipeline, []).append(unit)
            written.pop((marker.pipeline, unit), None)
        written[marker.pipeline, marker.unit] = marker
    schema, table = _folded(target)
    for pipeline, units in gone.items():
        connection.execute(q.delete_rows(catalog, _TABLE, _OF_PIPELINE, "unit"), [pipeline, schema, table, units])
    rows = [marker_row(marker, (schema, table)) for marker in written.values()]
    values = [value for row in rows for value in row.values()]
    connection.execute(q.insert_rows(catalog, _TABLE, list(rows[0]), len(rows)), values)
    known = connection.execute(
        q.select_rows(catalog, _TABLE, ("pipeline", "unit"), OF_TARGET), [schema, table]
    ).fetchall()
    pairs = [(str(pipeline), str(unit)) for pipeline, unit in known]
    void = {other: marker.load_id for marker in written.values() for other in voided_by(marker, pairs)}
    update = q.update_rows(catalog, _TABLE, VOIDED, OF_UNIT)
    for (pipeline, unit), load_id in void.items():
        connection.execute(update, [load_id, "", None, pipeline, schema, table, unit])


def drop_markers(connection: DuckDBPyConnection, catalog: str, target: Target) -> None:
    """A table that is gone has no units."""
    if find_table(connection, catalog, _TABLE) is not None:
        connection.execute(q.delete_rows(catalog, _TABLE, OF_TARGET), _folded(target))


def _folded(target: Target) -> list[str]:
    return [part.casefold() for part in target]


def _by_pipeline(markers: Sequence[Marker]) -> dict[str, list[Marker]]:
    found: dict[str, list[Marker]] = {}
    for marker in markers:
        found.setdefault(marker.pipeline, []).append(marker)
    return found
