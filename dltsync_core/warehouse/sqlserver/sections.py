"""One load's part of the publishing transaction: fence, marker, and its rows by the way that was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.catalog.targets import TargetFacts
from dltsync_core.clock import iso, utc_now
from dltsync_core.committed import Marker
from dltsync_core.duckdb.partition_scope import holds_null_rows
from dltsync_core.errors import WarehouseError
from dltsync_core.identity import Target, digest_of, joined
from dltsync_core.plan.steps import MergeKeys, ReplaceScope, UpsertKeys
from dltsync_core.tsql.conditions import slot_condition
from dltsync_core.tsql.fragments import Sql, join, sql
from dltsync_core.tsql.warehouse import markers as marker_table
from dltsync_core.tsql.warehouse import publish as sections
from dltsync_core.tsql.warehouse import replaced as replaced_tables
from dltsync_core.tsql.warehouse.publish import RowCopy
from dltsync_core.warehouse.marker_rows import marker_row, voided_by
from dltsync_core.warehouse.port import LoadRequest
from dltsync_core.warehouse.sqlserver.evolution import loaded_columns
from dltsync_core.warehouse.sqlserver.ladder import Entry, Rung
from dltsync_core.warehouse.sqlserver.staging import SinglePartition, StagingNames, folded
from dltsync_core.warehouse.sqlserver.store import MARKERS, REPLACED_MARKERS, REPLACED_ROWS, StoredMarker


@dataclass
class StagedUnit:
    """One load on its way in. `rows` are those of its files. `settled_by` is the load whose validation decides about the rows
    that this one switches out: the last of its unit. None where they are not kept."""

    request: LoadRequest
    target: TargetFacts
    entry: Entry
    names: StagingNames
    single: SinglePartition | None = None
    rows: int = 0
    settled_by: str | None = None

    @property
    def key(self) -> str:
        """The id of its marker. Raises AssertionError without one."""
        if self.request.marker is None:
            raise AssertionError("a load without a marker has no key")
        return marker_id(self.request.marker.pipeline, self.request.target, self.request.marker.unit)

    @property
    def keeps_rows(self) -> bool:
        """Whether the rows that it replaces stay until it was validated."""
        return self.settled_by is not None and self.entry.rung is Rung.SWITCH

    @property
    def scope(self) -> Sql | None:
        """The condition for the rows that the load replaces; None for the whole table."""
        how = self.request.disposition
        return (
            scope_condition(self.target.table.column(how.column.name), how) if isinstance(how, ReplaceScope) else None
        )


def scope_condition(column: ColumnFacts | None, scope: ReplaceScope) -> Sql | None:
    """The rows of a scope by the target's column; None for every row. Raises WarehouseError when the column is not there."""
    if column is None:
        raise WarehouseError(
            f"the warehouse table has no column {scope.column.name}", remedy="drop the table and load it again"
        )
    # By its boundaries, not by a flag that a range made from its key does not have: else NULL rows would stay, or be lost.
    ranges = [replace(range_, holds_null=holds_null_rows(range_)) for range_ in scope.ranges]
    conditions = [slot_condition(column, range_) for range_ in ranges]
    present = [condition for condition in conditions if condition is not None]
    if len(present) < len(conditions):
        return None
    return present[0] if len(present) == 1 else _any_of(present)


def marker_id(pipeline: str, target: Target, unit: str) -> str:
    """The key of a unit's marker."""
    return digest_of(joined(pipeline, *folded(target), unit))


def section_of(unit: StagedUnit, known: Mapping[str, StoredMarker], run_token: str) -> Sql:
    """What one load does inside the publishing transaction. `known` are the markers of its target by id, `run_token` names this
    process in the record of the rows that it replaces."""
    marker, merged = unit.request.marker, unit.entry.rung is Rung.MERGE
    body = _body(unit)
    if marker is None:
        return body
    key = unit.key
    gone = [marker_id(marker.pipeline, unit.request.target, other) for other in unit.request.retires]
    void = _void(marker, known)
    guard = marker_table.refuse_late_writer(MARKERS, key, marker.fence)
    write = marker_table.write_marker(
        MARKERS,
        key,
        marker_row(replace(marker, rows=unit.rows), folded(unit.request.target)),
        gone=gone,
        void=void,
        counted=merged,
    )
    if unit.keeps_rows:
        record = _record(unit, marker, run_token)
        ids = list(dict.fromkeys((key, *gone, *void)))
        return guard + replaced_tables.keep_rows(REPLACED_ROWS, REPLACED_MARKERS, MARKERS, record, ids) + write + body
    count = sections.count_into_rows(unit.target.name)
    return guard + body + count + write if merged else guard + write + body


def _record(unit: StagedUnit, marker: Marker, run_token: str) -> dict[str, str | None]:
    schema, table = folded(unit.request.target)
    how = unit.request.disposition
    return {
        "pipeline": marker.pipeline,
        "target_schema": schema,
        "target_table": table,
        "unit": marker.unit,
        "load_id": unit.settled_by,
        "run_token": run_token,
        "staging_schema": unit.names.outgoing.schema,
        "staging_table": unit.names.outgoing.table,
        "partition_range": how.ranges[0].key if isinstance(how, ReplaceScope) else None,
        "written_at": iso(utc_now()),
    }


def _void(marker: Marker, known: Mapping[str, StoredMarker]) -> list[str]:
    """The ids of the markers of other pipelines that this load makes untrue."""
    untrue = set(voided_by(marker, [(stored.pipeline, stored.unit) for stored in known.values()]))
    return [key for key, stored in known.items() if (stored.pipeline, stored.unit) in untrue]


def _body(unit: StagedUnit) -> Sql:
    target, names, entry = unit.target.name, unit.names, unit.entry
    if entry.rung is Rung.SWITCH:
        if entry.span is None:
            return sections.switch_table(target, names.incoming, names.outgoing)
        if unit.single is not None:
            return sections.switch_whole_tables(target, names.incoming, names.outgoing, entry.span)
        return sections.switch_partitions(target, names.incoming, names.outgoing, entry.span)
    goes_to = loaded_columns(unit.target.table, unit.request.schema)
    columns = tuple(column.name for column in goes_to.values())
    identity = any(column.is_identity for column in goes_to.values())
    copy = RowCopy(names.incoming, columns, unit.rows, unit.scope, with_identity=identity)
    how = unit.request.disposition
    if isinstance(how, (MergeKeys, UpsertKeys)):
        keys = [goes_to[key] for key in _names_of(goes_to, how.columns)]
        if identity and not any(key.is_identity for key in keys):
            raise WarehouseError(
                f"{target} has an identity column that is no part of the key: its values cannot be updated",
                remedy="make it an ordinary column, or choose another target_table",
                table=str(target),
            )
        return sections.merge_rows(target, copy, keys)
    if entry.rung is Rung.TRUNCATE_AND_INSERT:
        if entry.span is not None and isinstance(how, ReplaceScope):
            return sections.truncate_partitions(target, entry.span, copy)
        return sections.truncate_and_insert(target, copy)
    return sections.replace_range(target, unit.scope, copy, exclusive=entry.exclusive)


def _names_of(goes_to: dict[str, ColumnFacts], wanted: Sequence[str]) -> list[str]:
    by_folded = {name.casefold(): name for name in goes_to}
    return [by_folded[name.casefold()] for name in wanted]


def _any_of(conditions: Sequence[Sql]) -> Sql:
    return sql("({any})", any=join(" OR ", [sql("({c})", c=condition) for condition in conditions]))
