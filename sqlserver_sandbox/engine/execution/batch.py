"""Running a batch: one statement after another, variables between them, errors that end a statement, a batch, a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlserver_sandbox.engine.execution.execution import Statement, columns_of, stream
from sqlserver_sandbox.engine.statements import databases, execute, tables
from sqlserver_sandbox.engine.statements import flow as control
from sqlserver_sandbox.engine.statements import insert as rows
from sqlserver_sandbox.engine.statements import partitions as partitioning
from sqlserver_sandbox.engine.statements import update as changes
from sqlserver_sandbox.engine.testing.occasions import occasion_of
from sqlserver_sandbox.model import Cancelled, Outcome, ResultSet, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.context import VariableValue
from sqlserver_sandbox.tsql.bind.queries import BoundQuery
from sqlserver_sandbox.tsql.refusal import NOT_SUPPORTED, refused
from sqlserver_sandbox.tsql.values.storage import from_arrow

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.session import DuckDbSession

SELECT, SET = 0xC1, 0xBE

ENDS_TRANSACTION = frozenset({235, 241, 242, 244, 245, 248, 295, 1205, 3952, 3960, 3961, 8114, 8169})
"""Errors that end the batch and roll back even while XACT_ABORT is OFF: conversions of text, deadlocks, snapshot conflicts."""
ENDS_STATEMENT = frozenset(
    {
        220,
        232,
        512,
        515,
        517,
        535,
        536,
        537,
        544,
        547,
        1222,
        2601,
        2627,
        2628,
        3902,
        3903,
        8115,
        8134,
        8152,
        8170,
        50000,
    }
)
"""Errors after which the batch goes on while XACT_ABORT is OFF. All others end the batch and leave the transaction."""
_STARTS_IMPLICIT = (
    s.SelectStatement,
    s.Insert,
    s.Update,
    s.Delete,
    s.CreateTable,
    s.DropTable,
    s.TruncateTable,
    s.AlterTableAdd,
    s.AlterTableDrop,
    s.CreateIndex,
    s.DropIndex,
    s.CreateSchema,
    s.DropSchema,
    s.InsertBulk,
    s.CreatePartitionFunction,
    s.CreatePartitionScheme,
    s.AlterPartitionFunction,
    s.AlterPartitionScheme,
    s.DropPartition,
)


FATAL_CLASS = 20
"""An error of this severity or above ends the connection."""


def ends_transaction(session: DuckDbSession, error: SqlError) -> bool:
    """Whether the error rolls back, not only its own statement."""
    if error.number == NOT_SUPPORTED:
        return False
    return error.number in ENDS_TRANSACTION or error.class_ >= FATAL_CLASS or session.options.xact_abort


class StopBatch(Exception):
    """The rest of the batch is not run."""


class BatchRunner:
    """Runs statements with one set of variables."""

    def __init__(
        self, session: DuckDbSession, variables: Mapping[str, VariableValue], *, nested: int = 0, text: str = ""
    ) -> None:
        self.session = session
        self.variables: dict[str, VariableValue] = dict(variables)
        self.nested = nested
        self.text = text

    def run(self, statements: tuple[s.Statement, ...]) -> Iterator[Outcome]:
        try:
            yield from self.block(statements)
        except StopBatch:
            return

    def block(self, statements: tuple[s.Statement, ...]) -> Iterator[Outcome]:
        for node in statements:
            yield from self._one(node)

    def _one(self, node: s.Statement) -> Iterator[Outcome]:
        session = self.session
        rule = RULES.get(type(node))
        if rule is None:
            raise refused(f"the statement {type(node).__name__}")
        flow = isinstance(node, s.If | s.Execute | s.ExecuteText)
        try:
            if not isinstance(node, s.Transaction):
                session.transaction.check_alive()
            if (
                session.options.implicit_transactions
                and not session.transaction.count
                and self._needs_transaction(node)
            ):
                yield from session.transaction.begin()
            yield from rule(self, node) if flow or session.interference is None else self._watched(node, rule)
            if not flow:
                yield from session.transaction.end_statement()
                session.last_error = 0
                if session.interference is not None:
                    session.interference.after()
        except SqlError as error:
            yield from self._failed(error)
        except (Cancelled, GeneratorExit):
            self._broken_off()
            raise

    def _watched(self, node: s.Statement, rule: Callable[[BatchRunner, Any], Iterator[Outcome]]) -> Iterator[Outcome]:
        """The statement's outcomes, with the chance to go wrong before it and among its rows."""
        interference = self.session.interference
        if interference is None:
            yield from rule(self, node)
            return
        occasion = occasion_of(node, self.text, self.session.database)
        interference.before(occasion)
        with closing(rule(self, node)) as outcomes:  # type: ignore[type-var]
            for outcome in outcomes:
                if isinstance(outcome, ResultSet):
                    yield ResultSet(outcome.columns, interference.rows(occasion, outcome.batches))
                else:
                    yield outcome

    @staticmethod
    def _needs_transaction(node: s.Statement) -> bool:
        if isinstance(node, s.SelectStatement):
            body = node.query.body
            return not isinstance(body, s.Select) or body.source is not None
        return isinstance(node, _STARTS_IMPLICIT)

    def _failed(self, error: SqlError) -> Iterator[Outcome]:
        """Tell the error, undo what it undoes, and decide whether the batch goes on."""
        session = self.session
        session.with_error(error)
        ends_all = error.number in ENDS_TRANSACTION or session.options.xact_abort
        if ends_transaction(session, error):
            undone = list(session.transaction.abandon())
        else:
            undone = list(session.transaction.end_statement(failed=True))
        if error.class_ >= FATAL_CLASS:
            raise error
        # The rollback first: what comes after an error looks like a further result to the drivers.
        yield from undone
        yield error
        if ends_all or error.number not in ENDS_STATEMENT:
            raise StopBatch

    def stop(self, error: SqlError) -> Iterator[Outcome]:
        """THROW: the batch ends whatever the number; with XACT_ABORT the transaction too."""
        self.session.with_error(error)
        yield error
        if self.session.options.xact_abort:
            yield from self.session.transaction.abandon()
        raise StopBatch

    def _broken_off(self) -> None:
        """An attention, or the client went away in the middle of a result. With XACT_ABORT OFF that ends the statement only."""
        self.session.transaction.doom(spare=not self.session.options.xact_abort)

    # ---- queries --------------------------------------------------------------------------------------------------
    def statement(self) -> Statement:
        return self.session.statement(self.variables)

    def select(self, node: s.SelectStatement) -> Iterator[Outcome]:
        statement = self.statement()
        bound = statement.queries.query(node.query, top_level=True)
        if bound.assigns:
            self._assign(statement, bound)
            if not self.session.options.nocount:
                yield RowsAffected(self.session.rowcount, SELECT)
            return
        columns = columns_of(bound.columns)
        if self.session.options.fmtonly:
            yield ResultSet(columns, iter(()))
            return
        connection = self.reading(statement)
        try:
            # The first batch is made before the columns are told, so that most errors come in place of a result, not inside it.
            batches = stream(connection, bound.sql, columns)
            first = next(batches, None)
            yield ResultSet(columns, self._counted(first, batches))
        finally:
            if connection is not self.session.connection:
                connection.close()

    def _counted(self, first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        self.session.rowcount = 0
        if first is None:
            return
        self.session.rowcount = first.num_rows
        yield first
        for batch in rest:
            self.session.rowcount += batch.num_rows
            yield batch

    def reading(self, statement: Statement) -> Any:
        """The connection to read the statement's tables on: the session's own, or one with a newer snapshot."""
        session = self.session
        if not statement.read:
            return session.connection
        for database_id in {d for d, _ in statement.read}:
            session.transaction.access(statement.catalogue.by_id(database_id))
        if session.transaction.wants_fresh_view(statement.read):
            return session.store.root.cursor()
        return session.connection

    def _assign(self, statement: Statement, bound: BoundQuery) -> None:
        """SELECT @a = …: the last row's values, or none at all."""
        connection = self.reading(statement)
        columns = columns_of(bound.columns)
        count, last = 0, None
        for batch in stream(connection, bound.sql, columns):
            count += batch.num_rows
            last = batch if batch.num_rows else last
        self.session.rowcount = count
        if last is None:
            return
        for name, column, array in zip(bound.assigns, columns, last.columns, strict=True):
            control.set_variable(
                self.variables, name, VariableValue(column.type, from_arrow(array[last.num_rows - 1 :], column.type))
            )


def _select(runner: BatchRunner, node: s.SelectStatement) -> Iterator[Outcome]:
    if runner.variables and _reads_what_it_assigns(node):
        raise refused("SELECT @x = an expression over @x itself (joining text row by row)", line=node.line)
    yield from runner.select(node)


def _reads_what_it_assigns(node: s.SelectStatement) -> bool:
    body = node.query.body
    if not isinstance(body, s.Select) or body.source is None:
        return False
    assigned = {i.assign for i in body.items if i.assign is not None}
    return any(_mentions(i.expression, assigned) for i in body.items)


def _mentions(node: object, names: set[str]) -> bool:
    if isinstance(node, s.Variable):
        return not node.system and node.name in names
    if isinstance(node, tuple):
        return any(_mentions(part, names) for part in node)
    if hasattr(node, "__dataclass_fields__"):
        return any(_mentions(getattr(node, field), names) for field in node.__dataclass_fields__)
    return False


RULES: dict[type, Callable[[BatchRunner, Any], Iterator[Outcome]]] = {
    s.SelectStatement: _select,
    s.Insert: rows.run_insert,
    s.Update: changes.run_update,
    s.Delete: changes.run_delete,
    s.TruncateTable: changes.run_truncate,
    s.CreateTable: tables.create_table,
    s.DropTable: tables.drop_table,
    s.AlterTableAdd: tables.alter_add,
    s.AlterTableDrop: tables.alter_drop,
    s.CreateIndex: tables.create_index,
    s.DropIndex: tables.drop_index,
    s.CreateSchema: databases.create_schema,
    s.DropSchema: databases.drop_schema,
    s.CreateDatabase: databases.create_database,
    s.DropDatabase: databases.drop_database,
    s.AlterDatabaseSet: databases.alter_database,
    s.Use: databases.use,
    s.CreatePartitionFunction: partitioning.create_function,
    s.CreatePartitionScheme: partitioning.create_scheme,
    s.AlterPartitionFunction: partitioning.alter_function,
    s.AlterPartitionScheme: partitioning.alter_scheme,
    s.DropPartition: partitioning.drop,
    s.SetOption: control.set_option,
    s.SetIsolation: control.set_isolation,
    s.Transaction: control.transaction,
    s.Declare: control.declare,
    s.SetVariable: control.assign,
    s.Print: control.print_text,
    s.Throw: control.throw,
    s.Raiserror: control.raiserror,
    s.If: control.run_if,
    s.Execute: execute.run_procedure,
    s.ExecuteText: execute.run_text,
    s.InsertBulk: rows.start_bulk,
}
