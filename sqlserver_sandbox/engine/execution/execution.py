"""What a statement's handler is given, and how kinds of statements are declared.

A handler is a function `(execution, node) -> outcomes`. `statements/registry.py` has the table from syntax node to handler;
the table travels with the execution, so that IF and EXEC can run other statements without importing their handlers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from sqlserver_sandbox.engine.duckdb.connection import Connection
from sqlserver_sandbox.engine.execution.bindings import Binding, Question, variables_as_text
from sqlserver_sandbox.engine.execution.catalogue_view import StatementCatalogue
from sqlserver_sandbox.engine.execution.options import Options
from sqlserver_sandbox.engine.execution.session_state import SessionState
from sqlserver_sandbox.engine.store.store import Store
from sqlserver_sandbox.engine.store.transaction import TransactionState
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.access import Access
from sqlserver_sandbox.tsql.bind.bound import BoundQuery
from sqlserver_sandbox.tsql.bind.context import Context, VariableValue
from sqlserver_sandbox.tsql.bind.queries import QueryBinder
from sqlserver_sandbox.tsql.catalogue import Database

_EPOCH_TICKS = 621_355_968_000_000_000
"""100 ns from 0001-01-01 to 1970-01-01."""


def _utc_ticks() -> int:
    """The time now, as datetime2(7) stores it."""
    return _EPOCH_TICKS + time.time_ns() // 100


@dataclass(frozen=True)
class _Binding:
    """A statement's catalogue, in the snapshot that begins at its first look at a database, and what binds names in it."""

    catalogue: StatementCatalogue
    context: Context
    queries: QueryBinder


@dataclass
class Execution:
    """The run of one statement: its session, the variables and text of its batch, and the catalogue as it sees it.

    `nesting` counts the batches around it: EXEC, sp_executesql. `try_level` is the nesting at which the innermost TRY around it
    began; `caught` is the error of the CATCH block that it is in.
    """

    session: SessionState
    statements: Mapping[type, StatementKind]
    variables: dict[str, VariableValue] = field(default_factory=dict)
    text: str = ""
    nesting: int = 0
    try_level: int | None = None
    caught: SqlError | None = None
    permission: str = ""
    """What the statement needs on the table that it changes."""
    _binding: _Binding | None = field(default=None, repr=False)

    def next_statement(self) -> Execution:
        """The run of another statement of the same batch: variables are shared."""
        return replace(self, _binding=None)

    def nested(self, text: str, variables: dict[str, VariableValue]) -> Execution:
        """The run of a batch within this one, with variables of its own."""
        return replace(self, text=text, variables=variables, nesting=self.nesting + 1, _binding=None)

    # ---- the session ----------------------------------------------------------------------------------------------
    @property
    def store(self) -> Store:
        return self.session.store

    @property
    def connection(self) -> Connection:
        return self.session.connection

    @property
    def transaction(self) -> TransactionState:
        return self.session.transaction

    @property
    def options(self) -> Options:
        return self.session.options

    @property
    def access(self) -> Access:
        return self.session.login.access

    # ---- the catalogue --------------------------------------------------------------------------------------------
    @property
    def _bound(self) -> _Binding:
        if self._binding is None:
            catalogue = StatementCatalogue(self.session, self.text)
            facts = self.session.facts(_utc_ticks(), self.caught)
            context = Context(catalogue, self.variables, facts, self.access)
            self._binding = _Binding(catalogue, context, QueryBinder(context))
        return self._binding

    def refresh(self) -> None:
        """Look at the catalogue anew from here on: what was bound before must be bound again."""
        self._binding = None

    @property
    def catalogue(self) -> StatementCatalogue:
        return self._bound.catalogue

    @property
    def context(self) -> Context:
        return self._bound.context

    @property
    def queries(self) -> QueryBinder:
        return self._bound.queries

    def bound(self, node: s.Query) -> BoundQuery:
        """A query of the statement's own level, bound. Raises what binding raises."""
        question = self._question(node)
        known = self.session.bindings.get(question) if question is not None else None
        if known is not None and self._is_current(known):
            self.context.read.update(known.read)
            return known.bound
        is_first = not self.context.read
        made = self.queries.query(node, top_level=True)
        if question is not None and is_first and not self.context.asked_session and not self.catalogue.is_passing:
            binding = Binding(node, made, frozenset(self.context.read), self.catalogue.versions, self.catalogue.listed)
            self.session.bindings.put(question, binding)
        return made

    def _question(self, node: s.Query) -> Question | None:
        """None where what a test declares, or what is too long to compare, is part of it."""
        variables = None if self.session.canned.allowed else variables_as_text(self.variables)
        if variables is None:
            return None
        return Question(id(node), self.text, self.session.database_id, self.access, variables)

    def _is_current(self, binding: Binding) -> bool:
        if binding.listed is not None and binding.listed != tuple(self.store.database_ids()):
            return False
        return all(
            self.store.newest(number) is not None and self.catalogue.by_id(number).version == version
            for number, version in binding.versions
        )

    @property
    def database(self) -> Database:
        """The current database's catalogue."""
        return self.catalogue.current

    # ---- DuckDB ---------------------------------------------------------------------------------------------------
    def run(self, sql: str) -> None:
        """Execute DuckDB text for its effect. Raises SqlError or Cancelled."""
        self.connection.run(sql)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.fetch(sql)

    def scalar(self, sql: str) -> Any:
        return self.connection.scalar(sql)

    def reading_connection(self) -> Connection:
        """The connection to read the tables on that were bound: the session's own, or one with a newer snapshot. Where none were
        bound, no transaction begins.

        SNAPSHOT isolation begins here, or is refused (3952).
        """
        read = self.context.read
        if not read:
            return self.connection.without_tables()
        databases = [self.catalogue.by_id(d) for d in {d for d, _ in read}]
        self.transaction.lock_for_reading(read, versioned=all(d.read_committed_snapshot for d in databases))
        for database in databases:
            self.transaction.access(database)
        return self.store.root.cursor() if self.transaction.wants_fresh_view(read) else self.connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """`reading_connection`, closed at the end when it is not the session's own."""
        connection = self.reading_connection()
        try:
            yield connection
        finally:
            if connection is not self.connection:
                connection.close()

    # ---- outcomes -------------------------------------------------------------------------------------------------
    def rows_affected(self, count: int, command: int) -> RowsAffected:
        """The statement changed so many rows: for the client, unless NOCOUNT is ON, and for @@ROWCOUNT."""
        self.session.rowcount = count
        return RowsAffected(None if self.options.nocount else count, command)


Handler: TypeAlias = Callable[[Execution, Any], Iterator[Outcome]]


def always(node: s.Statement) -> bool:
    return True


def never(node: s.Statement) -> bool:
    return False


@dataclass(frozen=True)
class StatementKind:
    """How statements of one syntax class run.

    `kind` is the word that a fault plan has for them (`faults.plan.KINDS`). `begins_transaction` says whether one begins a
    transaction while IMPLICIT_TRANSACTIONS is ON. `runs_others`: it only runs other statements, which end by themselves.
    `permission` is what it needs on the table that it changes (the docs page of each statement, "Permissions").
    """

    handler: Handler
    kind: str
    begins_transaction: Callable[[Any], bool] = never
    runs_others: bool = False
    permission: str = ""
