"""sp_pkeys, sp_statistics and sp_special_columns: keys and indexes of a table."""

from __future__ import annotations

from typing import Any

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.procedures.column_sizes import odbc_sizes
from sqlserver_sandbox.engine.procedures.declaration import Rows, as_columns
from sqlserver_sandbox.engine.procedures.lookup import find_tables, matches, type_row
from sqlserver_sandbox.tsql.catalogue import Table, TableColumn
from sqlserver_sandbox.tsql.types import (
    catalogue_name,
)


def primary_keys(execution: Execution, values: dict[str, Any]) -> Rows:
    spec = (
        "TABLE_QUALIFIER name?, TABLE_OWNER name?, TABLE_NAME name, COLUMN_NAME name, KEY_SEQ smallint, PK_NAME name?"
    )
    rows: list[tuple[Any, ...]] = []
    for database, schema, table in find_tables(execution, values, exact=True):
        key = next((i for i in table.indexes if i.key_kind == "PK"), None)
        if key is not None:
            front = (database.name, schema, table.name)
            rows.extend(
                (*front, table.column_by_id(k.column_id).name, k.key_ordinal, key.name) for k in key.key_columns
            )
    return as_columns(spec), rows


def statistics(execution: Execution, values: dict[str, Any]) -> Rows:
    """Type 0 is the table itself, 1 a clustered index, 3 another."""
    spec = (
        "TABLE_QUALIFIER name?, TABLE_OWNER name?, TABLE_NAME name, NON_UNIQUE"
        " smallint?, INDEX_QUALIFIER name?, INDEX_NAME name?, TYPE smallint,"
        " SEQ_IN_INDEX smallint?, COLUMN_NAME name?, COLLATION c(1)?, CARDINALITY int?, PAGES int?, FILTER_CONDITION v(128)?"
    )
    unique_only = str(values["is_unique"] or "N").upper() == "Y"
    rows: list[tuple[Any, ...]] = []
    for database, schema, table in find_tables(execution, values, exact=True):
        front = (database.name, schema, table.name)
        count = sum(execution.catalogue.count_rows(database, table))
        rows.append((*front, None, None, None, 0, None, None, None, count, None, None))
        for index in table.indexes:
            if (
                index.index_id == 0
                or (unique_only and not index.unique)
                or not matches(values["index_name"], index.name or "")
            ):
                continue
            for k in index.key_columns:
                name = table.column_by_id(k.column_id).name
                kind = 1 if index.index_id == 1 else 3
                rows.append(
                    (
                        *front,
                        int(not index.unique),
                        table.name,
                        index.name,
                        kind,
                        k.key_ordinal,
                        name,
                        "D" if k.descending else "A",
                        count,
                        None,
                        None,
                    )
                )
    return as_columns(spec), sorted(rows, key=lambda r: (r[3] or 0, r[6], r[5] or "", r[7] or 0))


def special_columns(execution: Execution, values: dict[str, Any]) -> Rows:
    """'R': the columns of the best unique key. 'V': the rowversion column."""
    spec = (
        "SCOPE smallint?, COLUMN_NAME name, DATA_TYPE smallint, TYPE_NAME name, PRECISION"
        " int?, LENGTH int?, SCALE smallint?, PSEUDO_COLUMN smallint"
    )
    kind = str(values["col_type"] or "R").upper()
    nullable = str(values["nullable"] or "U").upper() == "U"
    rows = []
    for _, _, table in find_tables(execution, values, exact=True):
        for column in _versions(table) if kind == "V" else _best_key(table, nullable=nullable):
            info = type_row(column)
            precision, length, scale, _, _ = odbc_sizes(column)
            rows.append(
                (
                    None if kind == "V" else 0,
                    column.name,
                    info[1],
                    catalogue_name(column.type.name),
                    precision,
                    length,
                    scale,
                    1,
                )
            )
    return as_columns(spec), rows


def _versions(table: Table) -> list[TableColumn]:
    return [c for c in table.columns if c.type.name == "rowversion"]


def _best_key(table: Table, *, nullable: bool) -> list[TableColumn]:
    keys = sorted(
        (i for i in table.indexes if i.unique), key=lambda i: (i.key_kind != "PK", len(i.key_columns), i.index_id)
    )
    for index in keys:
        found = [table.column_by_id(k.column_id) for k in index.key_columns]
        if nullable or not any(c.nullable for c in found):
            return found
    return []
