"""Targets made ready for a load: made, extended, and split where the source has a new boundary.

What is done here is done before the publishing transaction, and stays when the load fails: an empty table, a column of NULLs, an
empty partition.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pyarrow as pa

from dltsync_core.catalog.facts import PartitioningFacts
from dltsync_core.catalog.targets import CLUSTERED, CLUSTERED_COLUMNSTORE, TargetFacts
from dltsync_core.config.sqlserver_destination import PartitionPlacement
from dltsync_core.errors import QueryError, TransientQueryError
from dltsync_core.identity import TableName, Target, digest_of, identifier_part, joined
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import Boundary, PartitionRange
from dltsync_core.tsql.conditions import slot_condition
from dltsync_core.tsql.fragments import Literal, Statement, sql, transaction_of
from dltsync_core.tsql.select import count_rows
from dltsync_core.tsql.warehouse import constraints, tables
from dltsync_core.tsql.warehouse import partitioning as partitioning_ddl
from dltsync_core.tsql.warehouse.tables import IndexShape, PlacedOn, TargetColumn
from dltsync_core.warehouse.port import LoadRequest
from dltsync_core.warehouse.sqlserver.columns import target_column
from dltsync_core.warehouse.sqlserver.dependents import Dependent
from dltsync_core.warehouse.sqlserver.evolution import Evolution, plan_evolution, refused, refused_null, with_dependents
from dltsync_core.warehouse.sqlserver.indexes import key_bytes, plan_indexes
from dltsync_core.warehouse.sqlserver.ladder import partitions_in
from dltsync_core.warehouse.sqlserver.preflight import FABRIC_SQL
from dltsync_core.warehouse.sqlserver.rebuild import reasons_against_rebuild, rebuild
from dltsync_core.warehouse.sqlserver.staging import folded, index_again
from dltsync_core.warehouse.sqlserver.store import Store

_DEPENDS = frozenset({5074, 4922})
"""SQL Server's errors for ALTER COLUMN of a column that objects depend on."""
_WIDEST_KEY_BYTES = 900
"""Of a clustered index."""
_COLUMNSTORE_NAME = "dltsync_columnstore"


def make_ready(store: Store, requests: Sequence[LoadRequest]) -> dict[Target, TargetFacts]:
    """The tables are there, their columns fit the loads, and they have the boundaries of the loads' partitions where those
    can be had: their facts then. Raises DriftError. What is done stays when the load fails: an empty table, a column of
    NULLs, an empty partition."""
    facts = store.facts([request.target for request in requests])
    for request in requests:
        found = facts.get(request.target)
        if found is None:
            _create(store, request)
            found = facts[request.target] = store.read_again(request.target)
        if _evolve(store, found, request):
            found = facts[request.target] = store.read_again(request.target)
        if _split_for(store, found, request):
            facts[request.target] = store.read_again(request.target)
    return facts


def _evolve(store: Store, found: TargetFacts, request: LoadRequest) -> bool:
    """Whether something was changed."""
    evolution = evolution_of(store, found, request.schema)
    if evolution.rebuilt:
        rebuild(store, request.target, found, evolution.rebuilt)
        _evolve(store, store.read_again(request.target), request)
        return True
    if evolution.added:
        store.run(tables.add_columns(found.name, evolution.added), f"adding columns to {found.name}")
    try:
        _alter(store, found, evolution)
    except QueryError as error:
        if error.facts.get("number") not in _DEPENDS:
            raise
        _alter_without_those_in_doubt(store, found, evolution, error)
    return bool(evolution.added or evolution.altered)


def _alter(store: Store, found: TargetFacts, evolution: Evolution) -> None:
    """Change columns: one by one, or together with what depends on them, dropped and made again in the same transaction."""
    if evolution.remade:
        statements = _altered_together(found, evolution.altered, evolution.remade)
        store.run(transaction_of(statements), f"changing columns of {found.name}")
        return
    for column in evolution.altered:
        store.run(tables.alter_column(found.name, column), f"changing column {column.name} of {found.name}")


def _alter_without_those_in_doubt(store: Store, found: TargetFacts, evolution: Evolution, error: QueryError) -> None:
    """The server has refused to lift NOT NULL for what may depend on it: that is dropped and made again too, where the config
    allows it. Raises DriftError."""
    every = list(evolution.remade)
    every += [one for mine in evolution.in_doubt.values() for one in mine if one not in every]
    if not evolution.in_doubt:
        raise refused(found.name, [f"SQL Server refuses to alter a column: {error.problem}"]) from error
    may_rebuild = store.settings.may_rebuild
    if not may_rebuild or not all(one.can_be_made_again for one in every):
        raise refused_null(found.name, evolution, error.problem, may_rebuild=may_rebuild) from error
    try:
        _alter(store, found, replace(evolution, remade=tuple(every)))
    except QueryError as again:
        if again.facts.get("number") not in _DEPENDS:
            raise
        raise refused_null(found.name, evolution, again.problem, may_rebuild=True) from again


def _altered_together(
    found: TargetFacts, columns: Sequence[TargetColumn], dependents: Sequence[Dependent]
) -> list[Statement]:
    """Statements for one transaction: what depends on the columns is dropped, they get their types, and it is made again."""
    indexes = [one.index for one in dependents if one.index is not None]
    checks = [one.check for one in dependents if one.check is not None]
    clustered_last = sorted(indexes, key=lambda index: index.kind == CLUSTERED)
    name = found.name
    return [
        *(constraints.drop_constraint(name, check.name) for check in checks),
        *(
            constraints.drop_constraint(name, str(index.name))
            if index.is_primary_key or index.is_unique_constraint
            else tables.drop_index(name, str(index.name))
            for index in clustered_last
        ),
        *(tables.alter_column(name, column) for column in columns),
        *(index_again(found, index) for index in reversed(clustered_last)),
        *(constraints.add_check(name, str(check.definition), named=check.name) for check in checks),
    ]


def evolution_of(store: Store, found: TargetFacts, schema: pa.Schema) -> Evolution:
    """What has to happen to a target before a load of that schema fits. Raises DriftError."""
    may_rebuild = store.settings.may_rebuild
    evolution = plan_evolution(
        found.table,
        schema,
        against_rebuild=(lambda: tuple(reasons_against_rebuild(found, store.engine().edition)))
        if may_rebuild
        else None,
    )
    return with_dependents(found, evolution, may_rebuild=may_rebuild)


def _split_for(store: Store, found: TargetFacts, request: LoadRequest) -> bool:
    how = request.disposition
    if not isinstance(how, ReplaceScope):
        return False
    done = False
    for range_ in how.ranges:
        done |= _split(store, request.target, found, range_)
    return done


def _create(store: Store, request: LoadRequest) -> None:
    schema, table = request.target
    columns = [target_column(field) for field in request.schema]
    keys = _primary_key(request, columns)
    columns = [TargetColumn(c.name, c.type, c.is_nullable and c.name not in keys, c.collation) for c in columns]
    name = TableName(schema, table)
    store.run(tables.create_schema(schema), f"making schema {schema}")
    placed = _place(store, request, columns)
    columnstore = store.settings.columnstore
    statements = [tables.create_table(name, columns, placed=placed, primary_key=() if columnstore else keys)]
    if columnstore:
        index = IndexShape(is_clustered=True, is_columnstore=True)
        statements.append(tables.create_index(name, 1, index, placed, named=_COLUMNSTORE_NAME))
    if store.settings.source_indexes:
        planned = plan_indexes(request.layout, request.schema)
        statements += [tables.create_index(name, 1, index, placed, named=own) for own, index in planned.made]
    store.run(transaction_of(statements), f"making {name}")  # a run that finds the table finds all its indexes


def _place(store: Store, request: LoadRequest, columns: Sequence[TargetColumn]) -> PlacedOn | None:
    """The partition scheme for a table that is made, with its function: those that the config names, or of its own."""
    partitioning = request.layout.partitioning
    if partitioning is None:
        return None
    column = next((c for c in columns if c.name.casefold() == partitioning.column.name.casefold()), None)
    if column is None:
        return None
    placement = store.settings.placements.get(folded(request.target), PartitionPlacement())
    function, scheme = placement_names(request.target, placement)
    if not _exists(store, "partition_functions", function):
        ends = [end for slot in partitioning.slots for end in (slot.range.lower, slot.range.upper)]
        boundaries = list(dict.fromkeys(end for end in ends if end is not None))
        store.run(
            partitioning_ddl.create_partition_function(
                function, partitioning.column, column.type, partitioning.side, boundaries
            ),
            f"making partition function {function}",
        )
    if not _exists(store, "partition_schemes", scheme):
        store.run(
            partitioning_ddl.create_partition_scheme(scheme, function, placement.filegroup),
            f"making partition scheme {scheme}",
        )
    return PlacedOn(scheme, column.name)


def placement_names(target: Target, placement: PartitionPlacement | None) -> tuple[str, str]:
    """The partition function and scheme of a table that is made: those that the config names, or its own (`placement` None)."""
    placement = placement or PartitionPlacement()
    own = f"dltsync_{identifier_part('_'.join(target))}_{digest_of(joined(*folded(target)))[:8]}"
    return placement.function or f"{own}_pf", placement.scheme or f"{own}_ps"


def _exists(store: Store, view: str, name: str) -> bool:
    asked = {
        "partition_functions": sql("SELECT name FROM sys.partition_functions WHERE name = {n}", n=Literal(name)),
        "partition_schemes": sql("SELECT name FROM sys.partition_schemes WHERE name = {n}", n=Literal(name)),
    }[view]
    return bool(store.sessions.query(asked.render(), f"looking for {name}"))


def _split(store: Store, target: Target, found: TargetFacts, wanted: PartitionRange) -> bool:
    """Add the boundaries that a range needs, where that moves no rows: on the new partition's side there are none.
    Functions that other tables use are left alone. Whether there are new boundaries."""
    partitioning = found.table.partitioning
    if partitioning is None or partitioning.side != wanted.side or partitions_in(partitioning, wanted):
        return False
    others = [t for t in found.shared_with if t.schema != store.settings.staging_schema]
    if others or store.engine().edition == FABRIC_SQL:
        return False
    changed = False
    for boundary in (wanted.lower, wanted.upper):
        if boundary is None or any(boundary in (s.range.lower, s.range.upper) for s in partitioning.slots):
            continue
        if _is_empty_beyond(store, found, partitioning, boundary):
            _add_boundary(store, found, partitioning, boundary)
            found = store.read_again(target)
            partitioning = found.table.partitioning or partitioning
            changed = True
    return changed


def _is_empty_beyond(store: Store, found: TargetFacts, partitioning: PartitioningFacts, boundary: Boundary) -> bool:
    """Whether the partition that a SPLIT would make has no rows; for a columnstore index, whether the one it splits has
    none."""
    column = partitioning.column
    number = store.count(partitioning_ddl.partition_number(partitioning.function, column, boundary))
    slot = partitioning.slots[number - 1].range
    lower, upper = (boundary, slot.upper) if partitioning.side == "right" else (slot.lower, boundary)
    storage = found.storage
    if storage is not None and storage.kind == CLUSTERED_COLUMNSTORE:
        lower, upper = slot.lower, slot.upper
    part = PartitionRange(lower, upper, partitioning.side, holds_null=slot.holds_null and lower == slot.lower)
    return store.count(count_rows(found.name, slot_condition(column, part))) == 0


def _add_boundary(store: Store, found: TargetFacts, partitioning: PartitioningFacts, boundary: Boundary) -> None:
    for scheme, filegroup in found.schemes:
        store.run(partitioning_ddl.set_next_used(scheme, filegroup), f"preparing scheme {scheme}")
    with suppress(TransientQueryError):  # readers are there: the load takes a way that needs no boundary
        store.run(
            partitioning_ddl.split_range(partitioning.function, partitioning.column, boundary),
            f"splitting partition function {partitioning.function}",
        )


def _primary_key(request: LoadRequest, columns: Sequence[TargetColumn]) -> tuple[str, ...]:
    """The primary key of a table that is made: the layout's, with the partition column, as far as all of it is loaded, is
    never NULL and is not too long for an index; else none."""
    by_name = {column.name.casefold(): column for column in columns}
    wanted = list(request.layout.primary_key)
    partitioning = request.layout.partitioning
    if (
        wanted
        and partitioning is not None
        and partitioning.column.name.casefold() not in {k.casefold() for k in wanted}
    ):
        wanted.append(partitioning.column.name)
    found = [by_name[key.casefold()] for key in wanted if key.casefold() in by_name]
    usable = len(found) == len(wanted) and not any(c.is_nullable or "(max)" in c.type for c in found)
    if not usable or sum(key_bytes(c.type) for c in found) > _WIDEST_KEY_BYTES:
        return ()
    return tuple(column.name for column in found)
