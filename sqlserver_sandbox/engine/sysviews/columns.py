"""System views about columns."""

from __future__ import annotations

from sqlserver_sandbox.engine.sysviews.all_columns import catalogue_columns
from sqlserver_sandbox.engine.sysviews.declaration import Source, View, no_rows
from sqlserver_sandbox.engine.sysviews.server import SYSNAME_ID
from sqlserver_sandbox.tsql.catalogue import Table, TableColumn
from sqlserver_sandbox.tsql.types import (
    BINARIES,
    DATETIMES,
    FLOATS,
    NUMBERS,
    STRINGS,
    SYSTEM_TYPE_ID,
    UNICODE,
    catalogue_name,
    catalogue_sizes,
)

_COLUMN = (
    "object_id int, name name?, column_id int, system_type_id tinyint, user_type_id"
    " int, max_length smallint, precision tinyint, scale tinyint,"
    " collation_name name?, is_nullable bit?, is_ansi_padded bit, is_rowguidcol bit,"
    " is_identity bit, is_computed bit, is_filestream bit,"
    " is_replicated bit?, is_non_sql_subscribed bit?, is_merge_published bit?, is_dts_replicated bit?, is_xml_document bit,"
    " xml_collection_id int, default_object_id int, rule_object_id int, is_sparse bit?,"
    " is_column_set bit?, generated_always_type tinyint?,"
    " generated_always_type_desc n(60)?, encryption_type int?, encryption_type_desc n(64)?, encryption_algorithm_name name?,"
    " column_encryption_key_id int?, column_encryption_key_database_name name?, is_hidden bit?, is_masked bit?, graph_type int?,"
    " graph_type_desc n(60)?, is_data_deletion_filter_column bit?,"
    " ledger_view_column_type int?, ledger_view_column_type_desc n(60)?,"
    " is_dropped_ledger_column bit?"
)


def column_row(object_id: int, column: TableColumn) -> tuple[object, ...]:
    """A row of sys.columns."""
    declared = column.type
    number = SYSTEM_TYPE_ID[declared.name]
    length, precision, scale = catalogue_sizes(declared)
    padded = declared.name in STRINGS or declared.name in BINARIES
    return (
        object_id,
        column.name,
        column.column_id,
        number,
        SYSNAME_ID if column.is_sysname else number,
        length,
        precision,
        scale,
        declared.collation,
        column.nullable,
        padded,
        column.is_rowguidcol,
        column.identity is not None,
        False,
        False,
        False,
        False,
        False,
        False,
        False,
        0,
        column.default.object_id if column.default else 0,
        0,
        False,
        False,
        0,
        "NOT_APPLICABLE",
        None,
        None,
        None,
        None,
        None,
        False,
        False,
        None,
        None,
        False,
        None,
        None,
        False,
    )


def _columns(source: Source) -> list[tuple[object, ...]]:
    return [column_row(t.object_id, c) for t in source.database.tables for c in t.columns]


def _all_columns(source: Source) -> list[tuple[object, ...]]:
    return _columns(source) + [column_row(i, c) for i, c in catalogue_columns(source.database)]


def _identity_columns(source: Source) -> list[tuple[object, ...]]:
    return [
        (*column_row(t.object_id, c), c.identity[0], c.identity[1])
        for t in source.database.tables
        for c in t.columns
        if c.identity is not None
    ]


def _information_columns(source: Source) -> list[tuple[object, ...]]:
    rows = []
    for table in source.database.tables:
        for position, column in enumerate(table.columns, 1):
            rows.append(_information_row(source, table, column, position))
    return rows


def _information_row(source: Source, table: Table, column: TableColumn, position: int) -> tuple[object, ...]:
    database, declared = source.database, column.type
    length, precision, scale = catalogue_sizes(declared)
    text, data = declared.name in STRINGS, declared.name in BINARIES and declared.name != "rowversion"
    unicode = declared.name in UNICODE
    characters = length // 2 if unicode and length > 0 else length
    number = declared.name in NUMBERS and declared.name != "bit"
    floating = declared.name in FLOATS
    charset = None if not text else "UNICODE" if unicode else "iso_1"
    return (
        database.name,
        database.schema_by_id(table.schema_id).name,
        table.name,
        column.name,
        position,
        f"({column.default.text})" if column.default else None,
        "YES" if column.nullable else "NO",
        catalogue_name(declared.name),
        characters if text or data else None,
        length if text or data else None,
        precision if number else None,
        (2 if floating else 10) if number else None,
        scale if number and not floating else None,
        (scale if declared.name != "date" else 0) if declared.name in DATETIMES else None,
        None,
        None,
        charset,
        None,
        None,
        declared.collation,
        None,
        None,
        None,
    )


def _key_usage(source: Source) -> list[tuple[object, ...]]:
    database = source.database
    rows: list[tuple[object, ...]] = []
    for t in database.tables:
        schema = database.schema_by_id(t.schema_id).name
        for i in (i for i in t.indexes if i.key_kind):
            rows.extend(
                (
                    database.name,
                    schema,
                    i.name,
                    database.name,
                    schema,
                    t.name,
                    t.column_by_id(k.column_id).name,
                    k.key_ordinal,
                )
                for k in i.key_columns
            )
    return rows


def _table_constraints(source: Source) -> list[tuple[object, ...]]:
    database = source.database
    rows: list[tuple[object, ...]] = []
    for t in database.tables:
        schema = database.schema_by_id(t.schema_id).name
        for i in (i for i in t.indexes if i.key_kind):
            kind = "PRIMARY KEY" if i.key_kind == "PK" else "UNIQUE"
            rows.append((database.name, schema, i.name, database.name, schema, t.name, kind, "NO", "NO"))
    return rows


VIEWS = {
    "sys.columns": View(_COLUMN, _columns),
    "sys.all_columns": View(_COLUMN, _all_columns),
    "sys.identity_columns": View(_COLUMN + ", seed_value bigint, increment_value bigint", _identity_columns),
    "sys.computed_columns": View(
        _COLUMN + ", definition n(max)?, uses_database_collation bit, is_persisted bit", no_rows
    ),
    "sys.masked_columns": View(_COLUMN + ", masking_function n(4000)?", no_rows),
    "information_schema.columns": View(
        "TABLE_CATALOG n(128)?, TABLE_SCHEMA n(128)?, TABLE_NAME name, COLUMN_NAME"
        " name?, ORDINAL_POSITION int?, COLUMN_DEFAULT n(4000)?,"
        " IS_NULLABLE v(3)?, DATA_TYPE n(128)?, CHARACTER_MAXIMUM_LENGTH int?,"
        " CHARACTER_OCTET_LENGTH int?, NUMERIC_PRECISION tinyint?,"
        " NUMERIC_PRECISION_RADIX smallint?, NUMERIC_SCALE int?, DATETIME_PRECISION smallint?, CHARACTER_SET_CATALOG name?,"
        " CHARACTER_SET_SCHEMA name?, CHARACTER_SET_NAME name?, COLLATION_CATALOG"
        " name?, COLLATION_SCHEMA name?, COLLATION_NAME name?,"
        " DOMAIN_CATALOG name?, DOMAIN_SCHEMA name?, DOMAIN_NAME name?",
        _information_columns,
    ),
    "information_schema.key_column_usage": View(
        "CONSTRAINT_CATALOG n(128)?, CONSTRAINT_SCHEMA n(128)?, CONSTRAINT_NAME name,"
        " TABLE_CATALOG n(128)?, TABLE_SCHEMA n(128)?,"
        " TABLE_NAME name, COLUMN_NAME name?, ORDINAL_POSITION int",
        _key_usage,
    ),
    "information_schema.referential_constraints": View(
        "CONSTRAINT_CATALOG n(128)?, CONSTRAINT_SCHEMA n(128)?, CONSTRAINT_NAME name, UNIQUE_CONSTRAINT_CATALOG n(128)?,"
        " UNIQUE_CONSTRAINT_SCHEMA n(128)?, UNIQUE_CONSTRAINT_NAME name?, MATCH_OPTION v(7)?, UPDATE_RULE v(11)?,"
        " DELETE_RULE v(11)?",
        no_rows,
    ),
    "information_schema.table_constraints": View(
        "CONSTRAINT_CATALOG n(128)?, CONSTRAINT_SCHEMA n(128)?, CONSTRAINT_NAME name,"
        " TABLE_CATALOG n(128)?, TABLE_SCHEMA n(128)?,"
        " TABLE_NAME name, CONSTRAINT_TYPE v(11)?, IS_DEFERRABLE v(2), INITIALLY_DEFERRED v(2)",
        _table_constraints,
    ),
}
