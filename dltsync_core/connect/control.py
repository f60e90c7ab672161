"""The control session: catalogue queries over pyodbc, which carries the engine's error numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.connect.access_token import SQL_COPT_SS_ACCESS_TOKEN, AccessToken, access_tokens, token_for_login
from dltsync_core.connect.circuit import circuit_of
from dltsync_core.connect.connection_string import address_of, catalog_lock_timeout_ms, control_string, session_settings
from dltsync_core.connect.deadline import GRACE_SECONDS, within
from dltsync_core.connect.driver import explain_unloadable, find_driver, load_pyodbc
from dltsync_core.connect.faults import connect_error, query_error, read_fault
from dltsync_core.connect.time_limit import allowed_seconds

_UNLOADABLE_STATES = {"01000", "IM002", "IM003", "IM004"}
"""SQLSTATEs of a driver manager that finds or opens no driver."""


@dataclass(frozen=True)
class InputType:
    """What the driver binds for a parameter, by the name of pyodbc's constant; `size` in characters or bytes, 0 for values that
    are streamed."""

    constant: Literal["SQL_BIGINT", "SQL_DOUBLE", "SQL_WVARCHAR", "SQL_VARBINARY"]
    size: int = 0


class ControlSession:
    """One open pyodbc connection in autocommit. Use from one thread at a time."""

    def __init__(self, connection: Any, database: DatabaseConfig) -> None:
        self._connection = connection
        self._address = address_of(database)
        self._command_timeout = self._timeout = database.command_timeout
        self.reusable = True
        """Whether nothing went wrong on it so far."""

    def query(
        self, statement: str, parameters: Sequence[object] = (), doing: str = "reading the catalogue"
    ) -> list[Mapping[str, Any]]:
        """All rows by column name. Raises QueryError and its subclasses."""
        pyodbc = load_pyodbc()
        try:
            self._limit()
            cursor = self._connection.cursor()
            try:
                cursor.execute(statement, *parameters)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            finally:
                cursor.close()
        except pyodbc.Error as error:
            self.reusable = False
            raise query_error(error, self._address, doing) from error

    def execute(self, statement: str) -> None:
        """Run a statement that returns no rows. Raises QueryError and its subclasses."""
        pyodbc = load_pyodbc()
        try:
            self._limit()
            self._connection.execute(statement).close()
        except pyodbc.Error as error:
            self.reusable = False
            raise query_error(error, self._address, "setting up the session") from error

    def run(self, batch: str, doing: str) -> None:
        """Run a batch to its end. Every result is read: an error of a later statement shows only then. Raises QueryError and its
        subclasses."""
        pyodbc = load_pyodbc()
        try:
            cursor = self._connection.cursor()
            try:
                cursor.execute(batch)
                while cursor.nextset():
                    pass
            finally:
                cursor.close()
        except pyodbc.Error as error:
            self.reusable = False
            raise query_error(error, self._address, doing) from error

    def driver(self) -> str:
        """Name and version of the ODBC driver, as the driver itself says."""
        pyodbc = load_pyodbc()
        try:
            return " ".join(
                str(self._connection.getinfo(what)) for what in (pyodbc.SQL_DRIVER_NAME, pyodbc.SQL_DRIVER_VER)
            )
        except pyodbc.Error as error:
            raise query_error(error, self._address, "asking the driver for its version") from error

    def insert_many(
        self, statement: str, types: Sequence[InputType], rows: Sequence[tuple[Any, ...]], doing: str
    ) -> None:
        """Run a statement for each row of parameters, all in one transaction. Raises QueryError and its subclasses: then none of
        the rows is there."""
        pyodbc = load_pyodbc()
        try:
            self._connection.autocommit = False
            cursor = self._connection.cursor()
            try:
                cursor.fast_executemany = True
                cursor.setinputsizes([(getattr(pyodbc, one.constant), one.size, 0) for one in types])
                cursor.executemany(statement, rows)
                self._connection.commit()
            finally:
                cursor.close()
        except pyodbc.Error as error:
            self.reusable = False
            with suppress(pyodbc.Error):
                self._connection.rollback()
            raise query_error(error, self._address, doing) from error
        finally:
            with suppress(pyodbc.Error):  # a connection that broke: the error above says so
                self._connection.autocommit = True

    def _limit(self) -> None:
        """The next statement may take `command_timeout`, or what is left of the time limit of this thread."""
        seconds = allowed_seconds(self._command_timeout)
        if seconds != self._timeout:
            self._connection.timeout = self._timeout = seconds

    def close(self) -> None:
        """End the session. Raises nothing: it may have ended already."""
        with suppress(load_pyodbc().Error):
            self._connection.close()


@contextmanager
def control_session(database: DatabaseConfig) -> Iterator[ControlSession]:
    """A session for catalogue queries, closed at the end; one attempt. Raises as `open_control_session`."""
    session = open_control_session(database)
    try:
        yield session
    finally:
        session.close()


def open_control_session(database: DatabaseConfig) -> ControlSession:
    """A session for catalogue queries; one attempt. Raises ConnectError and its subclasses, DriverMissing."""
    with circuit_of(database).attempt(), token_for_login(access_tokens(database)) as token:
        session = _open(database, token)
    try:
        session.execute(session_settings(catalog_lock_timeout_ms(database)))
    except BaseException:
        session.close()
        raise
    return session


def _open(database: DatabaseConfig, token: AccessToken | None) -> ControlSession:
    pyodbc = load_pyodbc()
    driver = find_driver(database.driver)
    attributes = {} if token is None else {SQL_COPT_SS_ACCESS_TOKEN: token.odbc_value()}

    def connect() -> Any:
        return pyodbc.connect(
            control_string(database, driver),
            autocommit=True,
            timeout=allowed_seconds(database.connection_timeout),
            attrs_before=attributes,
        )

    try:
        strict = database.encrypt == "strict"
        connection = within(database.connection_timeout + GRACE_SECONDS, connect) if strict else connect()
    except TimeoutError as error:
        raise connect_error(error, address_of(database)) from error
    except (
        SystemError
    ) as error:  # how pyodbc's connect ends when Ctrl-C came meanwhile, with the interrupt as its cause
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None
        raise
    except pyodbc.Error as error:
        if read_fault(error).state in _UNLOADABLE_STATES:
            raise explain_unloadable(driver) from error
        raise connect_error(error, address_of(database)) from error
    connection.timeout = database.command_timeout
    return ControlSession(connection, database)
