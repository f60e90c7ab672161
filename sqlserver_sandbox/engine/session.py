"""One connection's engine side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import pyarrow as pa

from sqlserver_sandbox.engine.execution.batch import in_one_snapshot, run_batch
from sqlserver_sandbox.engine.execution.errors import ends_transaction
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.session_state import SessionState
from sqlserver_sandbox.engine.procedures import describe
from sqlserver_sandbox.engine.procedures.registry import call
from sqlserver_sandbox.engine.statements import bulk_insert
from sqlserver_sandbox.engine.statements.registry import STATEMENTS
from sqlserver_sandbox.engine.store.locks import SESSION
from sqlserver_sandbox.engine.store.snapshot import StaleSnapshotError
from sqlserver_sandbox.engine.store.transaction import ISOLATION_LEVELS
from sqlserver_sandbox.model import (
    BulkTarget,
    Column,
    DatabaseChange,
    Interference,
    Occasion,
    Outcome,
    Parameter,
    ReturnCode,
    SqlError,
    SqlType,
)
from sqlserver_sandbox.tsql.bind.context import VariableValue
from sqlserver_sandbox.tsql.parse import parse_batch
from sqlserver_sandbox.tsql.values.storage import from_arrow

_T = TypeVar("_T")


class DuckDbSession:
    """Implements `model.Session` over a `SessionState`."""

    def __init__(self, state: SessionState, on_close: Callable[[DuckDbSession], None]) -> None:
        self.state = state
        self._home = state.database_id
        self._on_close = on_close
        self._closed = False
        self._closing = threading.Lock()

    @property
    def database(self) -> str:
        return self.state.database

    @property
    def spid(self) -> int:
        return self.state.login.spid

    def interfere(self, interference: Interference) -> None:
        self.state.interference = interference

    # ---- batches --------------------------------------------------------------------------------------------------
    def execute(self, sql: str, parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
        """Run one batch; see `model.Session`."""
        answer = self.state.canned.of(self.state.database_id).answer(sql)
        if answer is not None:
            yield answer
            return
        variables = {name: VariableValue(p.type, from_arrow(p.value, p.type)) for name, p in parameters.items()}
        yield from run_batch(self._execution(variables, sql), parse_batch(sql))

    def _execution(self, variables: dict[str, VariableValue] | None = None, text: str = "") -> Execution:
        return Execution(self.state, STATEMENTS, variables or {}, text)

    def describe_parameters(self, sql: str, declared: str) -> list[tuple[str, SqlType]]:
        return self._described(lambda execution: describe.parameters(execution, sql, declared))

    def describe_result(self, sql: str, declared: str) -> tuple[Column, ...]:
        return self._described(lambda execution: describe.result(execution, sql, declared))

    def _described(self, describe_it: Callable[[Execution], _T]) -> _T:
        """Anew when another session's commit came between the catalogue and the counted rows of a system view."""
        while True:
            try:
                return describe_it(self._execution())
            except StaleSnapshotError:
                self.state.transaction.restart_statement()

    def call(self, procedure: str, arguments: list[tuple[str, Parameter]]) -> Iterator[Outcome]:
        execution = self._execution()

        def run() -> Iterator[Outcome]:
            yield ReturnCode((yield from call(execution, procedure, arguments)))

        yield from self._requested("procedure", procedure, lambda: in_one_snapshot(execution, run))

    def bulk_insert(self, target: BulkTarget, batches: Iterator[pa.RecordBatch]) -> int:
        execution = self._execution()
        execution.permission = "INSERT"
        return bulk_insert.insert(execution, target, batches)

    # ---- transactions ---------------------------------------------------------------------------------------------
    def begin(self, isolation: int = 0) -> Iterator[Outcome]:
        if isolation:
            self.state.transaction.set_isolation(ISOLATION_LEVELS[isolation])
        yield from self._requested("begin", "BEGIN TRANSACTION", self.state.transaction.begin)

    def commit(self) -> Iterator[Outcome]:
        yield from self._requested("commit", "COMMIT TRANSACTION", self.state.transaction.commit)

    def rollback(self) -> Iterator[Outcome]:
        yield from self._requested("rollback", "ROLLBACK TRANSACTION", self.state.transaction.rollback)

    def _requested(self, kind: str, text: str, run: Callable[[], Iterator[Outcome]]) -> Iterator[Outcome]:
        """What a driver asks for without a batch, with the same chances to go wrong as a statement."""
        interference = self.state.interference
        if interference is None:
            yield from run()
            return
        try:
            interference.before(Occasion(kind, text, self.database))
        except SqlError as error:
            if ends_transaction(self.state.record_error(error), self.state.options):
                yield from self.state.transaction.abandon()
            raise
        yield from run()
        interference.after()

    def reset(self, *, keep_transaction: bool) -> Iterator[Outcome]:
        if not keep_transaction:
            yield from self.state.transaction.abandon()
        self.state.reset()
        if self.state.database_id != self._home:
            old = self.database
            self.state.database_id = self._home
            yield DatabaseChange(self.database, old)

    # ---- ends -----------------------------------------------------------------------------------------------------
    def cancel(self) -> None:
        """Interrupt what runs, from another thread."""
        if self.state.interference is not None:
            self.state.interference.cancel()
        self.state.store.locks.cancel(self.spid)
        self.state.connection.interrupt()

    def close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
        for _ in self.state.transaction.abandon():
            pass
        self.state.store.locks.release(self.spid, SESSION)
        self._on_close(self)
        self.state.connection.close()
