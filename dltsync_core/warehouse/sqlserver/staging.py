"""Staging tables: what rows are copied into before they become visible, in a schema of their own.

Their names begin with a digest of the target, which is that of the target's application lock too: whoever holds the lock may
drop all of them, because they can only be those of runs that died. They are made for each load from the target's columns and
indexes as the catalogue has them at that moment, on the target's own partition scheme: filegroups, NULL rows, implicit index
columns and the range of each partition are then right by construction, and no CHECK constraint is needed to prove it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.catalog.targets import CLUSTERED, CLUSTERED_COLUMNSTORE, HEAP, IndexFacts, TargetFacts
from dltsync_core.identity import TableName, Target, digest_of, identifier_part, joined
from dltsync_core.tsql.fragments import Identifier, Sql, Statement, sql
from dltsync_core.tsql.warehouse import tables
from dltsync_core.tsql.warehouse.tables import IndexShape, PlacedOn, TargetColumn
from dltsync_core.typemap.declared_type import shown_type
from dltsync_core.warehouse.sqlserver.columns import TEXT_ON_THE_WAY, conversion, is_converted
from dltsync_core.warehouse.sqlserver.evolution import loaded_columns

_DIGEST = 16
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


def copies_of(target: TargetFacts, names: StagingNames) -> tuple[list[Statement], list[Statement]]:
    """Statements that make two empty tables which the target can be switched with, for before and for after the copy:
    nonclustered indexes are built after it."""
    before: list[Statement] = []
    after: list[Statement] = []
    for name in (names.incoming, names.outgoing):
        before.append(_copy_of(target, name))
        for number, index in enumerate(target.indexes):
            if index.kind == HEAP or index.is_disabled:
                continue
            statement = tables.create_index(name, number, _shape(index), _placed(target, index))
            (before if index.kind in {CLUSTERED, CLUSTERED_COLUMNSTORE} else after).append(statement)
    return before, after


def heap_like(target: TargetFacts, name: TableName) -> Statement:
    """A heap with the target's columns: for rows that are copied on by INSERT."""
    return tables.create_table(name, [_column(column) for column in target.table.columns if not column.is_computed])


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


def _copy_of(target: TargetFacts, name: TableName) -> Statement:
    storage = target.storage
    heap = storage is not None and storage.kind == HEAP
    return tables.create_table(
        name,
        [_column(column) for column in target.table.columns],
        placed=_placed(target, storage) if storage is not None else None,
        compression=storage.compression if storage is not None and heap else (),
    )


def _column(column: ColumnFacts) -> TargetColumn:
    return TargetColumn(column.name, shown_type(column), column.is_nullable, column.collation)


def _on_the_way(field: pa.Field[Any], column: ColumnFacts) -> TargetColumn:
    declared = shown_type(column)
    if is_converted(field, declared):
        return TargetColumn(column.name, TEXT_ON_THE_WAY, is_nullable=True)
    return TargetColumn(column.name, declared, is_nullable=True, collation=column.collation)


def _shape(index: IndexFacts) -> IndexShape:
    columnstore = index.kind == CLUSTERED_COLUMNSTORE
    return IndexShape(
        is_clustered=index.kind == CLUSTERED,
        is_columnstore=columnstore,
        is_unique=index.is_unique,
        is_primary_key=index.is_primary_key,
        is_unique_constraint=index.is_unique_constraint,
        keys=index.keys,
        included=index.included,
        # COLUMNSTORE is what a columnstore index has without saying so.
        compression=tuple(entry for entry in index.compression if entry[1] != "COLUMNSTORE"),
    )


def _placed(target: TargetFacts, index: IndexFacts) -> PlacedOn | None:
    partitioning = target.table.partitioning
    if index.scheme is not None and partitioning is not None:
        return PlacedOn(index.scheme, partitioning.column.name)
    return PlacedOn(index.filegroup) if index.filegroup is not None else None
