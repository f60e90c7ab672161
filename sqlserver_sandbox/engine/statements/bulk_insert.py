"""Bulk rows: the same checks and the same atomic write as INSERT, from Arrow batches instead of text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlserver_sandbox.engine.execution.batch import BatchRunner, ends_transaction
from sqlserver_sandbox.engine.statements.insert import Incoming, writable, write_rows
from sqlserver_sandbox.model import BulkTarget, Cancelled, Occasion, SqlError
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.syntax import ObjectName
from sqlserver_sandbox.tsql.values.storage import arrow_type

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.session import DuckDbSession


class _Source:
    """The batches, remembering what broke them: Arrow would only pass on its text."""

    def __init__(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        self.batches = batches
        self.schema = schema
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self.batches:
                arrays = [
                    a if a.type == f.type else a.cast(f.type) for a, f in zip(batch.columns, self.schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        except BaseException as error:
            self.error = error
            raise


def insert(session: DuckDbSession, target: BulkTarget, batches: Iterator[pa.RecordBatch]) -> int:
    """All rows or none. Raises what INSERT raises, and whatever the batches raise."""
    runner = BatchRunner(session, {})
    schema = pa.schema([pa.field(f"b{i}", arrow_type(c.type)) for i, c in enumerate(target.columns, 1)])
    source = _Source(batches, schema)
    session.transaction.check_alive()
    if session.options.implicit_transactions and not session.transaction.count:
        for _ in session.transaction.begin():
            pass
    try:
        if session.interference is not None:
            table = frozenset({f"{target.schema or 'dbo'}.{target.table}"})
            session.interference.before(Occasion("bulk", "INSERT BULK", session.database, table))
        count = _insert(runner, target, source)
    except SqlError as error:
        session.with_error(error)
        if ends_transaction(session, error) and session.transaction.count:
            # No environment change can be told from here: the transaction is left for the client to roll back.
            session.transaction.doom()
        else:
            _undo(session)
        if source.error is not None:
            raise source.error from None
        raise
    except (Cancelled, Exception):
        session.transaction.doom()
        raise
    for _ in session.transaction.end_statement():
        pass
    session.rowcount = count
    if session.interference is not None:
        session.interference.after()
    return count


def _undo(session: DuckDbSession) -> None:
    if session.transaction.can_lose_nothing:
        for _ in session.transaction.end_statement(failed=True):
            pass


def _insert(runner: BatchRunner, target: BulkTarget, source: _Source) -> int:
    session = runner.session
    statement = runner.statement()
    database, table = writable(runner, statement, ObjectName((target.schema, target.table)))
    columns = []
    for sent in target.columns:
        column = table.column(sent.name)
        if column is None:
            raise SqlError(207, f"Invalid column name '{sent.name}'.")
        columns.append(column)
    keep_identity = "keep_identity" in target.options
    reader = pa.RecordBatchReader.from_batches(source.schema, chain(source))
    session.connection.register("bulk_rows", reader)
    try:
        kept = [
            (Bound(f"i.b{n}", sent.type, True, label="implicit"), column)
            for n, (sent, column) in enumerate(zip(target.columns, columns, strict=True), 1)
            if column.type.name != "rowversion" and (column.identity is None or keep_identity)
        ]
        incoming = Incoming(
            "SELECT * FROM bulk_rows",
            tuple(b for b, _ in kept),
            tuple(c for _, c in kept),
            keep_identity and any(c.identity for _, c in kept),
            null_means_default="keep_nulls" not in target.options,
        )
        return write_rows(runner, statement, database, table, incoming)
    finally:
        session.connection.unregister("bulk_rows")
