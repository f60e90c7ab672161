"""The markers in a destination of dlt: one row per unit, written in the transaction of the unit's rows. Tables are told apart
as the database does, which regards upper and lower case."""

from __future__ import annotations

from dltsync_core.committed import Marker
from dltsync_core.identity import Target
from dltsync_core.warehouse.dlt.connection import Session
from dltsync_core.warehouse.dlt.dialect import PostgresSql
from dltsync_core.warehouse.marker_rows import (
    MARKER_COLUMNS,
    MARKER_SCHEMA,
    MARKER_TABLE,
    OF_TARGET,
    OF_UNIT,
    VOIDED,
    marker_from,
    marker_row,
    refuse_late_writer,
    voided_by,
)


def read_markers(session: Session, target: Target, pipeline: str, *, unit: str | None = None) -> dict[str, Marker]:
    """The markers of one table by unit, or that of one `unit`."""
    if not session.columns(MARKER_TABLE):
        return {}
    equal = ("pipeline", *OF_TARGET) if unit is None else OF_UNIT
    select = session.dialect.select_equal(MARKER_TABLE, list(MARKER_COLUMNS), equal)
    rows = session.run(select, pipeline, *target, *(() if unit is None else (unit,)))
    found = (marker_from(dict(zip(MARKER_COLUMNS, row, strict=True))) for row in rows)
    return {marker.unit: marker for marker in found}


def check_fence(session: Session, target: Target, marker: Marker) -> None:
    """Raises Fenced when a writer with a higher fence has been at the unit."""
    stored = read_markers(session, target, marker.pipeline, unit=marker.unit)
    refuse_late_writer(stored.get(marker.unit), marker)


def write_marker(session: Session, target: Target, marker: Marker, retires: tuple[str, ...]) -> None:
    """Put the unit's marker in the place of its last one, take away those of `retires`, and void those of other pipelines. The
    table of markers is there."""
    dialect = session.dialect
    for unit in (marker.unit, *retires):
        session.run(dialect.delete_equal(MARKER_TABLE, OF_UNIT), marker.pipeline, *target, unit)
    row = marker_row(marker, target)
    session.run(dialect.insert_values(MARKER_TABLE, list(row)), *row.values())
    known = session.run(dialect.select_equal(MARKER_TABLE, ("pipeline", "unit"), OF_TARGET), *target)
    void = dialect.update_equal(MARKER_TABLE, VOIDED, OF_UNIT)
    for pipeline, unit in voided_by(marker, [(str(pipeline), str(unit)) for pipeline, unit in known]):
        session.run(void, marker.load_id, "", None, pipeline, *target, unit)


def drop_markers(session: Session, target: Target) -> None:
    """A table that is gone has no units."""
    if session.columns(MARKER_TABLE):
        session.run(session.dialect.delete_equal(MARKER_TABLE, OF_TARGET), *target)


def create_marker_table(session: Session) -> None:
    """If it does not exist. Before any row: some databases commit at a definition."""
    if session.columns(MARKER_TABLE):
        return
    lock_definitions(session)
    session.create_schema(MARKER_SCHEMA)
    if not session.columns(MARKER_TABLE):
        session.run(session.dialect.create_table(MARKER_TABLE, list(MARKER_COLUMNS.items())))


def lock_definitions(session: Session) -> None:
    """Until the end of the transaction nobody else creates a schema, or the table of markers: two at once would both fail."""
    if isinstance(session.dialect, PostgresSql):
        session.run(session.dialect.lock_until_commit("definitions"))
