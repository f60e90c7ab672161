"""dlt's DuckDB destination, with full names.

dlt names a table by schema and table. In a file `warehouse.duckdb` with a schema `warehouse` DuckDB refuses that as
ambiguous; with the catalog in front it is clear. And dlt makes file names out of table names, so a table whose name could not
be part of one travels under a safe name and is given its own in SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dlt.common.schema import Schema
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb as DuckDbDestination  # noqa: N812 -- dlt names a class so
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from duckdb import DuckDBPyConnection

from dltsync_core.identity import path_part
from dltsync_core.warehouse.duckdb_sql import identifier

_SAFE_FILE_NAME = re.compile(r"[A-Za-z0-9_]{1,128}")


def travel_name(table: str) -> str:
    """The name under which dlt knows a table: its own where dlt can make a file name of it."""
    return table if _SAFE_FILE_NAME.fullmatch(table) else path_part(table).replace("-", "_")


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
        super().__init__(
            credentials=connection,
            replace_strategy="insert-from-staging",  # in one transaction; the default empties the table before it
            staging_dataset_name_layout=staging_schema,
        )
        self._catalog = catalog
        self._real_names = dict(real_names)

    def client(self, schema: Schema, initial_config: DuckDbClientConfiguration | None = None) -> DuckDbClient:
        client = super().client(schema, initial_config)  # type: ignore[arg-type]  # dlt's own default is None
        plain = client.sql_client
        client.sql_client = _SqlClient(
            plain.dataset_name, plain.staging_dataset_name, plain.credentials, plain.capabilities
        )
        client.sql_client.catalog = self._catalog
        client.sql_client.real_names = self._real_names
        return client


class _SqlClient(DuckDbSqlClient):
    catalog: str
    real_names: Mapping[str, str]

    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str:
        return identifier(self.catalog) if quote else self.catalog

    def make_qualified_table_name_path(self, table_name: str | None, *args: Any, **kwargs: Any) -> list[str]:
        if table_name is not None:
            table_name = self.real_names.get(table_name, table_name)
        path: list[str] = super().make_qualified_table_name_path(table_name, *args, **kwargs)
        return path
