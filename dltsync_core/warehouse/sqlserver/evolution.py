"""What must happen to a target before a load of another shape fits. A pure decision, made before a row is copied.

Columns are only ever added, made to admit NULL, or widened to a type that holds the old values and the new ones exactly. Any
other change is refused. SQL Server cannot change a column's type on a partitioned table: the table is made anew where the config
allows it and nothing stands against it, else the load is refused.
IDENTITY columns and those of the primary key stay NOT NULL, because SQL Server has them only so: a load may bring them in a
nullable field, and `bulk_copy` refuses a NULL in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts, TableFacts
from dltsync_core.catalog.targets import TargetFacts
from dltsync_core.errors import DriftError
from dltsync_core.identity import TableName
from dltsync_core.tsql.warehouse.tables import TargetColumn
from dltsync_core.typemap.declared_type import shown_type
from dltsync_core.warehouse.sqlserver.columns import holds, target_column
from dltsync_core.warehouse.sqlserver.dependents import Dependent, dependents_of

_REBUILD_HELPS = (
    "set destination.changed_types: rebuild, so that they are dropped and made again in one transaction; or "
)


@dataclass(frozen=True)
class Evolution:
    """Changes to a target: columns to add, and columns to alter (a wider type, or NULL admitted). `rebuilt` are columns of a
    wider type for which the table is made anew, before the other changes. `remade` depend on columns of another type: they are
    dropped, and made again after it. `in_doubt` depend on columns that only admit NULL from now on, by the names of these: the
    server may refuse that for them, and then they are dropped and made again, or the load is refused."""

    added: tuple[TargetColumn, ...] = ()
    altered: tuple[TargetColumn, ...] = ()
    rebuilt: tuple[TargetColumn, ...] = ()
    remade: tuple[Dependent, ...] = ()
    in_doubt: Mapping[str, tuple[Dependent, ...]] = field(default_factory=dict)


def plan_evolution(
    table: TableFacts, schema: pa.Schema, *, against_rebuild: Callable[[], Sequence[str]] | None = None
) -> Evolution:
    """From the table's columns to the load's. `against_rebuild` gives what stands against making a partitioned table anew; None
    where the config does not allow it. Raises DriftError, with all columns that stand against it named."""
    problems: list[str] = []
    rebuilt: list[TargetColumn] = []
    added: list[TargetColumn] = []
    altered: list[TargetColumn] = []
    held = {column.name.casefold(): column for column in table.columns}
    for loaded in schema:
        wanted = target_column(loaded)
        column = held.pop(loaded.name.casefold(), None)
        if column is None:
            added.append(replace(wanted, is_nullable=True))
        elif problem := _unfit(column, wanted):
            problems.append(problem)
        elif change := _altered(column, wanted, may_relax=not _never_null(table, column)):
            is_wider = table.partitioning is not None and not holds(shown_type(column), wanted.type)
            (rebuilt if is_wider else altered).append(change)
    gone = [column for column in held.values() if not column.is_nullable and not _is_filled(column)]
    problems.extend(
        f"{column.name} is part of the primary key in the warehouse and not in the load"
        for column in gone
        if _never_null(table, column)
    )
    altered.extend(_as_it_is(column, is_nullable=True) for column in gone)  # NULL from now on
    if rebuilt:
        problems += _against_rebuild(table, rebuilt, against_rebuild)
    if problems:
        raise refused(table.name, problems, may_rebuild=bool(rebuilt) and against_rebuild is None)
    return Evolution(tuple(added), tuple(altered), tuple(rebuilt))


def with_dependents(found: TargetFacts, evolution: Evolution, *, may_rebuild: bool) -> Evolution:
    """The same with what depends on the altered columns: of those of another type, to be dropped and made again where the config
    allows it. Raises DriftError, with all of it named."""
    held = {column.name: shown_type(column) for column in found.table.columns}
    dependents: list[Dependent] = []
    in_doubt: dict[str, tuple[Dependent, ...]] = {}
    problems: list[str] = []
    for column in evolution.altered:
        before = held[column.name]
        mine = [*dependents_of(found, column.name, before, column.type)]
        if before == column.type:
            if mine:
                in_doubt[column.name] = tuple(mine)
            continue
        against = [one for one in mine if not (may_rebuild and one.can_be_made_again)]
        dependents += [one for one in mine if one not in dependents]
        if against:
            change = f"{column.name} is {before} in the warehouse and {column.type} in the load"
            problems.append(f"{change}, and {depend(against)} on it (error 5074)")
    if not problems:
        return replace(evolution, remade=tuple(dependents), in_doubt=in_doubt)
    would_help = not may_rebuild and all(one.can_be_made_again for one in dependents)
    raise DriftError(
        f"the columns of {found.name} in the warehouse do not fit the load: {'; '.join(problems)}. "
        "Nothing was written to the warehouse",
        remedy=(_REBUILD_HELPS if would_help else "")
        + "drop them, run, and make them again; or set column_representation so that the type stays as it was",
        table=str(found.name),
    )


def refused_null(name: TableName, evolution: Evolution, said: str, *, may_rebuild: bool) -> DriftError:
    """The refusal of a load that brings NULLs to a column for which the server refuses to lift NOT NULL; `said` is its
    message."""
    problems = [f"{column} is NOT NULL, and {depend(mine)} on it" for column, mine in evolution.in_doubt.items()]
    every = [one for mine in evolution.in_doubt.values() for one in mine]
    would_help = not may_rebuild and all(one.can_be_made_again for one in every)
    return DriftError(
        f"{name} in the warehouse does not admit the NULLs of the load: {'; '.join(problems)}, and SQL Server refuses to "
        f"alter it: {said}",
        remedy=(_REBUILD_HELPS if would_help else "")
        + "drop what depends on the column, run, and make it again; or exclude the column with exclude_columns",
        table=str(name),
    )


def depend(dependents: Sequence[Dependent]) -> str:
    """Objects with their verb, as part of a sentence: "index ix depends"."""
    return f"{', '.join(str(one) for one in dependents)} {'depends' if len(dependents) == 1 else 'depend'}"


def refused(name: TableName, problems: Sequence[str], *, may_rebuild: bool = False) -> DriftError:
    """The refusal of a load whose columns the table cannot take, with one sentence part for each column. `may_rebuild`: a setting
    may help."""
    setting = "set destination.changed_types: rebuild, so that the table is made anew with its rows; or "
    return DriftError(
        f"the columns of {name} in the warehouse do not fit the load: {'; '.join(problems)}. "
        "Nothing was written to the warehouse",
        remedy=(setting if may_rebuild else "")
        + "drop the warehouse table, or choose another target_table, and run with --full-refresh; "
        "or set column_representation so that the type stays as it was",
        table=str(name),
    )


def loaded_columns(table: TableFacts, schema: pa.Schema) -> dict[str, ColumnFacts]:
    """For each field of a load, by its name, the column of the table it goes to."""
    held = {column.name.casefold(): column for column in table.columns}
    return {field.name: held[field.name.casefold()] for field in schema}


def _against_rebuild(
    table: TableFacts, rebuilt: Sequence[TargetColumn], against_rebuild: Callable[[], Sequence[str]] | None
) -> list[str]:
    """What stands against other types of these columns, in sentence parts."""
    held = {column.name: column for column in table.columns}
    changes = [f"{c.name} is {shown_type(held[c.name])} in the warehouse and {c.type} in the load" for c in rebuilt]
    if against_rebuild is None:
        return [f"{change}, and a type cannot be changed on a partitioned table" for change in changes]
    partitioning = table.partitioning
    found = list(against_rebuild())
    if partitioning is not None and partitioning.column.name in {column.name for column in rebuilt}:
        found.append(f"partition function {partitioning.function} has the old type of its column")
    return [f"{'; '.join(changes)}, and the table cannot be made anew: {'; '.join(found)}"] if found else []


def _unfit(column: ColumnFacts, wanted: TargetColumn) -> str | None:
    found = shown_type(column)
    if column.is_computed or column.generated or found == "rowversion":
        return f"{column.name} is set by the server in the warehouse"
    if holds(found, wanted.type):
        return None
    if not holds(wanted.type, found):
        return f"{column.name} is {found} in the warehouse and {wanted.type} in the load"
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
