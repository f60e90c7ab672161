"""Staging tables: what rows are copied into before they become visible, in a schema of their own.

Their names begin with a digest of the target, which is that of the target's application lock too: whoever holds the lock may
drop all of them, because they can only be those of runs that died. They are made for each load from the target's columns and
indexes as the catalogue has them at that moment, on the target's own partition scheme: filegroups, NULL rows, implicit index
columns and the range of each partition are then right by construction, and no CHECK constraint is needed to prove it. Where no
table can be made on the scheme, because some of its filegroups are read-only, they have no partitions, lie in the filegroup of
the partition they are switched with, and have a CHECK constraint that proves its range.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts, Slot
from dltsync_core.catalog.targets import CLUSTERED, CLUSTERED_COLUMNSTORE, HEAP, IndexFacts, TargetFacts
from dltsync_core.identity import TableName, Target, digest_of, identifier_part, joined
from dltsync_core.tsql.fragments import Identifier, Sql, Statement, sql
from dltsync_core.tsql.warehouse import constraints, tables
from dltsync_core.tsql.warehouse.tables import IndexShape, PlacedOn, TargetColumn
from dltsync_core.typemap.declared_type import shown_type
from dltsync_core.warehouse.sqlserver.columns import TEXT_ON_THE_WAY, conversion, is_converted
from dltsync_core.warehouse.sqlserver.evolution import loaded_columns

_DIGEST = 16
_LARGE_TYPES = frozenset({"text", "ntext", "image", "xml"})
_OURS = re.compile(rf"([0-9a-f]{{{_DIGEST}}})_(in|out|text)\d+_")


def folded(target: Target) -> Target:
    """A target as names are compared: without regard to case. A config with two that differ in case only is refused."""
    return target[0].casefold(), target[1].casefold()


def target_digest(target: Target) -> str:
    """The digest of a target, whatever case its name is written in."""
    return digest_of(joined(*folded(target)))[:_DIGEST]


def lock_resource(digest: str) -> str:
    """The name of the application lock of a target."""
    return f"dltsync:{digest}"


def digest_in(name: str) -> str | None:
    """The target's digest in the name of a staging table; None for a table that is not one."""
    found = _OURS.match(name)
    return found[1] if found is not None else None


@dataclass(frozen=True)
class StagingNames:
    """The staging tables of one load of a target: `number` tells the loads of one group apart, `attempt` the groups. A run that
    lost its lock, and does not know it yet, must not copy rows into the tables of the run that took over."""

    schema: str
    target: Target
    number: int
    attempt: str

    def _named(self, role: str) -> TableName:
        readable = identifier_part(self.target[1])[:40]
        return TableName(self.schema, f"{target_digest(self.target)}_{role}{self.number}_{self.attempt}_{readable}")

    @property
    def incoming(self) -> TableName:
        """The rows of the load."""
        return self._named("in")

    @property
    def outgoing(self) -> TableName:
        """The rows that were switched out."""
        return self._named("out")

    @property
    def text(self) -> TableName:
        """The rows as they were sent, where the server has to convert some of their values."""
        return self._named("text")

    @property
    def all(self) -> tuple[TableName, ...]:
        return self.incoming, self.outgoing, self.text


@dataclass(frozen=True)
class SinglePartition:
    """For staging tables without partitions: the partition of the target that they are switched with, and its filegroup on each
    partition scheme."""

    slot: Slot
    filegroups: Mapping[str, str]


def copies_of(
    target: TargetFacts, names: StagingNames, single: SinglePartition | None = None
) -> tuple[list[Statement], list[Statement]]:
    """Statements that make two empty tables which the target can be switched with, for before and for after the copy:
    nonclustered indexes are built after it, and so are constraints, which a bulk copy would leave untrusted. The table that rows
    are switched out to has none: SWITCH asks for the target's only, and a trusted copy of an untrusted one is refused."""
    before: list[Statement] = []
    after: list[Statement] = []
    for name in (names.incoming, names.outgoing):
        first, last = _copy_with_indexes(target, name, single)
        before += first
        after += last
    return before, [*after, *constraints_of(target, names.incoming, single)]


def empty_copy(target: TargetFacts, name: TableName, single: SinglePartition | None = None) -> list[Statement]:
    """Statements that make one empty table which the target can be switched with."""
    before, after = _copy_with_indexes(target, name, single)
    return [*before, *after]


def rebuilt_copy(
    target: TargetFacts, name: TableName, changed: Mapping[str, TargetColumn], *, named: bool = False
) -> tuple[list[Statement], list[Statement]]:
    """Statements that make an empty table like the target in all but the types of `changed`, by column, for before and for after
    rows are copied into it; its indexes and constraints have the target's names when they are `named`."""
    before, after = _copy_with_indexes(target, name, None, changed, named=named)
    return before, [*after, *constraints_of(target, name, named=named)]


def index_again(target: TargetFacts, index: IndexFacts) -> Statement:
    """The statement that makes an index of the target itself once more, with its name, where it was."""
    return tables.create_index(target.name, 0, _shape(index, None), _placed(target, index, None), named=index.name)


def constraints_of(
    target: TargetFacts, name: TableName, single: SinglePartition | None = None, *, named: bool = False
) -> list[Statement]:
    """Statements that give a staging table the target's CHECK constraints and foreign keys, trusted, and the proof that its rows
    lie within the partition where it has no partitions. They fail (547) when a row does not fit."""
    partitioning = target.table.partitioning
    made: list[Statement] = []
    if single is not None and partitioning is not None and len(partitioning.slots) > 1:
        made.append(constraints.add_range_check(name, partitioning.column, single.slot.range))
    made += [
        constraints.add_check(name, check.definition, named=check.name if named else None)
        for check in target.checks
        if check.definition is not None and not check.is_disabled
    ]
    made += [
        constraints.add_foreign_key(
            name, key.columns, key.referenced, key.referenced_columns, named=key.name if named else None
        )
        for key in target.foreign_keys
    ]
    return made


def _copy_with_indexes(
    target: TargetFacts,
    name: TableName,
    single: SinglePartition | None,
    changed: Mapping[str, TargetColumn] | None = None,
    *,
    named: bool = False,
) -> tuple[list[Statement], list[Statement]]:
    before: list[Statement] = [_copy_of(target, name, single, changed or {})]
    after: list[Statement] = []
    for number, index in enumerate(target.indexes):
        if index.kind == HEAP or index.is_disabled:
            continue
        statement = tables.create_index(
            name, number, _shape(index, single), _placed(target, index, single), named=index.name if named else None
        )
        (before if index.kind in {CLUSTERED, CLUSTERED_COLUMNSTORE} else after).append(statement)
    return before, after


def heap_for(target: TargetFacts, name: TableName, schema: pa.Schema) -> Statement:
    """A heap with those of the target's columns that a load has: for rows that are copied on by INSERT, so that the server fills
    the others (IDENTITY, periods)."""
    return tables.create_table(name, [_column(column) for column in loaded_columns(target.table, schema).values()])


def text_table(target: TargetFacts, name: TableName, schema: pa.Schema) -> Statement | None:
    """A heap for the rows as they are sent; None when the server has nothing to convert."""
    goes_to = loaded_columns(target.table, schema)
    if not any(is_converted(field, shown_type(goes_to[field.name])) for field in schema):
        return None
    return tables.create_table(name, [_on_the_way(field, goes_to[field.name]) for field in schema])


def conversions(target: TargetFacts, schema: pa.Schema) -> list[tuple[str, Sql]]:
    """For each column of the target that the load has, the expression over the columns of `text_table`."""
    goes_to = loaded_columns(target.table, schema)
    found = []
    for field in schema:
        column = goes_to[field.name]
        declared = shown_type(column)
        plain = sql("{name}", name=Identifier(column.name))
        found.append((column.name, conversion(column.name, declared) if is_converted(field, declared) else plain))
    return found


def _copy_of(
    target: TargetFacts, name: TableName, single: SinglePartition | None, changed: Mapping[str, TargetColumn]
) -> Statement:
    storage = target.storage
    heap = storage is not None and storage.kind == HEAP
    placed = _placed(target, storage, single) if storage is not None else None
    if placed is not None and placed.column is None:
        large = any("(max)" in shown_type(c) or c.type_name in _LARGE_TYPES for c in target.table.columns)
        placed = replace(placed, with_large_values=large and single is not None)
    return tables.create_table(
        name,
        [changed.get(column.name) or _column(column) for column in target.table.columns],
        placed=placed,
        compression=_compression(storage, single) if storage is not None and heap else (),
    )


def _column(column: ColumnFacts) -> TargetColumn:
    return TargetColumn(column.name, shown_type(column), column.is_nullable, column.collation)


def _on_the_way(field: pa.Field[Any], column: ColumnFacts) -> TargetColumn:
    declared = shown_type(column)
    if is_converted(field, declared):
        return TargetColumn(column.name, TEXT_ON_THE_WAY, is_nullable=True)
    return TargetColumn(column.name, declared, is_nullable=True, collation=column.collation)


def _shape(index: IndexFacts, single: SinglePartition | None) -> IndexShape:
    columnstore = index.kind == CLUSTERED_COLUMNSTORE
    # The server adds the partition column to an index of a partitioned table by itself, and compares it.
    added = (index.added,) if single is not None and index.added is not None and not columnstore else ()
    return IndexShape(
        is_clustered=index.kind == CLUSTERED,
        is_columnstore=columnstore,
        is_unique=index.is_unique,
        is_primary_key=index.is_primary_key,
        is_unique_constraint=index.is_unique_constraint,
        keys=index.keys,
        included=(*index.included, *added),
        # COLUMNSTORE is what a columnstore index has without saying so.
        compression=tuple(entry for entry in _compression(index, single) if entry[1] != "COLUMNSTORE"),
    )


def _compression(index: IndexFacts, single: SinglePartition | None) -> tuple[tuple[int, str], ...]:
    if single is None:
        return index.compression
    return tuple((1, kind) for number, kind in index.compression if number == single.slot.number)


def _placed(target: TargetFacts, index: IndexFacts, single: SinglePartition | None) -> PlacedOn | None:
    partitioning = target.table.partitioning
    if index.scheme is not None and partitioning is not None:
        if single is not None:
            return PlacedOn(single.filegroups[index.scheme])
        return PlacedOn(index.scheme, partitioning.column.name)
    return PlacedOn(index.filegroup) if index.filegroup is not None else None
