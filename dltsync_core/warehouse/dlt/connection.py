"""Connections to a destination of dlt: dlt's own SQL client, from a pipeline that loads nothing."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import dlt

from dltsync_core.errors import SyncError, WarehouseError
from dltsync_core.identity import Target, dotted
from dltsync_core.warehouse.dlt.dialect import PostgresSql, StandardSql
from dltsync_core.warehouse.dlt.failures import explained
from dltsync_core.warehouse.dlt.files import NAMING, PIPELINE, asked_once, give_settings, quiet
from dltsync_core.warehouse.dlt.types import warehouse_column
from dltsync_core.warehouse.duckdb.evolution import WarehouseColumn

DLT_TURN = threading.RLock()
"""dlt's pipelines share settings and an active pipeline within a process: one is made, or run, at a time."""

_COLUMNS = (
    "SELECT c.column_name, c.data_type, c.is_nullable, c.numeric_precision, c.numeric_scale, c.datetime_precision, "
    "c.character_maximum_length, t.table_type FROM information_schema.columns AS c JOIN information_schema.tables AS t "
    "ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
    "WHERE c.table_schema = %s AND c.table_name = %s ORDER BY c.ordinal_position"
)
_SCHEMAS = "SELECT schema_name FROM information_schema.schemata"
_CURSOR = "dltsync_rows"


class Session:
    """One open connection. `dialect` writes its SQL."""

    def __init__(self, client: Any, dialect: StandardSql) -> None:
        self._client = client
        self.dialect = dialect

    def run(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a statement, none for one that returns none. Each `%s` is a parameter; without parameters `%` is itself."""
        return list(self._client.execute_sql(statement, *parameters) or ())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing of it."""
        with self._client.begin_transaction():
            yield

    def columns(self, target: Target) -> list[WarehouseColumn]:
        """The columns of a table by DuckDB's type names, in order; none when it does not exist. Raises WarehouseError for a
        view."""
        return [column for column, _ in self._described(target)]

    def own_types(self, target: Target) -> dict[str, str]:
        """The columns of a table by the database's own type names."""
        return {column.name: own for column, own in self._described(target)}

    def _described(self, target: Target) -> list[tuple[WarehouseColumn, str]]:
        rows = self.run(_COLUMNS, *target)
        if any("VIEW" in str(row[7]).upper() for row in rows):
            raise WarehouseError(
                f"{dotted(*target)} is a view in the warehouse, not a table",
                remedy="rename the view, or choose another target_table or target_schema",
            )
        return [warehouse_column(row[:7]) for row in rows]

    def schemas(self) -> list[str]:
        return [str(row[0]) for row in self.run(_SCHEMAS)]

    def create_schema(self, schema: str) -> None:
        """Create it if it does not exist."""
        with self._client.with_alternative_dataset_name(schema):
            if not self._client.has_dataset():
                self._client.create_dataset()

    def drop_schema(self, schema: str) -> None:
        """With all its tables, if it exists."""
        with self._client.with_alternative_dataset_name(schema):
            if self._client.has_dataset():
                self._client.drop_dataset()

    def batches(self, query: str, rows: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query, that many at a time. On PostgreSQL the server keeps the others; it must be in a transaction."""
        if isinstance(self.dialect, PostgresSql):
            self.run(self.dialect.declare_cursor(_CURSOR, query))
            while fetched := self.run(self.dialect.fetch(_CURSOR, rows)):
                yield fetched
            return
        with self._client.execute_query(query) as cursor:
            while fetched := list(cursor.fetchmany(rows)):
                yield fetched


class DestinationDatabase:
    """A destination of dlt with its credentials. Thread-safe: every thread has a connection of its own while it has it open.

    `credentials` None: dlt looks for them in its own configuration. Nothing is opened before `opened`.
    """

    def __init__(
        self, name: str, credentials: str | Mapping[str, Any] | None, *, lock_timeout_seconds: float, dataset: str
    ) -> None:
        self.name = name
        self._credentials = dict(credentials) if isinstance(credentials, Mapping) else credentials
        self._lock_timeout_seconds = lock_timeout_seconds
        self._dataset = dataset
        self._ours = threading.local()
        self._secrets: tuple[str, ...] = ()

    @cached_property
    def _capabilities(self) -> Any:
        with DLT_TURN, self.explained("asking dlt for what it can do"):
            return getattr(dlt.destinations, self.name)().capabilities()

    @property
    def longest_name(self) -> int:
        """Bytes of the longest name of a table or column."""
        found = self._capabilities
        return min(int(found.max_identifier_length), int(found.max_column_identifier_length))

    @property
    def is_postgres(self) -> bool:
        return self.name == "postgres"

    def destination(self) -> Any:
        """dlt's destination, which keeps names as they are."""
        given = {} if self._credentials is None else {"credentials": self._credentials}
        return asked_once(getattr(dlt.destinations, self.name)(naming_convention=NAMING, **given))

    @contextmanager
    def opened(self) -> Iterator[Session]:
        """A connection: within a block of this thread's the same one. Raises ConfigError (credentials), WarehouseError and what
        `explained` makes of the server's refusals."""
        ours: Session | None = getattr(self._ours, "session", None)
        if ours is not None:
            with self.explained("reading or writing"):
                yield ours
            return
        with self.apart() as session:
            self._ours.session = session
            try:
                yield session
            finally:
                self._ours.session = None

    @contextmanager
    def apart(self) -> Iterator[Session]:
        """A connection of its own."""
        with self.explained("opening a connection"):
            client = self._client()
            client.open_connection()
        try:
            with self.explained("reading or writing"):
                session = Session(client, self._dialect(client))
                if isinstance(session.dialect, PostgresSql):
                    for setting in session.dialect.settings(self._lock_timeout_seconds):
                        session.run(setting)
                yield session
        finally:
            with self.explained("closing the connection"):
                client.close_connection()

    def _client(self) -> Any:
        with DLT_TURN, quiet(), tempfile.TemporaryDirectory(prefix="dltsync-dlt-") as directory:
            give_settings()
            pipeline = dlt.pipeline(
                PIPELINE,
                pipelines_dir=str(Path(directory)),
                destination=self.destination(),
                dataset_name=self._dataset,
                dev_mode=False,
            )
            try:
                client = pipeline.sql_client()
            finally:
                pipeline.deactivate()
        password = getattr(getattr(client, "credentials", None), "password", None)
        self._secrets = (str(password),) if password else ()
        return client

    def _dialect(self, client: Any) -> StandardSql:
        kind = PostgresSql if self.is_postgres else StandardSql
        return kind(client.capabilities.escape_identifier, client.capabilities.escape_literal)

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Failures of dlt and of drivers as SyncErrors."""
        try:
            yield
        except SyncError:
            raise
        except Exception as error:  # dlt and each driver have errors of their own, without a common class
            if not _is_foreign(error):
                raise
            raise explained(error, self.name, doing, self._secrets) from error


def _is_foreign(error: Exception) -> bool:
    """Whether the error comes from dlt or a driver, not from a fault of ours."""
    module = type(error).__module__.split(".")[0]
    return module not in {"builtins", "dltsync_core"} or isinstance(error, (OSError, NotImplementedError))
