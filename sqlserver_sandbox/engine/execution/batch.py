"""Running a batch: one statement after another, and what an error in one does to the rest."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from typing import NoReturn

from sqlserver_sandbox.engine.execution.errors import FATAL_CLASS, ends_batch, ends_transaction, is_caught
from sqlserver_sandbox.engine.execution.execution import Execution, StatementKind
from sqlserver_sandbox.engine.store.snapshot import StaleSnapshotError
from sqlserver_sandbox.engine.testing.occasions import occasion_of
from sqlserver_sandbox.model import Cancelled, Interference, Outcome, ResultSet, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.refusal import refused


class _StopBatch(Exception):
    """The rest of the batch is not run."""


class CaughtError(Exception):
    """An error inside BEGIN TRY: the CATCH block is next. What it ends of the transaction has ended."""

    def __init__(self, error: SqlError) -> None:
        super().__init__(error.message)
        self.error = error


def run_batch(execution: Execution, statements: tuple[s.Statement, ...]) -> Iterator[Outcome]:
    """A whole batch. Errors of statements are among the outcomes; those that end the connection are raised, as is Cancelled."""
    transaction = execution.transaction
    was_doomed = transaction.doomed
    with suppress(_StopBatch):
        yield from run_block(execution, statements)
    if transaction.doomed and not was_doomed:
        yield from transaction.abandon()
        yield execution.session.record_error(
            SqlError(
                3998, "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back."
            )
        )


def run_block(execution: Execution, statements: tuple[s.Statement, ...]) -> Iterator[Outcome]:
    """Statements within a batch: an error in one may end the batch around them."""
    for node in statements:
        yield from _run_statement(execution.next_statement(), node)


def stop_batch(execution: Execution, error: SqlError) -> Iterator[Outcome]:
    """THROW: the batch ends whatever the number, or the CATCH block is next; with XACT_ABORT the transaction ends too."""
    execution.session.record_error(error)
    if execution.try_level is not None:
        catch(execution, error, dooms=execution.options.xact_abort)
    yield error
    if execution.options.xact_abort:
        yield from execution.transaction.abandon()
    raise _StopBatch


def catch(execution: Execution, error: SqlError, *, dooms: bool) -> NoReturn:
    """Hand an error to the CATCH block. With `dooms` a transaction that is open can only be rolled back from here on."""
    transaction = execution.transaction
    if transaction.count and (dooms or transaction.is_broken()):
        transaction.condemn()
    else:
        for _ in transaction.end_statement(failed=True):
            pass
    raise CaughtError(error)


def _run_statement(execution: Execution, node: s.Statement) -> Iterator[Outcome]:
    kind = execution.statements.get(type(node))
    if kind is None:
        raise refused(f"the statement {type(node).__name__}")
    session, transaction = execution.session, execution.transaction
    execution.permission = kind.permission
    try:
        if not isinstance(node, s.Transaction):
            transaction.check_alive(reads=True)
        if session.options.implicit_transactions and not transaction.count and kind.begins_transaction(node):
            yield from transaction.begin()
        if kind.runs_others:
            yield from _run(execution, node, kind)
            return
        if session.interference is None:
            yield from _run(execution, node, kind)
        else:
            yield from _interfered(execution, node, kind, session.interference)
        yield from transaction.end_statement()
        session.last_error = 0
        if session.interference is not None:
            session.interference.after()
    except SqlError as error:
        yield from _failed(execution, error)
    except (Cancelled, GeneratorExit):
        # An attention, or the client went away in the middle of a result. With XACT_ABORT OFF that ends the statement only.
        transaction.doom(spare=not session.options.xact_abort)
        raise


def _run(execution: Execution, node: s.Statement, kind: StatementKind) -> Generator[Outcome, None, None]:
    yield from in_one_snapshot(execution, lambda: kind.handler(execution, node))


def in_one_snapshot(execution: Execution, run: Callable[[], Iterator[Outcome]]) -> Generator[Outcome, None, None]:
    """A statement's outcomes. It runs anew when another session's commit came between its snapshot and its locks."""
    while True:
        execution.transaction.begin_statement()
        try:
            yield from run()
        except StaleSnapshotError:
            execution.transaction.restart_statement()
            execution.refresh()
        else:
            return


def _interfered(
    execution: Execution, node: s.Statement, kind: StatementKind, interference: Interference
) -> Iterator[Outcome]:
    """The statement's outcomes, with the chance to go wrong before it and among its rows."""
    word = node.action if isinstance(node, s.Transaction) else kind.kind
    occasion = occasion_of(node, word, execution.text, execution.session.database)
    interference.before(occasion)
    with closing(_run(execution, node, kind)) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, ResultSet):
                yield ResultSet(outcome.columns, interference.rows(occasion, outcome.batches))
            else:
                yield outcome


def _failed(execution: Execution, error: SqlError) -> Iterator[Outcome]:
    """Undo what the error undoes, send it, and decide whether the batch goes on."""
    session = execution.session
    session.record_error(error)
    if is_caught(error, execution.try_level, execution.nesting):
        catch(execution, error, dooms=ends_transaction(error, session.options))
    stops = ends_batch(error, session.options)
    if ends_transaction(error, session.options):
        undone = list(session.transaction.abandon())
    else:
        undone = list(session.transaction.end_statement(failed=True))
    if error.class_ >= FATAL_CLASS:
        raise error
    # The rollback first: what comes after an error looks like a further result to the drivers.
    yield from undone
    yield error
    if stops:
        raise _StopBatch
