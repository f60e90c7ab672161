"""System views about objects: tables, and every object by its number."""

from __future__ import annotations

from sqlserver_sandbox.engine.sysviews.declaration import Source, View, no_rows, stored_time
from sqlserver_sandbox.tsql.catalogue import PRIMARY_FILEGROUP, Table
from sqlserver_sandbox.tsql.constraints import Check, Default, ForeignKey

OBJECT = (
    "name name, object_id int, principal_id int?, schema_id int, parent_object_id int,"
    " type c(2)?, type_desc n(60)?, create_date datetime,"
    " modify_date datetime, is_ms_shipped bit, is_published bit, is_schema_published bit"
)
"""The columns that every view of objects begins with."""
KEY_KINDS = {"PK": "PRIMARY_KEY_CONSTRAINT", "UQ": "UNIQUE_CONSTRAINT"}
CONSTRAINT_KINDS: dict[type, tuple[str, str]] = {
    Default: ("D ", "DEFAULT_CONSTRAINT"),
    Check: ("C ", "CHECK_CONSTRAINT"),
    ForeignKey: ("F ", "FOREIGN_KEY_CONSTRAINT"),
}
_TEMPORAL = {
    "": (0, "NON_TEMPORAL_TABLE"),
    "history": (1, "HISTORY_TABLE"),
    "current": (2, "SYSTEM_VERSIONED_TEMPORAL_TABLE"),
}
_ESCALATION = {"TABLE": 0, "DISABLE": 1, "AUTO": 2}


def object_row(
    table: Table, name: str | None, object_id: int, parent: int, kind: str, words: str
) -> tuple[object, ...]:
    """The columns of `OBJECT`, for the table itself or for a constraint of it."""
    made, changed = stored_time(table.created), stored_time(table.modified)
    published = table.features.replicated and kind == "U "
    return (name, object_id, None, table.schema_id, parent, kind, words, made, changed, False, published, False)


def constraint_row(table: Table, constraint: Default | Check | ForeignKey) -> tuple[object, ...]:
    kind, words = CONSTRAINT_KINDS[type(constraint)]
    return object_row(table, constraint.name, constraint.object_id, table.object_id, kind, words)


def _objects(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for table in source.database.tables:
        rows.append(object_row(table, table.name, table.object_id, 0, "U ", "USER_TABLE"))
        for index in table.indexes:
            if index.key_kind:
                words = KEY_KINDS[index.key_kind]
                rows.append(object_row(table, index.name, index.key_object_id, table.object_id, index.key_kind, words))
        rows.extend(constraint_row(table, c.default) for c in table.columns if c.default is not None)
        rows.extend(constraint_row(table, c) for c in table.constraints)
    return rows


def _tables(source: Source) -> list[tuple[object, ...]]:
    return [_table_row(t) for t in source.database.tables]


def _table_row(table: Table) -> tuple[object, ...]:
    features = table.features
    space = table.base.data_space_id if table.partition_column else table.lob_space or PRIMARY_FILEGROUP
    lob = space if table.has_large_values else 0
    temporal, temporal_words = _TEMPORAL[features.temporal]
    return (
        *object_row(table, table.name, table.object_id, 0, "U ", "USER_TABLE"),
        lob,
        None,
        table.max_column_id,
        False,
        features.ansi_nulls,
        features.replicated,
        False,
        features.merge_published,
        False,
        features.text_in_row_limit,
        features.large_values_out_of_row,
        _ESCALATION[features.lock_escalation],
        features.lock_escalation,
        features.cdc,
        0,
        "SCHEMA_AND_DATA",
        temporal,
        temporal_words,
        None,
        features.memory_optimized,
        features.external,
        features.graph_node,
        features.graph_edge,
        2 if features.ledger else 0,
        "UPDATABLE_LEDGER_TABLE" if features.ledger else "NON_LEDGER_TABLE",
        False,
        False,
    )


def _information_tables(source: Source) -> list[tuple[object, ...]]:
    database = source.database
    return [(database.name, database.schema_by_id(t.schema_id).name, t.name, "BASE TABLE") for t in database.tables]


def _information_schemata(source: Source) -> list[tuple[object, ...]]:
    names = [s.name for s in source.database.schemas] + ["INFORMATION_SCHEMA", "sys", "guest"]
    return [(source.database.name, n, "dbo", None, None, "iso_1") for n in names]


VIEWS = {
    "sys.objects": View(OBJECT, _objects),
    "sys.all_objects": View(OBJECT, _objects),
    "sys.tables": View(
        OBJECT + ", lob_data_space_id int, filestream_data_space_id int?, max_column_id_used"
        " int, lock_on_bulk_load bit, uses_ansi_nulls bit?,"
        " is_replicated bit?, has_replication_filter bit?, is_merge_published bit?,"
        " is_sync_tran_subscribed bit?, text_in_row_limit int?,"
        " large_value_types_out_of_row bit?, lock_escalation tinyint?, lock_escalation_desc n(60)?, is_tracked_by_cdc bit?,"
        " durability tinyint?, durability_desc n(60)?, temporal_type tinyint?, temporal_type_desc n(60)?, history_table_id int?,"
        " is_memory_optimized bit?, is_external bit, is_node bit, is_edge bit, ledger_type tinyint?, ledger_type_desc n(60)?,"
        " is_filetable bit?, is_remote_data_archive_enabled bit?",
        _tables,
    ),
    "information_schema.tables": View(
        "TABLE_CATALOG n(128)?, TABLE_SCHEMA name?, TABLE_NAME name, TABLE_TYPE v(10)?", _information_tables
    ),
    "information_schema.schemata": View(
        "CATALOG_NAME name?, SCHEMA_NAME n(128), SCHEMA_OWNER n(128)?,"
        " DEFAULT_CHARACTER_SET_CATALOG v(6)?, DEFAULT_CHARACTER_SET_SCHEMA v(3)?,"
        " DEFAULT_CHARACTER_SET_NAME name?",
        _information_schemata,
    ),
    "information_schema.views": View(
        "TABLE_CATALOG n(128)?, TABLE_SCHEMA n(128)?, TABLE_NAME name, VIEW_DEFINITION"
        " n(4000)?, CHECK_OPTION v(7)?, IS_UPDATABLE v(2)",
        no_rows,
    ),
}
