"""What a DuckDB file holds: asked of DuckDB's own catalogue functions, always of one catalog (one file)."""

from __future__ import annotations

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from dltsync_core.duckdb import sql as q
from dltsync_core.errors import WarehouseError
from dltsync_core.identity import Target, dotted
from dltsync_core.warehouse.duckdb.evolution import WarehouseColumn

_CATALOG = "SELECT current_database()"
_SCHEMAS = "SELECT schema_name FROM duckdb_schemas() WHERE database_name = ? AND NOT internal"
_TABLES = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ?"
_VIEWS = "SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = ? AND NOT internal"
"""Asked only for what is no table: DuckDB compiles its own views for it."""


def catalog_of(connection: DuckDBPyConnection) -> str:
    """The name DuckDB gives the open file."""
    return str(_only(connection.execute(_CATALOG).fetchall()))


def schemas_of(connection: DuckDBPyConnection, catalog: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(_SCHEMAS, [catalog]).fetchall()]


def find_table(connection: DuckDBPyConnection, catalog: str, target: Target) -> Target | None:
    """The table in the warehouse's own spelling (DuckDB ignores case), None when there is none.

    Raises WarehouseError when a view has that name: we could not load into it.
    """
    found = _named(connection.execute(_TABLES, [catalog]).fetchall(), target)
    if found is None and (view := _named(connection.execute(_VIEWS, [catalog]).fetchall(), target)) is not None:
        raise WarehouseError(
            f"{dotted(*view)} is a view in the warehouse, not a table",
            remedy="rename the view, or choose another target_table or target_schema",
        )
    return found


def _named(relations: Sequence[Target], target: Target) -> Target | None:
    wanted = tuple(part.casefold() for part in target)
    return next(((s, name) for s, name in relations if (s.casefold(), name.casefold()) == wanted), None)


def target_as_stored(connection: DuckDBPyConnection, catalog: str, target: Target) -> Target:
    """The target as it is spelt in the warehouse, as far as it is there already."""
    found = find_table(connection, catalog, target)
    if found is not None:
        return found
    schemas = {schema.casefold(): schema for schema in schemas_of(connection, catalog)}
    return schemas.get(target[0].casefold(), target[0]), target[1]


def columns_of(connection: DuckDBPyConnection, catalog: str, target: Target) -> list[WarehouseColumn]:
    """The columns of a table that is there, in its own spelling, in order.

    DESCRIBE looks at this table alone. `duckdb_columns()` looks through all, DuckDB's own views included, which it compiles for
    that: the first look after opening the file took as long as opening it.
    """
    rows = connection.execute(q.describe(catalog, target)).fetchall()
    return [WarehouseColumn(str(name), str(kind), nullable == "YES") for name, kind, nullable, *_ in rows]


def _only(rows: Sequence[Sequence[object]]) -> object:
    return rows[0][0]
