"""Rows of one partition, as DuckDB text; whole partitions moved from table to table."""

from __future__ import annotations

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.tsql.bind.partitions import partition_number_sql
from sqlserver_sandbox.tsql.bind.sources import table_columns
from sqlserver_sandbox.tsql.catalogue import Database, Table


def in_partition(database: Database, table: Table, alias: str, first: int | None, last: int | None = None) -> str:
    """The condition for rows of the partitions `first` to `last` of a partitioned table; every row for None."""
    function, column = database.function_of(table.base.data_space_id), table.partition_column
    if first is None or function is None or column is None:
        return "true"
    bound = next(b for b in table_columns(table, alias) if b.name == column.name)
    return f"({partition_number_sql(function, bound)} BETWEEN {first} AND {first if last is None else last})"


def physical(database: Database, table: Table) -> str:
    """The table's full name in DuckDB."""
    return f"{database.alias}.main.{table.physical}"


def is_empty(execution: Execution, database: Database, table: Table, partition: int | None) -> bool:
    where = in_partition(database, table, "t", partition)
    found = execution.scalar(
        f"SELECT count(*) FROM (SELECT 1 FROM {physical(database, table)} AS t WHERE {where} LIMIT 1) AS r"
    )
    return not found


def move_rows(execution: Execution, database: Database, source: Table, partition: int | None, target: Table) -> None:
    """All rows of a partition of `source` go to `target`, column by column in order; identity and rowversion values stay."""
    where = in_partition(database, source, "t", partition)
    theirs = ", ".join(c.physical for c in target.columns)
    mine = ", ".join(f"t.{c.physical}" for c in source.columns)
    origin = physical(database, source)
    execution.run(f"INSERT INTO {physical(database, target)} ({theirs}) SELECT {mine} FROM {origin} AS t WHERE {where}")
    execution.run(f"DELETE FROM {origin} AS t WHERE {where}")
