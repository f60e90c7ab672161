"""What must happen to a target before a load of another shape fits. A pure decision, made before a row is copied.

Columns are only ever added, made to admit NULL, or widened to a type that holds the old values and the new ones exactly. Any
other change is refused, and so is a wider type on a partitioned table: SQL Server cannot change a column's type there.
IDENTITY columns and those of the primary key stay NOT NULL, because SQL Server has them only so: a load may bring them in a
nullable field, and `bulk_copy` refuses a NULL in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts, TableFacts
from dltsync_core.errors import DriftError
from dltsync_core.identity import TableName
from dltsync_core.tsql.warehouse.tables import TargetColumn
from dltsync_core.typemap.declared_type import shown_type
from dltsync_core.warehouse.sqlserver.columns import holds, target_column


@dataclass(frozen=True)
class Evolution:
    """Changes to a target: columns to add, and columns to alter (a wider type, or NULL admitted)."""

    added: tuple[TargetColumn, ...] = ()
    altered: tuple[TargetColumn, ...] = ()


def plan_evolution(table: TableFacts, schema: pa.Schema) -> Evolution:
    """From the table's columns to the load's. Raises DriftError, with all columns that stand against it named."""
    problems: list[str] = []
    added: list[TargetColumn] = []
    altered: list[TargetColumn] = []
    held = {column.name.casefold(): column for column in table.columns}
    for field in schema:
        wanted = target_column(field)
        column = held.pop(field.name.casefold(), None)
        if column is None:
            added.append(replace(wanted, is_nullable=True))
        elif problem := _unfit(table, column, wanted):
            problems.append(problem)
        elif change := _altered(column, wanted, may_relax=not _never_null(table, column)):
            altered.append(change)
    gone = [column for column in held.values() if not column.is_nullable and not _is_filled(column)]
    problems.extend(
        f"{column.name} is part of the primary key in the warehouse and not in the load"
        for column in gone
        if _never_null(table, column)
    )
    altered.extend(_as_it_is(column, is_nullable=True) for column in gone)  # NULL from now on
    if problems:
        raise refused(table.name, problems)
    return Evolution(tuple(added), tuple(altered))


def refused(name: TableName, problems: Sequence[str]) -> DriftError:
    """The refusal of a load whose columns the table cannot take, with one sentence part for each column."""
    return DriftError(
        f"the columns of {name} in the warehouse do not fit the load: {'; '.join(problems)}. "
        "Nothing was written to the warehouse",
        remedy="drop the warehouse table, or choose another target_table, and run with --full-refresh; "
        "or set column_representation so that the type stays as it was",
        table=str(name),
    )


def loaded_columns(table: TableFacts, schema: pa.Schema) -> dict[str, ColumnFacts]:
    """For each field of a load, by its name, the column of the table it goes to."""
    held = {column.name.casefold(): column for column in table.columns}
    return {field.name: held[field.name.casefold()] for field in schema}


def _unfit(table: TableFacts, column: ColumnFacts, wanted: TargetColumn) -> str | None:
    found = shown_type(column)
    if column.is_computed or column.generated or found == "rowversion":
        return f"{column.name} is set by the server in the warehouse"
    if holds(found, wanted.type):
        return None
    if not holds(wanted.type, found):
        return f"{column.name} is {found} in the warehouse and {wanted.type} in the load"
    if table.partitioning is not None:
        return (
            f"{column.name} is {found} in the warehouse and {wanted.type} in the load, and a type cannot be changed on a "
            "partitioned table"
        )
    return None


def _altered(column: ColumnFacts, wanted: TargetColumn, *, may_relax: bool) -> TargetColumn | None:
    found = shown_type(column)
    wider = not holds(found, wanted.type)
    relaxed = may_relax and wanted.is_nullable and not column.is_nullable
    if not wider and not relaxed:
        return None
    kind = wanted.type if wider else found
    return TargetColumn(column.name, kind, column.is_nullable or relaxed, column.collation)


def _never_null(table: TableFacts, column: ColumnFacts) -> bool:
    """Whether SQL Server refuses to let the column admit NULL: IDENTITY (8147), and the columns of a primary key (5074)."""
    return column.is_identity or column.name.casefold() in {name.casefold() for name in table.primary_key}


def _as_it_is(column: ColumnFacts, *, is_nullable: bool) -> TargetColumn:
    return TargetColumn(column.name, shown_type(column), is_nullable, column.collation)


def _is_filled(column: ColumnFacts) -> bool:
    """Whether the server has a value of its own for every row."""
    return column.is_computed or column.is_identity or bool(column.generated) or column.type_name == "rowversion"
