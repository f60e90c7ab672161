"""What one session has from statement to statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlserver_sandbox.engine.duckdb.connection import Connection
from sqlserver_sandbox.engine.execution.bindings import Bindings
from sqlserver_sandbox.engine.execution.options import Options
from sqlserver_sandbox.engine.store.application_locks import ApplicationLocks
from sqlserver_sandbox.engine.store.locks import SESSION
from sqlserver_sandbox.engine.store.store import Store
from sqlserver_sandbox.engine.store.transaction import TransactionState
from sqlserver_sandbox.engine.sysviews.facts import SessionRow
from sqlserver_sandbox.engine.testing.canned import CannedAnswers
from sqlserver_sandbox.model import Interference, SqlError
from sqlserver_sandbox.tsql.access import Access
from sqlserver_sandbox.tsql.bind.context import SessionFacts


@dataclass(frozen=True)
class Login:
    """Facts of a session that do not change: its number, who logged in from where, and what server this is."""

    spid: int
    user: str
    application: str
    host: str
    server_name: str
    version: tuple[int, int, int]
    access: Access


@dataclass(eq=False)
class SessionState:
    """A session's connection to DuckDB, its transaction, its options and what its last statement left behind.

    `others` gives all sessions there are, this one too. `interference` is set when statements are to fail on demand.
    """

    login: Login
    store: Store
    canned: CannedAnswers
    connection: Connection
    transaction: TransactionState
    database_id: int
    others: Callable[[], tuple[SessionState, ...]]
    bindings: Bindings
    options: Options = field(default_factory=Options)
    rowcount: int = 0
    last_error: int = 0
    last_identity: int | None = None
    identity_insert: tuple[int, int] | None = None
    """(database id, object id) of the table for which IDENTITY_INSERT is ON."""
    interference: Interference | None = None

    @property
    def database(self) -> str:
        """The current database's name."""
        return self.store.name_of(self.database_id)

    def is_in_use(self, database_id: int) -> bool:
        """Whether any session is in that database."""
        return any(x.database_id == database_id for x in self.others())

    def record_error(self, error: SqlError) -> SqlError:
        """Remember it for @@ERROR."""
        self.last_error = error.number
        return error

    def reset(self) -> None:
        """sp_reset_connection, after the transaction has ended or was kept."""
        self.options = Options()
        self.identity_insert = None
        self.transaction.reset()
        self.store.locks.release(self.login.spid, SESSION)
        self.rowcount, self.last_error, self.last_identity = 0, 0, None

    def facts(self, utc_ticks: int, caught: SqlError | None = None) -> SessionFacts:
        """What @@ functions, XACT_STATE() and the like answer in a statement that begins at `utc_ticks`.

        `caught` is the error of the CATCH block that the statement is in.
        """
        product = ".".join(str(v) for v in (*self.login.version, 0))
        return SessionFacts(
            self.login.spid,
            self.login.server_name,
            f"Microsoft SQL Server 2022 (sandbox over DuckDB) - {product} (X64)",
            product,
            self.login.user,
            self.transaction.count,
            self.rowcount,
            self.last_error,
            self.transaction.lock_timeout,
            self.options.bits(),
            utc_ticks,
            self.store.counters.last_rowversion(self.database_id),
            self.store.counters.min_active_rowversion(self.database_id),
            self.last_identity,
            self.transaction.state,
            caught,
            ApplicationLocks(self.store.locks, self.login.spid, self.database_id),
        )

    def row(self) -> SessionRow:
        """The session as sys.dm_exec_sessions shows it."""
        return SessionRow(
            self.login.spid,
            self.login.user,
            self.login.host,
            self.login.application,
            self.database_id,
            self.transaction.isolation_number,
            self.transaction.count,
            self.transaction.identifier,
            self.transaction.written_since,
        )
