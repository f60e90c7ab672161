"""Outcomes of the engine as tokens, each statement closed by a DONE that knows whether more follows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlserver_sandbox.model import (
    BulkStart,
    BulkTarget,
    Cancelled,
    Column,
    DatabaseChange,
    Info,
    Outcome,
    RawResult,
    ResultSet,
    ReturnCode,
    RowsAffected,
    SqlError,
    TransactionChange,
)
from sqlserver_sandbox.wire import tokens
from sqlserver_sandbox.wire.collations import find_collation
from sqlserver_sandbox.wire.packets import ReplyWriter
from sqlserver_sandbox.wire.refusals import refusal
from sqlserver_sandbox.wire.rows import encode_batch
from sqlserver_sandbox.wire.tokens import Done, DoneStatus, Env

SELECT = 0xC1
PROCEDURE_END = 0xE0
_ENV_OF = {"begin": Env.BEGIN, "commit": Env.COMMIT, "rollback": Env.ROLLBACK}


@dataclass(frozen=True)
class _Pending:
    kind: Done
    status: DoneStatus
    command: int
    count: int

    def render(self) -> bytes:
        return tokens.done(self.kind, self.status, command=self.command, count=self.count)


@contextmanager
def _closing(produced: Iterable[object]) -> Iterator[None]:
    """Close a generator of the engine when we stop taking from it, not when it happens to be collected."""
    try:
        yield
    finally:
        if isinstance(produced, Generator):
            produced.close()


def _thrown(source: Generator[Outcome, None, None], error: SqlError) -> Outcome | None:
    """What comes next after an error in the middle of an outcome."""
    try:
        return source.throw(error)
    except StopIteration:
        return None


def refuse_utf8(columns: Sequence[Column]) -> None:
    """A client that did not ask for UTF-8 at login would read these bytes in another code page, without an error."""
    for column in columns:
        if column.type.collation is not None and find_collation(column.type.collation).codec == "utf-8":
            raise refusal(f"column '{column.name}' with collation {column.type.collation} for a client without UTF-8")


class Answer:
    """One request's answer. A DONE is held back until it is known whether anything follows it."""

    def __init__(self, writer: ReplyWriter, *, server: str, reads_utf8: bool, attention: Callable[[], bool]) -> None:
        self._writer = writer
        self._server = server
        self._reads_utf8 = reads_utf8
        self._attention = attention
        self._pending: _Pending | None = None
        self.descriptor: int | None = (
            None  # of the transaction that the outcomes left open; None when they said nothing
        )
        self.bulk: BulkTarget | None = None
        self.last_error: SqlError | None = None
        self.return_code = 0

    def outcomes(self, outcomes: Iterable[Outcome], kind: Done) -> None:
        """Write them as they come. Raises what the engine raises, and Cancelled when the client sent an attention.

        An error among rows is handed back to where they come from: what it undoes is decided there.
        """
        with _closing(outcomes):
            source = iter(outcomes)
            outcome = next(source, None)
            while outcome is not None:
                if self._attention():
                    raise Cancelled
                try:
                    self._outcome(outcome, kind)
                except SqlError as error:
                    if not isinstance(source, Generator):
                        raise
                    outcome = _thrown(source, error)
                else:
                    outcome = next(source, None)

    def token(self, data: bytes) -> None:
        """A token that closes nothing."""
        self._release(more=True)
        self._writer.write(data)

    def done(self, kind: Done, status: DoneStatus = DoneStatus.FINAL, *, command: int = 0, count: int = 0) -> None:
        """A statement, or a procedure, is over."""
        self._release(more=True)
        self._pending = _Pending(kind, status, command, count)

    def fail(self, error: SqlError, kind: Done) -> None:
        """The error, and the end of what it ended."""
        self.last_error = error
        self.token(tokens.error(error, self._server))
        self.done(kind, DoneStatus.ERROR)

    def end(self, *, attention: bool) -> None:
        """Close the message. An attention is acknowledged in its last token."""
        if attention:
            self._release(more=True)
            self._pending = _Pending(Done.BATCH, DoneStatus.ATTENTION, 0, 0)
        elif self._pending is None:
            self._pending = _Pending(Done.BATCH, DoneStatus.FINAL, 0, 0)
        self._release(more=False)
        self._writer.end_message()

    def _release(self, *, more: bool) -> None:
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        if more:
            pending = replace(pending, status=pending.status | DoneStatus.MORE)
        self._writer.write(pending.render())

    def _outcome(self, outcome: Outcome, kind: Done) -> None:
        if isinstance(outcome, ResultSet):
            self._result_set(outcome, kind)
        elif isinstance(outcome, RawResult):
            self.token(tokens.raw_column_metadata(outcome.columns))
            for row in outcome.rows:
                self._writer.write(tokens.raw_row(row))
            self.done(kind, DoneStatus.COUNT, command=SELECT, count=len(outcome.rows))
        elif isinstance(outcome, RowsAffected):
            counted = DoneStatus.FINAL if outcome.count is None else DoneStatus.COUNT
            self.done(kind, counted, command=outcome.command, count=outcome.count or 0)
        elif isinstance(outcome, SqlError):
            self.fail(outcome, kind)
        elif isinstance(outcome, Info):
            self.token(
                tokens.info(outcome.number, outcome.text, self._server, state=outcome.state, class_=outcome.class_)
            )
        elif isinstance(outcome, TransactionChange):
            self.token(tokens.env_transaction(_ENV_OF[outcome.kind], outcome.descriptor))
            self.descriptor = outcome.descriptor if outcome.kind == "begin" else 0
        elif isinstance(outcome, DatabaseChange):
            self.token(tokens.env_text(Env.DATABASE, outcome.new, outcome.old))
        elif isinstance(outcome, ReturnCode):
            self.return_code = outcome.value
        elif isinstance(outcome, BulkStart):
            self.bulk = outcome.target
            self.done(kind)

    def _result_set(self, result: ResultSet, kind: Done) -> None:
        if not self._reads_utf8:
            refuse_utf8(result.columns)
        self.token(tokens.column_metadata(result.columns))
        count = 0
        with _closing(result.batches):
            for batch in result.batches:
                for rows in encode_batch(batch, result.columns):
                    self._writer.write(rows)
                    if self._attention():
                        raise Cancelled
                count += batch.num_rows
        self.done(kind, DoneStatus.COUNT, command=SELECT, count=count)
