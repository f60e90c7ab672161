"""Partitions that are out of retention leave a table of the warehouse.

One transaction takes their rows and the markers of their units away: the rows are switched out into a staging table, or the
partitions are truncated, or the range is deleted, whichever is possible first. After it the staging table is dropped and
boundaries between partitions that are empty by then are merged, where the partition function is the table's own. A run that
is killed in between leaves a staging table, which the next load of the target or the end of any run drops, and boundaries,
which the next removal merges."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from dltsync_core import checkpoints
from dltsync_core.catalog.targets import TargetFacts
from dltsync_core.connect.connection_string import catalog_lock_timeout_ms
from dltsync_core.errors import QueryError, SyncError, TransientQueryError, WarehouseError
from dltsync_core.identity import Target, dotted
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import Boundary, PartitionRange
from dltsync_core.tsql.fragments import Sql
from dltsync_core.tsql.warehouse import markers as marker_table
from dltsync_core.tsql.warehouse import partitioning as partitioning_ddl
from dltsync_core.tsql.warehouse import publish as sections
from dltsync_core.tsql.warehouse import removal, replaced, tables
from dltsync_core.tsql.warehouse.locks import take_transaction_lock
from dltsync_core.tsql.warehouse.publish import PartitionSpan
from dltsync_core.warehouse.marker_rows import MARKER_SCHEMA
from dltsync_core.warehouse.port import Removable, Removed
from dltsync_core.warehouse.sqlserver.ladder import (
    Entry,
    Rung,
    choose,
    no_second_recipe,
    partitions_in,
    refuse_referenced,
)
from dltsync_core.warehouse.sqlserver.preflight import FABRIC_SQL, truncate_blockers
from dltsync_core.warehouse.sqlserver.publish import Publisher, SwitchRefused
from dltsync_core.warehouse.sqlserver.reading import stats_by_scope
from dltsync_core.warehouse.sqlserver.sections import scope_condition
from dltsync_core.warehouse.sqlserver.staging import StagingNames, empty_copy, folded, lock_resource, target_digest
from dltsync_core.warehouse.sqlserver.store import MARKERS, REPLACED_MARKERS, REPLACED_ROWS, Store
from dltsync_core.warehouse.sqlserver.targets import placement_names

_DOING = "removing partitions out of retention"


@dataclass(frozen=True)
class _Way:
    """How the rows leave: `method` appears in reports."""

    method: str
    body: Sql


def removable(store: Store, target: Target, found: TargetFacts, scopes: Mapping[str, ReplaceScope]) -> Removable:
    """What there is to remove of these neighbouring partitions. Writes nothing."""
    if not scopes:
        return Removable()
    rows = _rows(store, found, scopes)
    marked = {one.unit for one in store.markers(target).values()}
    there = {unit: rows[unit] for unit in scopes if rows[unit] or unit in marked}
    boundaries = _boundaries_to_merge(store, target, found, _whole(scopes))
    notes: tuple[str, ...] = ()
    if any(rows.values()):
        try:
            entry = _entry(store, found, _whole(scopes))
        except WarehouseError as error:
            notes = (f"partitions out of retention cannot be removed from the warehouse: {error.problem}",)
        else:
            notes = tuple(
                f"partitions out of retention leave the warehouse without being switched out: {reason}"
                for reason in entry.reasons
            )
    return Removable(there, len(boundaries), notes)


def remove(store: Store, target: Target, scopes: Mapping[str, ReplaceScope]) -> Removed:
    """Remove them. The caller holds the lock of the target. Raises WarehouseError, WarehouseBusy."""
    store.forget(target)  # read again, now that the lock is held
    found = store.facts([target]).get(target)
    if found is None or not scopes:
        return Removed()
    whole, rows = _whole(scopes), _rows(store, found, scopes)
    marked = {key: one.unit for key, one in store.markers(target).items() if one.unit in scopes}
    unsettled = {one.id for one in store.replaced() if one.target == folded(target) and one.unit in scopes}
    done = Removed({unit: rows[unit] for unit in scopes if rows[unit] or unit in marked.values()})
    if done.rows or unsettled:
        ids = sorted({*marked, *unsettled})
        method, reasons = _publish(store, target, found, whole, ids, has_rows=any(rows.values()))
        done = replace(done, method=method, reasons=reasons)
        checkpoints.reached(checkpoints.PARTITIONS_REMOVED)
        with suppress(SyncError):  # the next load of the target does it, or `cleanup`
            store.drop_staging({target_digest(target)})
    try:
        merged = _merge_boundaries(store, target, whole)
    except QueryError as error:  # the rows are gone, and that is what counts
        stay = f"boundaries between empty partitions could not be merged: {error.problem}"
        return replace(done, reasons=(*done.reasons, stay))
    return replace(done, boundaries=merged)


def _whole(scopes: Mapping[str, ReplaceScope]) -> ReplaceScope:
    """The range of all of them together."""
    each = list(scopes.values())
    first, last = each[0].ranges[0], each[-1].ranges[-1]
    return ReplaceScope(each[0].column, each[0].arrow_type, (PartitionRange(first.lower, last.upper, first.side),))


def _rows(store: Store, found: TargetFacts, scopes: Mapping[str, ReplaceScope]) -> dict[str, int]:
    """The rows of each. Usually there are none at all, and one count says so."""
    if not stats_by_scope(store, found, {"all": _whole(scopes)}, ())["all"].rows:
        return dict.fromkeys(scopes, 0)
    return {unit: one.rows for unit, one in stats_by_scope(store, found, scopes, ()).items()}


def _entry(store: Store, found: TargetFacts, whole: ReplaceScope) -> Entry:
    """How rows leave. Raises WarehouseError for a table whose rows must not be deleted, and for rows in a read-only filegroup."""
    refuse_referenced(found, store.settings.ladder)
    entry = choose(found, whole, store.engine(), store.settings.ladder)
    span = entry.span
    if span is not None and found.table.partitioning is not None:
        slots = partitions_in(found.table.partitioning, span.range)
        filegroups = {found.read_only[slot.number] for slot in slots if slot.number in found.read_only}
        if filegroups:
            raise WarehouseError(
                f"{found.name}: partitions out of retention lie in the read-only filegroup {min(filegroups)}",
                remedy="make the filegroup read-write, or set the table's retention wider",
                table=str(found.name),
            )
    if entry.rung is Rung.SWITCH and entry.partition is not None:
        reason = no_second_recipe(min(found.read_only.values()), "rows leave by a staging table on the scheme only")
        return Entry(Rung.DELETE_AND_INSERT, span, reasons=(reason,))
    return entry


def _publish(
    store: Store, target: Target, found: TargetFacts, whole: ReplaceScope, ids: Sequence[str], *, has_rows: bool
) -> tuple[str | None, tuple[str, ...]]:
    """One transaction; when SWITCH or TRUNCATE are refused although preflight found nothing, the next way."""
    _make_tables(store)
    forget = removal.forget_units(MARKERS, REPLACED_ROWS, REPLACED_MARKERS, ids)
    if not has_rows:
        _send(store, target, whole, ids, forget)
        return None, ()
    entry = _entry(store, found, whole)
    reasons = [str(reason) for reason in entry.reasons]
    ways = _ways(store, target, found, whole, entry)
    for number, way in enumerate(ways, start=1):
        try:
            _send(store, target, whole, ids, way.body + forget)
        except SwitchRefused as refused:
            if number == len(ways):
                raise WarehouseError(
                    f"the warehouse refused to {way.method} partitions out of retention of {found.name}: {refused}",
                    remedy="nothing was removed: correct what the message names and run again, or leave out its retention",
                    number=refused.number,
                ) from refused
            reasons.append(f"the server refused to {way.method} (error {refused.number}): {refused}")
        else:
            return way.method, tuple(reasons)
    raise AssertionError("the last way returns or raises")


def _ways(store: Store, target: Target, found: TargetFacts, whole: ReplaceScope, entry: Entry) -> list[_Way]:
    """From the best on. TRUNCATE changes the catalogue only, as SWITCH does: no rows are copied after it."""
    engine, span = store.engine(), entry.span
    ways = []
    if entry.rung is Rung.SWITCH and span is not None:
        ways.append(_Way("switch", _switched_out(store, target, found, span)))
    if span is not None and not truncate_blockers(found, engine.edition):
        ways.append(_Way("truncate", sections.empty_partitions(found.name, span)))
    condition = scope_condition(found.table.column(whole.column.name), whole)
    deleted = sections.delete_range(found.name, condition, exclusive=not engine.row_versions)
    return [*ways, _Way("delete", deleted)]


def _switched_out(store: Store, target: Target, found: TargetFacts, span: PartitionSpan) -> Sql:
    staging = StagingNames(store.settings.staging_schema, target, 0, uuid.uuid4().hex[:8]).outgoing
    for statement in empty_copy(found, staging):
        store.run(statement, _DOING)
    return removal.switch_partitions_out(found.name, staging, span)


def _make_tables(store: Store) -> None:
    """What the batch names is there, and the schema of staging tables; leftovers of dead runs are not."""
    store.run(tables.create_schema(store.settings.staging_schema), _DOING)
    store.run(tables.create_schema(MARKER_SCHEMA), _DOING)
    store.run(marker_table.create_markers(MARKERS), _DOING)
    store.run(replaced.create_tables(REPLACED_ROWS, REPLACED_MARKERS), _DOING)


def _send(store: Store, target: Target, whole: ReplaceScope, ids: Sequence[str], body: Sql) -> None:
    resource = lock_resource(target_digest(target))
    batch = sections.publish_batch(
        take_transaction_lock(resource, 0),
        [body],
        lock_timeout_ms=store.settings.switch_lock_timeout_ms,
        lock_timeout_after_ms=catalog_lock_timeout_ms(store.sessions.database),
    )

    def is_removed() -> bool:
        found = store.read_again(target)
        marked = set(ids).intersection(store.markers(target))
        return not marked and not stats_by_scope(store, found, {"all": whole}, ())["all"].rows

    publisher = Publisher(
        store.sessions,
        [(resource, dotted(*target))],
        store.settings.lock_seconds,
        is_removed,
        pause=store.settings.pause,
    )
    publisher.publish(batch)


def _boundaries_to_merge(store: Store, target: Target, found: TargetFacts, whole: ReplaceScope) -> list[Boundary]:
    """The target's boundaries inside the range, if its partition function is its own: made by dltsync under the target's
    name, and used by no other table that this login could see."""
    partitioning = found.table.partitioning
    if partitioning is None or partitioning.column.name.casefold() != whole.column.name.casefold():
        return []
    placement = store.settings.placements.get(folded(target))
    is_own = (placement is None or placement.function is None) and (
        partitioning.function.casefold() == placement_names(target, None)[0].casefold()
    )
    others = [name for name in found.shared_with if name.schema != store.settings.staging_schema]
    hidden = any(rule == "hidden_references" for rule, _ in found.obstacles)
    if not is_own or others or hidden or store.engine().edition == FABRIC_SQL:
        return []
    slots = partitions_in(partitioning, whole.ranges[0])
    return [slot.range.upper for slot in slots[:-1] if slot.range.upper is not None]


def _merge_boundaries(store: Store, target: Target, whole: ReplaceScope) -> int:
    """Merge the partitions of the range into one. Each is empty, or nothing is merged: a MERGE would move rows."""
    found = store.read_again(target)
    partitioning = found.table.partitioning
    boundaries = _boundaries_to_merge(store, target, found, whole)
    if partitioning is None or not boundaries:
        return 0
    if stats_by_scope(store, found, {"all": whole}, ())["all"].rows:
        return 0
    merged = 0
    with suppress(TransientQueryError):  # readers are there: the next run merges the others
        for boundary in boundaries:
            statement = partitioning_ddl.merge_range(partitioning.function, partitioning.column, boundary)
            store.run(statement, f"merging partition function {partitioning.function}")
            merged += 1
            checkpoints.reached(checkpoints.BOUNDARY_MERGED)
    store.forget(target)
    return merged
