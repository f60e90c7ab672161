"""Rows of a table by partition, counted, as the system views and sp_statistics have them."""

from __future__ import annotations

from sqlserver_sandbox.engine.duckdb.connection import Connection
from sqlserver_sandbox.tsql.bind.partitions import partition_number_sql
from sqlserver_sandbox.tsql.bind.sources import table_columns
from sqlserver_sandbox.tsql.catalogue import Database, Table


def count_rows(connection: Connection, database: Database, table: Table) -> list[int]:
    """The rows of each partition, first partition first, in the connection's snapshot."""
    source = f"{database.alias}.main.{table.physical}"
    scheme, column = database.scheme_of(table), table.partition_column
    if scheme is None or column is None:
        return [int(connection.scalar(f"SELECT count(*) FROM {source}"))]
    function = database.function_by_id(scheme.function_id)
    bound = next(b for b in table_columns(table, "t") if b.name == column.name)
    number = partition_number_sql(function, bound)
    counted = dict(connection.fetch(f"SELECT {number}, count(*) FROM {source} AS t GROUP BY 1"))
    return [counted.get(n, 0) for n in range(1, function.fanout + 1)]
