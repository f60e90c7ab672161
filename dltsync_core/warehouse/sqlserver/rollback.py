"""What becomes of the rows that a load switched out: dropped once the load was validated, switched back when validation failed.

A load is settled by one transaction, in which its record goes. A process that dies before that leaves the record, the rows and
a lock that is free again: the next load of the unit, or the end of any run, switches them back.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace

from dltsync_core.catalog.targets import TargetFacts
from dltsync_core.connect.connection_string import catalog_lock_timeout_ms
from dltsync_core.duckdb.partition_scope import holds_null_rows
from dltsync_core.errors import ServerUnreachable, WarehouseError
from dltsync_core.identity import TableName, Target, dotted
from dltsync_core.ranges import PartitionRange
from dltsync_core.tsql.conditions import slot_condition
from dltsync_core.tsql.fragments import Sql
from dltsync_core.tsql.select import count_rows
from dltsync_core.tsql.warehouse import publish as sections
from dltsync_core.tsql.warehouse import replaced as replaced_tables
from dltsync_core.tsql.warehouse.locks import take_transaction_lock
from dltsync_core.tsql.warehouse.publish import PartitionSpan, RowCopy
from dltsync_core.warehouse.sqlserver.ladder import partitions_in
from dltsync_core.warehouse.sqlserver.publish import BoundariesMoved, Publisher, SwitchRefused
from dltsync_core.warehouse.sqlserver.run_lock import run_resource
from dltsync_core.warehouse.sqlserver.sections import marker_id
from dltsync_core.warehouse.sqlserver.staging import (
    SinglePartition,
    StagingNames,
    constraints_of,
    empty_copy,
    lock_resource,
    target_digest,
)
from dltsync_core.warehouse.sqlserver.store import (
    MARKERS,
    REPLACED_MARKERS,
    REPLACED_ROWS,
    ReplacedRows,
    Store,
)


def confirm(store: Store, target: Target, pipeline: str, loads: Mapping[str, str]) -> None:
    """The loads (ids by unit) were validated: the rows that they replaced are dropped. Takes no lock: another unit of the table
    may be on its way in. A connection that breaks meanwhile costs nothing: what was done before it is found done on the next
    one. Raises WarehouseError for a load whose rows are in the warehouse no longer."""
    keys = {marker_id(pipeline, target, unit): (unit, load_id) for unit, load_id in loads.items()}
    forgotten: set[TableName] = set()
    try:
        try:
            _confirm(store, target, keys, forgotten)
        except ServerUnreachable:
            store.sessions.reconnect(())
            _confirm(store, target, keys, forgotten)
    finally:
        store.run_lock.discard((key, load_id) for key, (_, load_id) in keys.items())


def _confirm(store: Store, target: Target, keys: Mapping[str, tuple[str, str]], forgotten: set[TableName]) -> None:
    """`keys` are units and load ids by the ids of their markers. `forgotten` gets the tables with rows of before, which are
    dropped when no other load needs them."""
    records = {record.id: record for record in store.replaced()}
    for key, (unit, load_id) in keys.items():
        record = records.get(key)
        if record is None or record.load_id != load_id:
            if not store.is_marked(target, key, load_id):
                raise _gone(target, unit)
            continue
        forgotten.add(record.table)
        _forget(store, record)
        del records[key]
    for table in forgotten - {record.table for record in records.values()}:
        store.drop_staging_table(table)


def undo(store: Store, target: Target, pipeline: str, loads: Mapping[str, str]) -> bool:
    """The loads did not pass validation: the rows of before are switched back, where all of the loads kept them. The caller holds
    the lock of the target. False: nothing was changed."""
    records = {record.id: record for record in store.replaced()}
    keys = {marker_id(pipeline, target, unit): load_id for unit, load_id in loads.items()}
    mine = [records[key] for key, load_id in keys.items() if key in records and records[key].load_id == load_id]
    try:
        for record in mine:
            restore(store, target, record)
    finally:
        store.run_lock.discard(keys.items())  # what could not be switched back now is, by `cleanup` or the next load
    return bool(mine) and len(mine) == len(keys)


def undo_abandoned(store: Store, locked: Callable[[ReplacedRows], bool]) -> None:
    """Switch back what loads of dead runs replaced. `locked` takes the lock of a record's target, and says whether it could."""
    for record in store.replaced():
        resource = run_resource(record.run_token)
        if not store.sessions.try_lock(resource):
            continue  # its load is being validated
        try:
            if not locked(record):
                continue
            try:
                if record in store.replaced():  # settled while the lock was waited for
                    restore(store, record.target, record)
            finally:
                store.sessions.release(lock_resource(target_digest(record.target)))
        finally:
            store.sessions.release(resource)


def restore(store: Store, target: Target, record: ReplacedRows) -> None:
    """Switch the rows of before back, with their markers, in one transaction; where SWITCH is refused by now, delete and insert
    them. The caller holds the lock of the target."""
    found = store.facts([target]).get(target)
    if found is None or not store.exists(record.table):
        store.run(replaced_tables.delete_records(REPLACED_ROWS, REPLACED_MARKERS, [record.id]), "deleting a record")
    else:
        try:
            _publish(store, target, record, _switched_back(store, target, found, record))
        except (SwitchRefused, BoundariesMoved):
            _publish(store, target, record, _copied_back(store, store.read_again(target), record))
    store.run_lock.discard([(record.id, record.load_id)])
    store.drop_staging({target_digest(target)})


def _switched_back(store: Store, target: Target, found: TargetFacts, record: ReplacedRows) -> Sql:
    names = StagingNames(store.settings.staging_schema, target, 0, uuid.uuid4().hex[:8])
    span = _span(found, record)
    if span is None and record.range is not None:
        return _copied_back(store, found, record)
    single = None
    if span is not None and not store.is_partitioned(record.table):
        partitioning = found.table.partitioning
        slots = partitions_in(partitioning, record.range) if partitioning is not None and record.range else ()
        if len(slots) != 1:
            return _copied_back(store, found, record)
        single = single_partition(store, found, slots[0].number)
    for statement in (
        *empty_copy(found, names.outgoing, single),
        *constraints_of(found, record.table, single),  # SWITCH asks for the target's constraints
    ):
        store.run(statement, "preparing to switch rows back")
    if span is None:
        return sections.switch_table(found.name, record.table, names.outgoing)
    if single is not None:
        return sections.switch_whole_tables(found.name, record.table, names.outgoing, span)
    return sections.switch_partitions(found.name, record.table, names.outgoing, span)


def single_partition(store: Store, found: TargetFacts, number: int) -> SinglePartition:
    """Where a staging table without partitions lies that is switched with this partition."""
    partitioning = found.table.partitioning
    if partitioning is None:
        raise AssertionError("a table without partitions has no partition numbers")
    return SinglePartition(partitioning.slots[number - 1], store.filegroups_of(number))


def _copied_back(store: Store, found: TargetFacts, record: ReplacedRows) -> Sql:
    """The columns that both tables have: one that was added since is NULL in the rows of before."""
    condition = _condition(found, record)
    there = {name.casefold() for name in store.columns_of(record.table)}
    columns = [c for c in found.table.columns if c.name.casefold() in there and not c.is_computed and not c.generated]
    rows = store.count(count_rows(record.table, condition))
    identity = any(column.is_identity for column in columns)
    copy = RowCopy(record.table, tuple(c.name for c in columns), rows, condition, with_identity=identity)
    return sections.replace_range(found.name, condition, copy, exclusive=not store.engine().row_versions)


def _span(found: TargetFacts, record: ReplacedRows) -> PartitionSpan | None:
    partitioning = found.table.partitioning
    if partitioning is None:
        return None
    wanted = record.range or PartitionRange(None, None, partitioning.side)
    slots = partitions_in(partitioning, wanted)
    return PartitionSpan(partitioning.function, partitioning.column, wanted, len(slots)) if slots else None


def _condition(found: TargetFacts, record: ReplacedRows) -> Sql | None:
    if record.range is None:
        return None
    partitioning = found.table.partitioning
    if partitioning is None:
        raise WarehouseError(
            f"{found.name} is not partitioned any longer, and rows of one of its partitions wait to be put back",
            remedy=f"copy them from {record.table} by hand, drop that table, and delete its row in {REPLACED_ROWS}",
            table=str(found.name),
        )
    return slot_condition(partitioning.column, replace(record.range, holds_null=holds_null_rows(record.range)))


def _publish(store: Store, target: Target, record: ReplacedRows, body: Sql) -> None:
    resource = lock_resource(target_digest(target))
    ids = store.saved_marker_ids(record)
    batch = sections.publish_batch(
        take_transaction_lock(resource, 0),
        [
            replaced_tables.check_record(REPLACED_ROWS, MARKERS, record.id, record.load_id),
            body,
            replaced_tables.restore_markers(REPLACED_ROWS, REPLACED_MARKERS, MARKERS, record.id, record.load_id, ids),
        ],
        lock_timeout_ms=store.settings.switch_lock_timeout_ms,
        lock_timeout_after_ms=catalog_lock_timeout_ms(store.sessions.database),
    )
    Publisher(
        store.sessions,
        [(resource, dotted(*target))],
        store.settings.lock_seconds,
        lambda: record not in store.replaced(),
        pause=store.settings.pause,
    ).publish(batch)


def _forget(store: Store, record: ReplacedRows) -> None:
    statement = replaced_tables.forget_rows(REPLACED_ROWS, REPLACED_MARKERS, MARKERS, record.id, record.load_id)
    (row,) = store.sessions.query(statement, "confirming a load")
    if not row["is_there"]:
        raise _gone(record.target, record.unit)


def _gone(target: Target, unit: str) -> WarehouseError:
    return WarehouseError(
        f"{dotted(*target)} {unit}: another run took this load out of the warehouse while it was being validated",
        remedy="the load was not committed; run again",
        table=dotted(*target),
    )
