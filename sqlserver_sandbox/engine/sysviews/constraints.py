"""System views about constraints: keys, defaults, checks, foreign keys."""

from __future__ import annotations

from sqlserver_sandbox.engine.sysviews.declaration import Source, View
from sqlserver_sandbox.engine.sysviews.objects import KEY_KINDS, OBJECT, constraint_row, object_row


def _key_constraints(source: Source) -> list[tuple[object, ...]]:
    return [
        (
            *object_row(t, i.name, i.key_object_id, t.object_id, i.key_kind, KEY_KINDS[i.key_kind]),
            i.index_id,
            i.is_system_named,
            True,
        )
        for t in source.database.tables
        for i in t.indexes
        if i.key_kind
    ]


def _default_constraints(source: Source) -> list[tuple[object, ...]]:
    return [
        (*constraint_row(t, c.default), c.column_id, f"({c.default.text})", c.default.is_system_named)
        for t in source.database.tables
        for c in t.columns
        if c.default is not None
    ]


def _check_constraints(source: Source) -> list[tuple[object, ...]]:
    return [
        (
            *constraint_row(t, c),
            c.is_disabled,
            False,
            not c.is_trusted,
            c.column_id,
            c.text,
            True,
            c.is_system_named,
        )
        for t in source.database.tables
        for c in t.checks
    ]


def _foreign_keys(source: Source) -> list[tuple[object, ...]]:
    return [
        (
            *constraint_row(t, f),
            f.referenced_object_id,
            f.key_index_id,
            f.is_disabled,
            False,
            not f.is_trusted,
            0,
            "NO_ACTION",
            0,
            "NO_ACTION",
            f.is_system_named,
        )
        for t in source.database.tables
        for f in t.foreign_keys
    ]


def _foreign_key_columns(source: Source) -> list[tuple[object, ...]]:
    return [
        (f.object_id, number, t.object_id, mine, f.referenced_object_id, theirs)
        for t in source.database.tables
        for f in t.foreign_keys
        for number, (mine, theirs) in enumerate(zip(f.columns, f.referenced_columns, strict=True), 1)
    ]


def _referential_constraints(source: Source) -> list[tuple[object, ...]]:
    """The key that each foreign key refers to, by name (SQL Server docs: REFERENTIAL_CONSTRAINTS)."""
    database = source.database
    tables = {t.object_id: t for t in database.tables}
    rows: list[tuple[object, ...]] = []
    for t in database.tables:
        for f in t.foreign_keys:
            parent = tables[f.referenced_object_id]
            key = next((i.name for i in parent.indexes if i.index_id == f.key_index_id), None)
            schemas = (database.schema_by_id(t.schema_id).name, database.schema_by_id(parent.schema_id).name)
            rows.append(
                (database.name, schemas[0], f.name, database.name, schemas[1], key, "SIMPLE", "NO ACTION", "NO ACTION")
            )
    return rows


VIEWS = {
    "sys.key_constraints": View(
        OBJECT + ", unique_index_id int?, is_system_named bit, is_enforced bit?", _key_constraints
    ),
    "sys.default_constraints": View(
        OBJECT + ", parent_column_id int, definition n(max)?, is_system_named bit", _default_constraints
    ),
    "sys.check_constraints": View(
        OBJECT
        + ", is_disabled bit, is_not_for_replication bit, is_not_trusted bit, parent_column_id int, definition n(max)?,"
        " uses_database_collation bit?, is_system_named bit",
        _check_constraints,
    ),
    "sys.foreign_keys": View(
        OBJECT
        + ", referenced_object_id int?, key_index_id int?, is_disabled bit, is_not_for_replication bit, is_not_trusted bit,"
        " delete_referential_action tinyint?, delete_referential_action_desc n(60)?, update_referential_action tinyint?,"
        " update_referential_action_desc n(60)?, is_system_named bit",
        _foreign_keys,
    ),
    "sys.foreign_key_columns": View(
        "constraint_object_id int, constraint_column_id int, parent_object_id int,"
        " parent_column_id int, referenced_object_id int,"
        " referenced_column_id int",
        _foreign_key_columns,
    ),
    "information_schema.referential_constraints": View(
        "CONSTRAINT_CATALOG n(128)?, CONSTRAINT_SCHEMA n(128)?, CONSTRAINT_NAME name, UNIQUE_CONSTRAINT_CATALOG n(128)?,"
        " UNIQUE_CONSTRAINT_SCHEMA n(128)?, UNIQUE_CONSTRAINT_NAME name?, MATCH_OPTION v(7)?, UPDATE_RULE v(11)?,"
        " DELETE_RULE v(11)?",
        _referential_constraints,
    ),
}
