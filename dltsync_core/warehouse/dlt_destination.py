"""dlt's DuckDB destination, for names that dlt does not expect.

dlt makes file names out of table names, writes its SQL to files line by line, splits it, looks for words like DROP in it,
sends parts of it through `%` and `str.format`, and leaves out the catalog, without which a schema `sales` in a file
`sales.duckdb` is ambiguous. Any name SQL Server admits must pass. So every name travels in disguise, in letters and digits
only, and gets its own back where DuckDB is asked.

dlt also makes several transactions of one load, each on a connection of its own. Here everything it does joins the one
transaction of the connection it is given: whoever began that commits it, or nothing of the load was ever there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.normalizers.naming import NamingConvention
from dlt.common.schema import Schema
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb as DuckDbDestination  # noqa: N812 -- dlt names a class so
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from duckdb import DuckDBPyConnection

from dltsync_core import checkpoints
from dltsync_core.identity import identifier_part
from dltsync_core.warehouse.duckdb_sql import identifier

_DISGUISED = re.compile(r"dltsync_(name|text)_((?:[0-9a-f]{2})*)_end")


def travel_name(table: str) -> str:
    """The name under which dlt knows a table: fit for a file name and readable."""
    return identifier_part(table)


def disguised_name(name: str) -> str:
    """An identifier as letters and digits; `undisguised` quotes it."""
    return f"dltsync_name_{name.encode().hex()}_end"


def disguised_text(sql: str) -> str:
    """Ready SQL as letters and digits."""
    return f"dltsync_text_{sql.encode().hex()}_end"


def undisguised(sql: str) -> str:
    """The statement as DuckDB is to see it."""

    def reveal(match: re.Match[str]) -> str:
        content = bytes.fromhex(match[2]).decode()
        return identifier(content) if match[1] == "name" else content

    return _DISGUISED.sub(reveal, sql)


class FullNames(DuckDbDestination):
    """DuckDB through a connection of ours. `real_names` maps travelling names of tables to their own."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        *,
        catalog: str,
        real_names: Mapping[str, str],
        staging_schema: str,
    ) -> None:
        self._connection = connection
        super().__init__(
            credentials=connection,
            replace_strategy="insert-from-staging",  # in one transaction; the default empties the table before it
            staging_dataset_name_layout=staging_schema,
        )
        self._catalog = catalog
        self._real_names = dict(real_names)
        self._for_capabilities: DuckDbClientConfiguration | None = None

    def configuration(
        self, initial_config: DuckDbClientConfiguration, accept_partial: bool = False
    ) -> DuckDbClientConfiguration:
        """dlt asks for its capabilities at every step and looks its settings up each time: more work than loading a small table
        is besides. Nothing of that changes while one load runs, so it looks once; and not again for what was looked up."""
        if not accept_partial:
            looked_up = initial_config is not None and initial_config.is_resolved()
            return initial_config if looked_up else super().configuration(initial_config)
        if self._for_capabilities is None:
            self._for_capabilities = super().configuration(initial_config, accept_partial=True)
        return self._for_capabilities

    def capabilities(
        self, config: DuckDbClientConfiguration | None = None, naming: NamingConvention | None = None
    ) -> DestinationCapabilitiesContext:
        return super().capabilities(config or self._for_capabilities, naming)

    def client(self, schema: Schema, initial_config: DuckDbClientConfiguration | None = None) -> DuckDbClient:
        client = super().client(schema, initial_config)  # type: ignore[arg-type]  # dlt's own default is None
        plain = client.sql_client
        plain.capabilities.escape_identifier = disguised_name
        client.sql_client = _SqlClient(
            plain.dataset_name, plain.staging_dataset_name, plain.credentials, plain.capabilities
        )
        client.sql_client.catalog = self._catalog
        client.sql_client.real_names = self._real_names
        client.sql_client.ours = self._connection
        return client


class _SqlClient(DuckDbSqlClient):
    catalog: str
    real_names: Mapping[str, str]
    ours: DuckDBPyConnection

    def open_connection(self) -> Any:
        # Not dlt's pool: it hands out duplicates, each with a transaction of its own.
        self._conn = cast("DuckDBPyConnection", _Revealing(self.ours))
        return self._conn

    def close_connection(self) -> None:
        self._conn = cast("DuckDBPyConnection", None)

    @contextmanager
    def begin_transaction(self) -> Iterator[Any]:
        yield self

    def commit_transaction(self) -> None:
        """The one transaction goes on: the warehouse commits it when the marker is written."""

    def rollback_transaction(self) -> None:
        """dlt raises after this, and the warehouse then rolls everything back."""

    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str:
        return disguised_name(self.catalog) if quote else self.catalog

    def make_qualified_table_name_path(self, table_name: str | None, *args: Any, **kwargs: Any) -> list[str]:
        if table_name is not None:
            table_name = self.real_names.get(table_name, table_name)
        path: list[str] = super().make_qualified_table_name_path(table_name, *args, **kwargs)
        return path


class _Revealing:
    """A connection that reveals disguised names just before DuckDB sees them."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection

    def execute(self, query: str, *args: Any) -> DuckDBPyConnection:
        executed = self._connection.execute(undisguised(query), *args)
        checkpoints.reached(checkpoints.WAREHOUSE_STATEMENT)
        return executed

    def rollback(self) -> None:
        """dlt rolls back after every failed statement, also after looks at tables that are not there yet. DuckDB keeps a
        transaction through those, and refuses every further statement after any other error."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
