"""Constraints of the two tables of a SWITCH: checks, foreign keys, and the proof that the rows fit where they go."""

from __future__ import annotations

from sqlserver_sandbox.engine.switching.prover import about, allowed, columns_of, values_of
from sqlserver_sandbox.engine.switching.ranges import EVERYTHING, Values, partition_values
from sqlserver_sandbox.engine.switching.sides import Side, failed
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import TableColumn
from sqlserver_sandbox.tsql.constraints import Check, ForeignKey


def check_partition_columns(source: Side, target: Side) -> None:
    """4953: both partitioned, by different columns."""
    mine, theirs = source.table.partition_column, target.table.partition_column
    if mine is not None and theirs is not None and source.ordinal(mine.column_id) != target.ordinal(theirs.column_id):
        raise failed(
            4953,
            f". The columns set used to partition the table '{source.name}' is different from the column set used to"
            " partition the"
            f" table '{target.name}'.",
        )


# ---- checks ------------------------------------------------------------------------------------------------------
def check_checks(source: Side, target: Side) -> None:
    """4960, 4970, 4971, 4972: each check of the target has its like at the source, or follows from what the source holds."""
    for wanted in target.table.checks:
        if wanted.is_disabled:
            continue
        same = next((c for c in source.table.checks if c.text.lower() == wanted.text.lower()), None)
        if same is None:
            _check_implied(source, target, wanted)
        elif wanted.is_trusted and (same.is_disabled or not same.is_trusted):
            raise failed(
                4960,
                f". Check constraint '{same.name}' in source table '{source.name}' is NOCHECK constraint but the matching check"
                f" constraint '{wanted.name}' in target table '{target.name}' is CHECK.",
            )


def _check_implied(source: Side, target: Side, wanted: Check) -> None:
    mentioned = columns_of(target.table, wanted)
    is_of_column = bool(wanted.column_id) or len(mentioned) == 1
    if len(mentioned) == 1:
        other = next(c for c in target.table.columns if c.name.lower() in mentioned)
        mine = source.at(target.ordinal(other.column_id))
        held = _held(source, mine)
        if held != EVERYTHING and (about(source.table, mine) or mine == source.table.partition_column):
            if held.within(values_of(wanted, other)):
                return
            raise _allows_more(source, target)
    level = "column" if is_of_column else "table"
    raise failed(
        4971 if is_of_column else 4970,
        f". Target table '{target.name}' has a {level} level check constraint '{wanted.name}' but the source table"
        f" '{source.name}'"
        " does not have a corresponding constraint.",
    )


def _held(source: Side, column: TableColumn) -> Values:
    """The values that rows of the source can have in a column: by its checks, and by its partition."""
    values = allowed(source.table, column)
    function = source.function
    if function is not None and source.partition is not None and column == source.table.partition_column:
        values = values.meet(partition_values(function, source.partition))
    return values


def _allows_more(source: Side, target: Side) -> SqlError:
    return failed(
        4972,
        f". Check constraints or partition function of source table '{source.name}' allows values that are not allowed by check"
        f" constraints or partition function on target table '{target.name}'.",
    )


# ---- ranges ------------------------------------------------------------------------------------------------------
def check_range(source: Side, target: Side) -> None:
    """4973 for a partition that is not inside the other, 4982 and 4972 for a table whose checks do not keep it inside."""
    function, column = target.function, target.table.partition_column
    if function is None or column is None or target.partition is None:
        return
    if source.function is not None and source.partition is not None:
        if source.function == function and source.partition == target.partition:
            return
        mine = partition_values(source.function, source.partition)
        if not mine.within(partition_values(function, target.partition)):
            raise failed(
                4973,
                f". Range defined by partition {source.partition} in table '{source.name}' is not a subset of range defined by"
                f" partition {target.partition} in table '{target.name}'.",
            )
        return
    wanted = partition_values(function, target.partition)
    own = source.at(target.ordinal(column.column_id))
    if wanted.ranges == EVERYTHING.ranges:
        return
    if not about(source.table, own):
        raise failed(
            4982,
            f". Check constraints of source table '{source.name}' allow values that are not allowed by range defined by partition"
            f" {target.partition} on target table '{target.name}'.",
        )
    if not allowed(source.table, own).within(wanted):
        raise _allows_more(source, target)


# ---- foreign keys ------------------------------------------------------------------------------------------------
def check_foreign_keys(source: Side, target: Side) -> None:
    """4967 for a source that is referenced; 4968, 4969, 4974 for a foreign key of the target that the source has not as well."""
    for table in source.database.tables:
        for key in table.foreign_keys:
            if key.referenced_object_id == source.table.object_id:
                raise failed(
                    4967,
                    f". SWITCH is not allowed because source table '{source.name}' contains primary key for constraint"
                    f" '{key.name}'.",
                )
    for wanted in target.table.foreign_keys:
        same = next((f for f in source.table.foreign_keys if _compared(source, f) == _compared(target, wanted)), None)
        if same is None:
            raise failed(
                4968,
                f". Target table '{target.name}' has foreign key for constraint '{wanted.name}' but source table '{source.name}'"
                " does not have corresponding key.",
            )
        if same.is_disabled and not wanted.is_disabled:
            raise failed(
                4969,
                f". Foreign key constraint '{same.name}' is disabled in source table '{source.name}' and the corresponding"
                f" constraint '{wanted.name}' is enabled in target table '{target.name}'. The source table constraint must be"
                " enabled.",
            )
        if not same.is_trusted and wanted.is_trusted:
            raise failed(
                4974,
                f". Foreign key constraint '{same.name}' is NOCHECK in source table '{source.name}' and the corresponding"
                f" constraint '{wanted.name}' is CHECK in target table '{target.name}'. The source table constraint must be in"
                " CHECK.",
            )


def _compared(side: Side, key: ForeignKey) -> object:
    return frozenset(
        zip((side.ordinal(i) for i in key.columns), key.referenced_columns, strict=True)
    ), key.referenced_object_id
