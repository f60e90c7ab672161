"""What a DuckDB file holds: asked of DuckDB's own catalogue functions, always of one catalog (one file)."""

from __future__ import annotations

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from dltsync_core.errors import WarehouseError
from dltsync_core.warehouse.evolution import WarehouseColumn
from dltsync_core.warehouse.port import Target

_CATALOG = "SELECT current_database()"
_SCHEMAS = "SELECT schema_name FROM duckdb_schemas() WHERE database_name = ? AND NOT internal"
_TABLES = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ?"
_VIEWS = "SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = ? AND NOT internal"
_COLUMNS = (
    "SELECT column_name, data_type, is_nullable FROM duckdb_columns() "
    "WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index"
)


def catalog_of(connection: DuckDBPyConnection) -> str:
    """The name DuckDB gives the open file."""
    return str(_only(connection.execute(_CATALOG).fetchall()))


def schemas_of(connection: DuckDBPyConnection, catalog: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(_SCHEMAS, [catalog]).fetchall()]


def find_table(connection: DuckDBPyConnection, catalog: str, target: Target) -> Target | None:
    """The table in the warehouse's own spelling (DuckDB ignores case), None when there is none.

    Raises WarehouseError when a view has that name: we could not load into it.
    """
    wanted = tuple(part.casefold() for part in target)
    for schema, view in connection.execute(_VIEWS, [catalog]).fetchall():
        if (schema.casefold(), view.casefold()) == wanted:
            raise WarehouseError(
                f"{schema}.{view} is a view in the warehouse, not a table",
                remedy="rename the view, or choose another target_table or target_schema",
            )
    for schema, table in connection.execute(_TABLES, [catalog]).fetchall():
        if (schema.casefold(), table.casefold()) == wanted:
            return schema, table
    return None


def spelt_target(connection: DuckDBPyConnection, catalog: str, target: Target) -> Target:
    """The target as it is spelt in the warehouse, as far as it is there already."""
    found = find_table(connection, catalog, target)
    if found is not None:
        return found
    schemas = {schema.casefold(): schema for schema in schemas_of(connection, catalog)}
    return schemas.get(target[0].casefold(), target[0]), target[1]


def columns_of(connection: DuckDBPyConnection, catalog: str, target: Target) -> list[WarehouseColumn]:
    """The columns of a table in its own spelling, in order."""
    rows = connection.execute(_COLUMNS, [catalog, *target]).fetchall()
    return [WarehouseColumn(str(name), str(kind), bool(nullable)) for name, kind, nullable in rows]


def _only(rows: Sequence[Sequence[object]]) -> object:
    return rows[0][0]
