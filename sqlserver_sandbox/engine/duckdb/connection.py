"""A connection to DuckDB. Nothing outside this folder imports the DuckDB library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from sqlserver_sandbox.engine.duckdb import kernels, macros
from sqlserver_sandbox.engine.duckdb.errors import translate
from sqlserver_sandbox.model import ArrowArray, Column
from sqlserver_sandbox.tsql.values.storage import arrow_type, text_literal

BATCH_ROWS = 32_768
"""Rows per Arrow batch on the way to the wire."""


class Connection:
    """One connection of the sandbox's DuckDB instance. What DuckDB raises comes as SqlError or Cancelled (`errors`)."""

    def __init__(self, raw: duckdb.DuckDBPyConnection, *, is_borrowed: bool = False) -> None:
        self._raw = raw
        self._is_borrowed = is_borrowed
        self.before_use: Callable[[], None] | None = None
        """Called before each statement: it begins the transaction that the statement runs in."""

    @classmethod
    def open(cls, threads: int | None = None) -> Connection:
        """A new instance, in memory, with the functions and macros that the sandbox's SQL uses. None: a thread for each core."""
        raw = duckdb.connect(config={} if threads is None else {"threads": threads})
        raw.execute("SET preserve_insertion_order = true")
        kernels.register(raw)
        macros.register(raw)
        return cls(raw)

    def cursor(self) -> Connection:
        """Another connection of the same instance, with a transaction of its own."""
        return Connection(self._raw.cursor())

    def without_tables(self) -> Connection:
        """The same connection for statements that read no table: nothing begins for them. Closing it closes nothing."""
        return Connection(self._raw, is_borrowed=True)

    def attach(self, path: Path, alias: str) -> None:
        """Make a database file known as `alias`, made if missing. Raises duckdb.IOException for a file it cannot open."""
        self._raw.execute(f"ATTACH {text_literal(str(path))} AS {alias}")

    # ---- statements -----------------------------------------------------------------------------------------------
    def run(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Execute for its effect."""
        self._execute(sql, parameters)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows."""
        result = self._execute(sql)
        try:
            return result.fetchall()
        except duckdb.Error as error:
            raise translate(error) from error

    def scalar(self, sql: str) -> Any:
        """The first value of the first row; None when there is no row."""
        rows = self.fetch(sql)
        return rows[0][0] if rows else None

    def stream(self, sql: str, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
        """The rows, in each column's declared Arrow form, batch by batch as DuckDB makes them."""
        result = self._execute(sql)
        try:
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

    def _execute(self, sql: str, parameters: Sequence[object] = ()) -> duckdb.DuckDBPyConnection:
        if self.before_use is not None:
            self.before_use()
        try:
            return self._raw.execute(sql, list(parameters)) if parameters else self._raw.execute(sql)
        except duckdb.Error as error:
            raise translate(error) from error

    def is_broken(self) -> bool:
        """Whether DuckDB has given the open transaction up: it answers nothing but ROLLBACK."""
        try:
            self._raw.execute("SELECT 1").fetchone()
        except duckdb.Error:
            return True
        return False

    # ---- Arrow data as a table ------------------------------------------------------------------------------------
    def register(self, name: str, reader: pa.RecordBatchReader) -> None:
        """Let statements read `reader` once, under that name."""
        self._raw.register(name, reader)

    def unregister(self, name: str) -> None:
        self._raw.unregister(name)

    def table(self, sql: str) -> pa.Table:
        """All rows, in memory."""
        result = self._execute(sql)
        return result.to_arrow_table() if hasattr(result, "to_arrow_table") else result.fetch_arrow_table()

    def insert(self, name: str, rows: pa.Table) -> None:
        """Add rows with the columns of the table `name`, in order."""
        self._raw.register("rows_to_insert", rows)
        try:
            self._execute(f"INSERT INTO {name} SELECT * FROM rows_to_insert")
        finally:
            self._raw.unregister("rows_to_insert")

    # ---- ends -----------------------------------------------------------------------------------------------------
    def interrupt(self) -> None:
        """End the running statement, which raises Cancelled. May be called from any thread."""
        self._raw.interrupt()

    def close(self) -> None:
        if not self._is_borrowed:
            self._raw.close()


def _declared(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays: list[ArrowArray] = []
    for array, wanted in zip(batch.columns, schema, strict=True):
        arrays.append(array if array.type == wanted.type else array.cast(wanted.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
