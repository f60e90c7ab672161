"""A partitioned target whose types must change, made anew: SQL Server changes no type of a partitioned table.

A copy with the new types is filled partition by partition, in staging, and one short transaction puts its rows in the place of
the old ones (`tsql.warehouse.rebuild`). Until that commits the table is as it was, and a copy that a dead run left is a staging
table: the next load of the target drops it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from dltsync_core.catalog.targets import CLUSTERED_COLUMNSTORE, TargetFacts
from dltsync_core.connect.connection_string import catalog_lock_timeout_ms
from dltsync_core.display import number_of
from dltsync_core.errors import WarehouseError
from dltsync_core.identity import TableName, Target, dotted
from dltsync_core.tsql.conditions import slot_condition
from dltsync_core.tsql.select import count_rows
from dltsync_core.tsql.warehouse import publish as sections
from dltsync_core.tsql.warehouse.locks import take_transaction_lock
from dltsync_core.tsql.warehouse.rebuild import copy_partition, replace_table
from dltsync_core.tsql.warehouse.tables import TargetColumn, compress_row_groups
from dltsync_core.typemap.declared_type import shown_type
from dltsync_core.warehouse.sqlserver.preflight import switch_blockers
from dltsync_core.warehouse.sqlserver.publish import Publisher, SwitchRefused
from dltsync_core.warehouse.sqlserver.staging import StagingNames, lock_resource, rebuilt_copy, target_digest
from dltsync_core.warehouse.sqlserver.store import Store

_NOT_MADE_ANEW = {
    "trigger": "trigger {name}",
    "default": "default constraint {name}",
    "permission": "permission {name}, granted or denied on the table itself",
    "property": "extended property {name}",
}
"""What the new table would not have, by the rule of `queries/target_obstacles.sql`."""


def reasons_against_rebuild(found: TargetFacts, engine_edition: int) -> Iterator[str]:
    """What a table has that one made anew would not have, or what stands against switching rows into it."""
    yield from (blocker.problem for blocker in switch_blockers(found, engine_edition))
    for rule, name in found.obstacles:
        if rule in _NOT_MADE_ANEW:
            yield f"the new table would not have {_NOT_MADE_ANEW[rule].format(name=dotted(name))}"
        elif rule == "hidden_references":
            yield "this login does not see all foreign keys and permissions (GRANT VIEW DEFINITION)"
    for column in found.table.columns:
        if column.is_identity:
            yield f"{column.name} is an identity column, and the new table would not have the property"
    yield from (f"index {index.name} is disabled" for index in found.indexes if index.is_disabled)
    yield from (f"CHECK constraint {check.name} is disabled" for check in found.checks if check.is_disabled)
    yield from (f"filegroup {name} is read-only" for name in sorted(set(found.read_only.values())))


def rebuild(store: Store, target: Target, found: TargetFacts, columns: Sequence[TargetColumn]) -> None:
    """The table has the types of `columns`, each of which holds every value of the old one; its rows, partitions, indexes and
    constraints are as before. The caller holds the lock of the target, and found no reason against it."""
    partitioning = found.table.partitioning
    if partitioning is None:
        raise AssertionError("a table without partitions is altered")
    copy = StagingNames(store.settings.staging_schema, target, 0, uuid.uuid4().hex[:8]).incoming
    changed = {column.name: column for column in columns}
    doing = f"making {found.name} anew with other types"
    before, after = rebuilt_copy(found, copy, changed)
    for statement in before:
        store.run(statement, doing)
    names = [column.name for column in found.table.columns]
    for slot in partitioning.slots:
        condition = slot_condition(partitioning.column, slot.range)
        store.run(copy_partition(found.name, copy, names, condition), doing)
    for statement in after:
        store.run(statement, doing)
    if found.storage is not None and found.storage.kind == CLUSTERED_COLUMNSTORE:
        store.run(compress_row_groups(copy), doing)
    _check_rows(store, found.name, copy)
    _put_in_place(store, target, found, copy, changed)
    store.drop_staging_table(copy)


def _check_rows(store: Store, old: TableName, copy: TableName) -> None:
    rows, copied = (store.count(count_rows(name, None)) for name in (old, copy))
    if rows != copied:
        raise WarehouseError(
            f"{old} has {number_of(rows, 'row')}, and its copy with other types {copied:,}",
            remedy="the table is as it was; see that nothing else writes to it, and run again",
            table=str(old),
        )


def _put_in_place(
    store: Store, target: Target, found: TargetFacts, copy: TableName, changed: dict[str, TargetColumn]
) -> None:
    partitioning, resource = found.table.partitioning, lock_resource(target_digest(target))
    if partitioning is None:
        raise AssertionError("a table without partitions is altered")
    first, last = rebuilt_copy(found, found.name, changed, named=True)
    batch = sections.publish_batch(
        take_transaction_lock(resource, 0),
        [replace_table(found.name, copy, [*first, *last], len(partitioning.slots))],
        lock_timeout_ms=store.settings.switch_lock_timeout_ms,
        lock_timeout_after_ms=catalog_lock_timeout_ms(store.sessions.database),
    )

    def is_there() -> bool:
        now = {column.name: shown_type(column) for column in store.read_again(target).table.columns}
        return all(now.get(column.name) == column.type for column in changed.values())

    publisher = Publisher(
        store.sessions,
        [(resource, dotted(*target))],
        store.settings.lock_seconds,
        is_there,
        pause=store.settings.pause,
    )
    try:
        publisher.publish(batch)
    except SwitchRefused as refused:
        raise WarehouseError(
            f"the warehouse: {found.name} cannot be made anew: {refused}", number=refused.number
        ) from (refused)
