"""One statement's surroundings: catalogue, variables, time, and DuckDB with its errors translated."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from sqlserver_sandbox.engine.duckdb.errors import translate
from sqlserver_sandbox.engine.execution.catalogue_view import StatementCatalogue
from sqlserver_sandbox.engine.store.locks import Key
from sqlserver_sandbox.model import ArrowArray, Column, SqlError
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.context import Context, SessionFacts, VariableValue
from sqlserver_sandbox.tsql.bind.queries import QueryBinder
from sqlserver_sandbox.tsql.catalogue import Database
from sqlserver_sandbox.tsql.values.storage import arrow_type

BATCH_ROWS = 32_768
"""Rows per Arrow batch on the way to the wire."""
_EPOCH_TICKS = 621_355_968_000_000_000
"""100 ns from 0001-01-01 to 1970-01-01."""


def utc_ticks() -> int:
    """The time now, as datetime2(7) stores it."""
    return _EPOCH_TICKS + time.time_ns() // 100


class Statement:
    """Binds and runs one statement on a DuckDB connection."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        catalogue: StatementCatalogue,
        variables: Mapping[str, VariableValue],
        facts: SessionFacts,
    ) -> None:
        self.connection = connection
        self.catalogue = catalogue
        self.context = Context(catalogue, variables, facts)
        self.queries = QueryBinder(self.context)

    def renew(self, newer: Statement) -> None:
        """Take over a newer view of the catalogue; what was bound before must be bound again."""
        self.catalogue, self.context, self.queries = newer.catalogue, newer.context, newer.queries

    @property
    def database(self) -> Database:
        return self.catalogue.current

    @property
    def read(self) -> set[Key]:
        return self.context.read

    def run(self, sql: str) -> None:
        """Execute for its effect. Raises SqlError or Cancelled."""
        try:
            self.connection.execute(sql)
        except duckdb.Error as error:
            raise translate(error) from error

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self.connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise translate(error) from error

    def scalar(self, sql: str) -> Any:
        rows = self.fetch(sql)
        return rows[0][0] if rows else None


def columns_of(bounds: tuple[Bound, ...]) -> tuple[Column, ...]:
    """The result's columns as the client sees them."""
    found = []
    for bound in bounds:
        if bound.type.name == "sql_variant":
            raise SqlError(
                40517,
                f"not supported by the sandbox: a sql_variant column ('{bound.name}') in a result; CAST or CONVERT it",
            )
        found.append(Column(bound.name, bound.type, bound.nullable, bound.identity))
    return tuple(found)


def stream(connection: duckdb.DuckDBPyConnection, sql: str, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
    """The rows, in each column's declared Arrow form, batch by batch as DuckDB makes them."""
    try:
        result = connection.execute(sql)
        reader = (
            result.to_arrow_reader(BATCH_ROWS)
            if hasattr(result, "to_arrow_reader")
            else result.fetch_record_batch(BATCH_ROWS)
        )
    except duckdb.Error as error:
        raise translate(error) from error
    schema = pa.schema([pa.field(f"c{i}", arrow_type(c.type)) for i, c in enumerate(columns, 1)])
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise translate(error) from error
        yield _declared(batch, schema)


def _declared(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays: list[ArrowArray] = []
    for array, wanted in zip(batch.columns, schema, strict=True):
        arrays.append(array if array.type == wanted.type else array.cast(wanted.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
