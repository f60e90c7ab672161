"""One connection's engine side: batches, variables, transactions, options."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlserver_sandbox.engine import bulk, canned, describe, procedures
from sqlserver_sandbox.engine.batch import BatchRunner, ends_transaction
from sqlserver_sandbox.engine.options import Options
from sqlserver_sandbox.engine.statement import Statement, utc_ticks
from sqlserver_sandbox.engine.system_rows import Facts, SessionRow
from sqlserver_sandbox.engine.transactions import READ_COMMITTED, SNAPSHOT, TransactionState
from sqlserver_sandbox.engine.view import StatementCatalogue
from sqlserver_sandbox.model import (
    BulkTarget,
    Column,
    DatabaseChange,
    Interference,
    Occasion,
    Outcome,
    Parameter,
    SqlError,
    SqlType,
)
from sqlserver_sandbox.tsql.bind.context import SessionFacts, VariableValue
from sqlserver_sandbox.tsql.bind.partitions import partition_number_sql
from sqlserver_sandbox.tsql.bind.sources import table_columns
from sqlserver_sandbox.tsql.declared import Database, Table
from sqlserver_sandbox.tsql.parse import parse_batch
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.values.storage import from_arrow

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.store import Store

_ISOLATION_CODES = {1: "READ UNCOMMITTED", 2: READ_COMMITTED, 3: "REPEATABLE READ", 4: "SERIALIZABLE", 5: SNAPSHOT}


class DuckDbSession:
    """Implements `model.Session`."""

    def __init__(
        self,
        store: Store,
        *,
        spid: int,
        login: str,
        database_id: int,
        server_name: str,
        version: tuple[int, int, int],
        application: str,
        host: str,
        on_close: Callable[[DuckDbSession], None],
        others: Callable[[], tuple[DuckDbSession, ...]],
    ) -> None:
        self.store = store
        self.spid = spid
        self.login = login
        self.server_name = server_name
        self.version = version
        self.application = application
        self.host = host
        self.database_id = database_id
        self.connection = store.root.cursor()
        self.transaction = TransactionState(store, self.connection, spid)
        self.options = Options()
        self.rowcount = 0
        self.last_error = 0
        self.last_identity: int | None = None
        self.interference: Interference | None = None
        self._home = database_id
        self._on_close = on_close
        self._others = others
        self._closed = False
        self._closing = threading.Lock()

    @property
    def database(self) -> str:
        return self.store.name_of(self.database_id)

    # ---- the surroundings of a statement --------------------------------------------------------------------------
    def statement(self, variables: Mapping[str, VariableValue]) -> Statement:
        """Surroundings for one statement; the snapshot begins at its first look at a database."""
        catalogue = StatementCatalogue(
            self.store, self.transaction, self.database_id, Facts(self.count_rows, self._sessions)
        )
        return Statement(self.connection, catalogue, variables, self.facts())

    def facts(self) -> SessionFacts:
        product = ".".join(str(v) for v in (*self.version, 0))
        state = -1 if self.transaction.doomed else (1 if self.transaction.count else 0)
        return SessionFacts(
            self.spid,
            self.server_name,
            f"Microsoft SQL Server 2022 (sandbox over DuckDB) - {product} (X64)",
            product,
            self.login,
            self.transaction.count,
            self.rowcount,
            self.last_error,
            self.transaction.lock_timeout,
            self.options.bits(),
            utc_ticks(),
            self.store.last_rowversion(self.database_id),
            self.store.min_active_rowversion(self.database_id),
            self.last_identity,
            state,
        )

    def count_rows(self, database: Database, table: Table) -> list[int]:
        """The rows of each partition, first partition first."""
        counts = self._count_rows(database, table)
        if self.interference is None:
            return counts
        return self.interference.counted(
            database.name, f"{database.schema_by_id(table.schema_id).name}.{table.name}", counts
        )

    def _count_rows(self, database: Database, table: Table) -> list[int]:
        source = f"{database.alias}.main.{table.physical}"
        scheme, column = database.scheme_of(table), table.partition_column
        if scheme is None or column is None:
            found = self.connection.execute(f"SELECT count(*) FROM {source}").fetchone()
            return [found[0] if found else 0]
        function = database.function_by_id(scheme.function_id)
        bound = next(b for b in table_columns(table, "t") if b.name == column.name)
        number = partition_number_sql(function, bound)
        counted = dict(self.connection.execute(f"SELECT {number}, count(*) FROM {source} AS t GROUP BY 1").fetchall())
        return [counted.get(n, 0) for n in range(1, function.fanout + 1)]

    def _sessions(self) -> list[SessionRow]:
        codes = {name: code for code, name in _ISOLATION_CODES.items()}
        return [
            SessionRow(
                x.spid,
                x.login,
                x.host,
                x.application,
                x.database_id,
                codes[x.transaction.isolation],
                x.transaction.count,
                x.transaction.identifier,
                x.transaction.written_since,
            )
            for x in sorted(self._others(), key=lambda x: x.spid)
        ]

    def interfere(self, interference: Interference) -> None:
        self.interference = interference

    # ---- batches --------------------------------------------------------------------------------------------------
    def execute(self, sql: str, parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
        """Run one batch; see `model.Session`."""
        answer = canned.answered(self, sql)
        if answer is not None:
            yield from answer
            return
        variables = {name: VariableValue(p.type, from_arrow(p.value, p.type)) for name, p in parameters.items()}
        yield from BatchRunner(self, variables, text=sql).run(parse_batch(sql))

    def describe_parameters(self, sql: str, declared: str) -> list[tuple[str, SqlType]]:
        return describe.parameters(self, sql, declared)

    def describe_result(self, sql: str, declared: str) -> tuple[Column, ...]:
        return describe.result(self, sql, declared)

    def call(self, procedure: str, arguments: list[tuple[str, Parameter]]) -> Iterator[Outcome]:
        yield from self._asked("procedure", procedure, lambda: procedures.call(self, procedure, arguments))

    def bulk_insert(self, target: BulkTarget, batches: Iterator[pa.RecordBatch]) -> int:
        return bulk.insert(self, target, batches)

    # ---- transactions ---------------------------------------------------------------------------------------------
    def begin(self, isolation: int = 0) -> Iterator[Outcome]:
        if isolation:
            self.set_isolation(_ISOLATION_CODES[isolation])
        yield from self._asked("begin", "BEGIN TRANSACTION", self.transaction.begin)

    def commit(self) -> Iterator[Outcome]:
        yield from self._asked("commit", "COMMIT TRANSACTION", self.transaction.commit)

    def rollback(self) -> Iterator[Outcome]:
        yield from self._asked("rollback", "ROLLBACK TRANSACTION", self.transaction.rollback)

    def _asked(self, kind: str, text: str, run: Callable[[], Iterator[Outcome]]) -> Iterator[Outcome]:
        """What a driver asks for without a batch, with the same chances to go wrong as a statement."""
        interference = self.interference
        if interference is None:
            yield from run()
            return
        try:
            interference.before(Occasion(kind, text, self.database))
        except SqlError as error:
            if ends_transaction(self, self.with_error(error)):
                yield from self.transaction.abandon()
            raise
        yield from run()
        interference.after()

    def set_isolation(self, level: str) -> None:
        """READ COMMITTED or SNAPSHOT. The others promise locking that DuckDB does not have; each is refused by name."""
        if level not in (READ_COMMITTED, SNAPSHOT):
            raise refused(f"the isolation level {level}; READ COMMITTED and SNAPSHOT are on the list")
        if level == SNAPSHOT and self.transaction.count and self.transaction.isolation != SNAPSHOT:
            # SQL Server lets the SET pass and fails the transaction at its next access.
            raise SqlError(
                3951,
                "Transaction failed in database because the statement was run under"
                " snapshot isolation but the transaction did not"
                " start in snapshot isolation. You cannot change the isolation level of"
                " the transaction to snapshot after the transaction"
                " has started.",
            )
        self.transaction.isolation = level

    def reset(self, *, keep_transaction: bool) -> Iterator[Outcome]:
        if not keep_transaction:
            yield from self.transaction.abandon()
        self.options = Options()
        self.transaction.isolation = READ_COMMITTED if not self.transaction.count else self.transaction.isolation
        self.transaction.lock_timeout = -1
        self.rowcount, self.last_error, self.last_identity = 0, 0, None
        if self.database_id != self._home:
            old = self.database
            self.database_id = self._home
            yield DatabaseChange(self.database, old)

    def uses_database(self, database_id: int) -> bool:
        """Whether any session is in that database."""
        return any(x.database_id == database_id for x in self._others())

    def use(self, database_id: int) -> None:
        self.database_id = database_id

    # ---- ends -----------------------------------------------------------------------------------------------------
    def cancel(self) -> None:
        """Interrupt what runs, from another thread."""
        if self.interference is not None:
            self.interference.cancel()
        self.store.locks.cancel(self.spid)
        self.connection.interrupt()

    def close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
        for _ in self.transaction.abandon():
            pass
        self._on_close(self)
        self.connection.close()

    def with_error(self, error: SqlError) -> SqlError:
        """Remember it for @@ERROR."""
        self.last_error = error.number
        return error
