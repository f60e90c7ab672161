"""INSERT BULK: its announcement, and its rows, with the same checks and the same atomic write as INSERT."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pyarrow as pa

from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue, save
from sqlserver_sandbox.engine.definitions.constraints import has_trusted, untrusted
from sqlserver_sandbox.engine.execution.errors import ends_transaction
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.rows.computed import check_settable
from sqlserver_sandbox.engine.rows.insertion import IncomingRows, insert_rows
from sqlserver_sandbox.engine.rows.target import lock_for_writing
from sqlserver_sandbox.engine.store.snapshot import StaleSnapshotError
from sqlserver_sandbox.engine.store.transaction import TransactionState
from sqlserver_sandbox.model import BulkStart, BulkTarget, Cancelled, Column, Occasion, Outcome, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.sources import resolve_table
from sqlserver_sandbox.tsql.catalogue import Database, Table
from sqlserver_sandbox.tsql.types import resolve
from sqlserver_sandbox.tsql.values.storage import arrow_type


def start_bulk(execution: Execution, node: s.InsertBulk) -> Iterator[Outcome]:
    """Accept the announcement: the rows come in the client's next message."""
    database, table = resolve_table(execution.context, node.target)
    columns = []
    for spec in node.columns:
        column = table.column(spec.name)
        if column is None:
            raise SqlError(207, f"Invalid column name '{spec.name}'.", line=node.line)
        check_settable(column, node.line)
        declared = resolve(spec.type, collation=spec.collation or column.type.collation or database.collation)
        columns.append(Column(column.name, declared, column.nullable, column.identity is not None))
    schema = database.schema_by_id(table.schema_id).name
    yield BulkStart(BulkTarget(schema, table.name, tuple(columns), node.options))


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


def insert(execution: Execution, target: BulkTarget, batches: Iterator[pa.RecordBatch]) -> int:
    """All rows or none. Raises what INSERT raises, and whatever the batches raise."""
    session, transaction = execution.session, execution.transaction
    schema = pa.schema([pa.field(f"b{i}", arrow_type(c.type)) for i, c in enumerate(target.columns, 1)])
    source = _Source(batches, schema)
    transaction.check_alive()
    if session.options.implicit_transactions and not transaction.count:
        for _ in transaction.begin():
            pass
    try:
        if session.interference is not None:
            table = frozenset({f"{target.schema or 'dbo'}.{target.table}"})
            session.interference.before(Occasion("bulk", "INSERT BULK", session.database, table))
        count = _insert(execution, target, source)
    except SqlError as error:
        session.record_error(error)
        if ends_transaction(error, session.options) and transaction.count:
            # No environment change can be sent from here: the transaction is left for the client to roll back.
            transaction.doom()
        else:
            _undo(transaction)
        if source.error is not None:
            raise source.error from None
        raise
    except (Cancelled, Exception):
        transaction.doom()
        raise
    for _ in transaction.end_statement():
        pass
    session.rowcount = count
    if session.interference is not None:
        session.interference.after()
    return count


def _undo(transaction: TransactionState) -> None:
    if transaction.can_lose_nothing:
        for _ in transaction.end_statement(failed=True):
            pass


def _locked(execution: Execution, name: s.ObjectName, *, checked: bool) -> tuple[Database, Table]:
    while True:
        execution.transaction.begin_statement()
        try:
            if not checked and has_trusted(resolve_table(execution.context, name)[1]):
                # What is not checked is not trusted from here on: the catalogue changes too, and its lock comes first.
                database, table = resolve_table(execution.context, name)
                execution.access.check_table(database, table, "ALTER")
                change_catalogue(execution, name)
                execution.refresh()
            return lock_for_writing(execution, name)
        except StaleSnapshotError:
            execution.transaction.restart_statement()
            execution.refresh()


def _insert(execution: Execution, target: BulkTarget, source: _Source) -> int:
    checked = "check_constraints" in target.options
    database, table = _locked(execution, s.ObjectName((target.schema, target.table)), checked=checked)
    columns = []
    for sent in target.columns:
        column = table.column(sent.name)
        if column is None:
            raise SqlError(207, f"Invalid column name '{sent.name}'.")
        columns.append(column)
    reader = pa.RecordBatchReader.from_batches(source.schema, chain(source))
    execution.connection.register("bulk_rows", reader)
    try:
        kept = [
            (Bound(f"i.b{n}", sent.type, True, label="implicit"), column)
            for n, (sent, column) in enumerate(zip(target.columns, columns, strict=True), 1)
            if column.type.name != "rowversion"
        ]
        incoming = IncomingRows(
            "SELECT * FROM bulk_rows",
            tuple(b for b, _ in kept),
            tuple(c for _, c in kept),
            # A client that wants new identity values leaves the column out of INSERT BULK.
            any(c.identity for _, c in kept),
            null_means_default="keep_nulls" not in target.options,
            check_constraints=checked,
        )
        count = insert_rows(execution, database, table, incoming)
        if not checked and has_trusted(table):
            save(execution, database.with_table(untrusted(table)))
        return count
    finally:
        execution.connection.unregister("bulk_rows")
