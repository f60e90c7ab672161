"""The data session: rows as Arrow over mssql-python. One session is one connection."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pyarrow as pa

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.connect.access_token import AccessTokens, access_tokens, token_for_login
from dltsync_core.connect.circuit import circuit_of
from dltsync_core.connect.connection_string import address_of, data_lock_timeout_ms, data_string, session_settings
from dltsync_core.connect.deadline import GRACE_SECONDS, skip_native_exit, within
from dltsync_core.connect.driver import load_mssql_python
from dltsync_core.connect.faults import connect_error, query_error
from dltsync_core.connect.pool import close_quietly
from dltsync_core.connect.time_limit import allowed_seconds, in_driver
from dltsync_core.errors import QueryError

_NATIVE_ERRORS = (RuntimeError, ValueError)
"""Errors of mssql-python besides its own: RuntimeError from its native part for statements that never reached the server, and
ValueError where it fails to shorten a driver's message."""
_INCOMPLETE = re.compile(r"\[(08\w{3}|HYT0\d|HY008)\]")
"""SQLSTATEs of a result that is incomplete: connection broken, timeout, cancelled."""


class DataSession:
    """One open mssql-python connection in autocommit. Use from one thread at a time; only `Rows.cancel` is for other threads."""

    def __init__(self, module: ModuleType, connection: Any, database: DatabaseConfig) -> None:
        self._module = module
        self._connection = connection
        self._address = address_of(database)
        self._tokens = access_tokens(database)
        self.command_timeout = self._timeout = database.command_timeout
        self.reusable = True
        """Whether nothing went wrong on it so far, and no statement was cancelled."""

    def execute(self, statement: str, doing: str) -> None:
        """Run a statement without rows. `doing` is its purpose, for an error."""
        with self.translated(doing):
            cursor = self._cursor()
            try:
                cursor.execute(statement)
            finally:
                cursor.close()

    def fetch(self, statement: str, parameters: Sequence[str], doing: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        with self.translated(doing):
            cursor = self._cursor()
            try:
                cursor.execute(statement, *parameters)
                found = [tuple(row) for row in cursor.fetchall()]
                self.raise_if_incomplete(cursor, doing)
                return found
            finally:
                cursor.close()

    def fetch_each(self, statement: str, parameters: Sequence[str], doing: str) -> list[list[tuple[Any, ...]]]:
        """The rows of every result of a batch of statements, all of them small, in order."""
        with self.translated(doing):
            cursor = self._cursor()
            try:
                cursor.execute(statement, *parameters)
                found = []
                while True:
                    found.append([tuple(row) for row in cursor.fetchall()])
                    self.raise_if_incomplete(cursor, doing)
                    if not cursor.nextset():
                        return found
            finally:
                cursor.close()

    def rows(self, statement: str, parameters: Sequence[str], doing: str) -> Rows:
        """A big result, read batch by batch; nothing is sent before the first `next_batch`."""
        with self.translated(doing):
            cursor = self._cursor()
        return Rows(self, cursor, statement, parameters, doing)

    def bulk_copy(
        self,
        table: str,
        batches: Iterable[pa.RecordBatch],
        columns: Sequence[str],
        doing: str,
        *,
        rows_per_batch: int,
        table_lock: bool,
    ) -> int:
        """Rows into a table, by INSERT BULK over a connection of its own, outside of any transaction of this one: how many the
        server took. `table` is its quoted name, `columns` are the target's names in the order of the batches' columns. Every
        `rows_per_batch` rows are committed. CHECK constraints and foreign keys are not checked, and not trusted afterwards."""
        if self._tokens is not None:
            self._tokens.current()  # a bulk copy logs in by itself
        with self.translated(doing):
            cursor = self._connection.cursor()
            try:
                report = cursor.bulkcopy_arrow(
                    table,
                    batches,
                    batch_size=rows_per_batch,
                    timeout=0,  # its default gives up after 30 seconds
                    column_mappings=list(columns),  # without it columns are taken by position
                    keep_identity=True,
                    keep_nulls=True,
                    table_lock=table_lock,
                )
                return int(report["rows_copied"])
            finally:
                cursor.close()

    def close(self) -> None:
        """End the session; an open transaction is rolled back by the server."""
        with self.translated("closing the connection"):
            self._connection.close()

    def abandon(self) -> None:
        """Leave the session to a thread that is blocked in the driver, which calls `close` when the driver returns; no other
        thread may. mssql-python closes all its connections when the process ends: it would wait for the server, then free
        memory in use."""
        skip_native_exit()
        known = getattr(self._module, "_active_connections", None)
        if known is not None:
            known.discard(self._connection)

    def raise_if_incomplete(self, cursor: Any, doing: str) -> None:
        """mssql-python's block fetch takes a connection that breaks between two rows, or a timeout there, for the end of the
        rows (measured with 1.16): no error, only fewer rows. The ODBC driver's error is among the cursor's messages."""
        for origin, text in cursor.messages:
            if incomplete := _INCOMPLETE.match(origin):
                self.reusable = False
                raise query_error(ConnectionError(incomplete[1], text), self._address, doing)

    def _cursor(self) -> Any:
        """A cursor whose statements may take `command_timeout`, or what is left of the time limit of this thread."""
        seconds = allowed_seconds(self.command_timeout)
        if seconds != self._timeout:
            self._connection.timeout = self._timeout = seconds
        return self._connection.cursor()

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        try:
            with in_driver(self):
                yield
        except (self._module.Error, self._module.Warning, *_NATIVE_ERRORS) as error:
            self.reusable = False
            raise query_error(error, self._address, doing) from error


class Rows:
    """The rows of one statement while they are read. Everything but `cancel` belongs to one thread."""

    def __init__(
        self, session: DataSession, cursor: Any, statement: str, parameters: Sequence[str], doing: str
    ) -> None:
        self._session = session
        self._cursor = cursor
        self._statement = statement
        self._parameters = parameters
        self._doing = doing
        self._executed = False
        self._cancelled = False
        self._handle_in_use = threading.Lock()  # freeing a statement during its SQLCancel crashes the process

    def next_batch(self, rows: int) -> pa.RecordBatch | None:
        """At most `rows` rows in the driver's types; None at the end. After a `cancel`, nothing more is sent."""
        if self._cancelled and not self._executed:
            raise QueryError(f"{self._doing}: cancelled")
        with self._session.translated(self._doing):
            if not self._executed:
                self._cursor.execute(self._statement, *self._parameters)
                self._executed = True
            batch: pa.RecordBatch = self._cursor.arrow_batch(rows)
            self._session.raise_if_incomplete(self._cursor, self._doing)
            return batch if batch.num_rows else None

    def cancel(self) -> None:
        """Make a `next_batch` that waits in another thread return with an error, and one that has not begun send nothing."""
        self._cancelled = True
        self._session.reusable = False
        with self._handle_in_use, self._session.translated(self._doing):
            if not self._cursor.closed and (handle := self._cursor.hstmt) is not None:
                handle._cancel()  # SQLCancel, made for other threads; the module has no public name for it

    def close(self) -> None:
        """Drop the rest of the result. Waits for a running `cancel`, which returns after the fetch that it ends."""
        with self._handle_in_use, self._session.translated(self._doing):
            self._cursor.close()


def open_data_session(database: DatabaseConfig) -> DataSession:
    """A session for rows; one attempt. Raises ConnectError and its subclasses, DriverMissing."""
    tokens = access_tokens(database)
    with circuit_of(database).attempt(), token_for_login(tokens):
        session = _open(database, tokens)
    try:
        session.execute(session_settings(data_lock_timeout_ms(database)), "setting up the session")
    except BaseException:
        close_quietly(session)
        raise
    return session


def _open(database: DatabaseConfig, tokens: AccessTokens | None) -> DataSession:
    module = load_mssql_python()
    if not module.PoolingManager.is_initialized():
        # A pooled connection retains its isolation level and its session at the server after close.
        module.pooling(enabled=False)

    def connect() -> Any:
        return module.connect(
            data_string(database),
            autocommit=True,
            timeout=allowed_seconds(database.connection_timeout),
            token_provider=tokens,
        )

    try:
        strict = database.encrypt == "strict"
        connection = within(database.connection_timeout + GRACE_SECONDS, connect) if strict else connect()
    except TimeoutError as error:
        raise connect_error(error, address_of(database)) from error
    except module.ConnectionStringParseError:
        # `from None`: the module's error may quote the connection string.
        raise connect_error(ValueError("the connection string was refused"), address_of(database)) from None
    except (module.Error, module.Warning, *_NATIVE_ERRORS) as error:
        raise connect_error(error, address_of(database)) from error
    if database.command_timeout:
        connection.timeout = database.command_timeout
    return DataSession(module, connection, database)
