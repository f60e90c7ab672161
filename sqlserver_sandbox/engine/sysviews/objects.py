"""System views about objects: tables, constraints, indexes."""

from __future__ import annotations

from sqlserver_sandbox.engine.sysviews.declaration import Source, View, no_rows, stored_time
from sqlserver_sandbox.tsql.catalogue import Default, Index, Table
from sqlserver_sandbox.tsql.types import is_max


def _objects(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for table in source.database.tables:
        made, changed = stored_time(table.created), stored_time(table.modified)
        rows.append(
            (
                table.name,
                table.object_id,
                None,
                table.schema_id,
                0,
                "U ",
                "USER_TABLE",
                made,
                changed,
                False,
                False,
                False,
            )
        )
        for index in table.indexes:
            if index.key_kind:
                kind, words = (
                    ("PK", "PRIMARY_KEY_CONSTRAINT") if index.key_kind == "PK" else ("UQ", "UNIQUE_CONSTRAINT")
                )
                rows.append(
                    (
                        index.name,
                        index.key_object_id,
                        None,
                        table.schema_id,
                        table.object_id,
                        kind,
                        words,
                        made,
                        changed,
                        False,
                        False,
                        False,
                    )
                )
        for column in table.columns:
            if column.default is not None:
                default = column.default
                rows.append(
                    (
                        default.name,
                        default.object_id,
                        None,
                        table.schema_id,
                        table.object_id,
                        "D ",
                        "DEFAULT_CONSTRAINT",
                        made,
                        changed,
                        False,
                        False,
                        False,
                    )
                )
    return rows


_OBJECT = (
    "name name, object_id int, principal_id int?, schema_id int, parent_object_id int,"
    " type c(2)?, type_desc n(60)?, create_date datetime,"
    " modify_date datetime, is_ms_shipped bit, is_published bit, is_schema_published bit"
)


def _tables(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for t in source.database.tables:
        lob = 1 if any(is_max(c.type) for c in t.columns) else 0
        rows.append(
            (
                t.name,
                t.object_id,
                None,
                t.schema_id,
                0,
                "U ",
                "USER_TABLE",
                stored_time(t.created),
                stored_time(t.modified),
                False,
                False,
                False,
                lob,
                None,
                t.max_column_id,
                False,
                True,
                False,
                False,
                False,
                False,
                0,
                False,
                0,
                "TABLE",
                False,
                0,
                "SCHEMA_AND_DATA",
                0,
                "NON_TEMPORAL_TABLE",
                None,
                False,
                False,
                False,
                False,
                0,
                "NON_LEDGER_TABLE",
            )
        )
    return rows


def _key_constraints(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for t in source.database.tables:
        for i in t.indexes:
            if i.key_kind:
                words = "PRIMARY_KEY_CONSTRAINT" if i.key_kind == "PK" else "UNIQUE_CONSTRAINT"
                rows.append(
                    (
                        i.name,
                        i.key_object_id,
                        None,
                        t.schema_id,
                        t.object_id,
                        i.key_kind,
                        words,
                        stored_time(t.created),
                        stored_time(t.modified),
                        False,
                        False,
                        False,
                        i.index_id,
                        i.is_system_named,
                        True,
                    )
                )
    return rows


def _default_constraints(source: Source) -> list[tuple[object, ...]]:
    return [
        _default_row(t, c.column_id, c.default)
        for t in source.database.tables
        for c in t.columns
        if c.default is not None
    ]


def _default_row(table: Table, column_id: int, default: Default) -> tuple[object, ...]:
    made, changed = stored_time(table.created), stored_time(table.modified)
    front = (default.name, default.object_id, None, table.schema_id, table.object_id, "D ", "DEFAULT_CONSTRAINT")
    return (*front, made, changed, False, False, False, column_id, f"({default.text})", default.is_system_named)


_TYPES = {0: (0, "HEAP"), 1: (1, "CLUSTERED")}


def _indexes(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for t in source.database.tables:
        for i in t.indexes:
            number, words = _TYPES.get(i.index_id, (2, "NONCLUSTERED"))
            rows.append(
                (
                    t.object_id,
                    i.name,
                    i.index_id,
                    number,
                    words,
                    i.unique,
                    i.data_space_id,
                    False,
                    i.key_kind == "PK",
                    i.key_kind == "UQ",
                    0,
                    False,
                    False,
                    False,
                    True,
                    True,
                    False,
                    None,
                    False,
                )
            )
    return rows


def _index_columns(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for t in source.database.tables:
        for i in t.indexes:
            rows.extend(_columns_of(t, i))
    return rows


def _columns_of(table: Table, index: Index) -> list[tuple[object, ...]]:
    return [
        (
            table.object_id,
            index.index_id,
            number,
            c.column_id,
            c.key_ordinal,
            c.partition_ordinal,
            c.descending,
            c.included,
            0,
        )
        for number, c in enumerate(index.columns, 1)
    ]


def _information_tables(source: Source) -> list[tuple[object, ...]]:
    database = source.database
    return [(database.name, database.schema_by_id(t.schema_id).name, t.name, "BASE TABLE") for t in database.tables]


def _information_schemata(source: Source) -> list[tuple[object, ...]]:
    names = [s.name for s in source.database.schemas] + ["INFORMATION_SCHEMA", "sys", "guest"]
    return [(source.database.name, n, "dbo", None, None, "iso_1") for n in names]


VIEWS = {
    "sys.objects": View(_OBJECT, _objects),
    "sys.all_objects": View(_OBJECT, _objects),
    "sys.tables": View(
        _OBJECT + ", lob_data_space_id int, filestream_data_space_id int?, max_column_id_used"
        " int, lock_on_bulk_load bit, uses_ansi_nulls bit?,"
        " is_replicated bit?, has_replication_filter bit?, is_merge_published bit?,"
        " is_sync_tran_subscribed bit?, text_in_row_limit int?,"
        " large_value_types_out_of_row bit?, lock_escalation tinyint?, lock_escalation_desc n(60)?, is_tracked_by_cdc bit?,"
        " durability tinyint?, durability_desc n(60)?, temporal_type tinyint?, temporal_type_desc n(60)?, history_table_id int?,"
        " is_memory_optimized bit?, is_external bit, is_node bit, is_edge bit, ledger_type tinyint?, ledger_type_desc n(60)?",
        _tables,
    ),
    "sys.views": View(_OBJECT, no_rows),
    "sys.synonyms": View(_OBJECT + ", base_object_name n(1035)?", no_rows),
    "sys.key_constraints": View(
        _OBJECT + ", unique_index_id int?, is_system_named bit, is_enforced bit?", _key_constraints
    ),
    "sys.default_constraints": View(
        _OBJECT + ", parent_column_id int, definition n(max)?, is_system_named bit", _default_constraints
    ),
    "sys.check_constraints": View(
        _OBJECT
        + ", is_disabled bit, is_not_for_replication bit, is_not_trusted bit, parent_column_id int, definition n(max)?,"
        " uses_database_collation bit?, is_system_named bit",
        no_rows,
    ),
    "sys.foreign_keys": View(
        _OBJECT
        + ", referenced_object_id int?, key_index_id int?, is_disabled bit, is_not_for_replication bit, is_not_trusted bit,"
        " delete_referential_action tinyint?, delete_referential_action_desc n(60)?, update_referential_action tinyint?,"
        " update_referential_action_desc n(60)?, is_system_named bit",
        no_rows,
    ),
    "sys.foreign_key_columns": View(
        "constraint_object_id int, constraint_column_id int, parent_object_id int,"
        " parent_column_id int, referenced_object_id int,"
        " referenced_column_id int",
        no_rows,
    ),
    "sys.indexes": View(
        "object_id int, name name?, index_id int, type tinyint, type_desc n(60)?,"
        " is_unique bit?, data_space_id int?, ignore_dup_key bit?,"
        " is_primary_key bit?, is_unique_constraint bit?, fill_factor tinyint,"
        " is_padded bit?, is_disabled bit?, is_hypothetical bit?,"
        " allow_row_locks bit?, allow_page_locks bit?, has_filter bit?, filter_definition n(max)?, auto_created bit?",
        _indexes,
    ),
    "sys.index_columns": View(
        "object_id int, index_id int, index_column_id int, column_id int, key_ordinal tinyint, partition_ordinal tinyint,"
        " is_descending_key bit?, is_included_column bit?, column_store_order_ordinal tinyint",
        _index_columns,
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
