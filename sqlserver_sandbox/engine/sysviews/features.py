"""System views about features that tables are declared to have: change tracking, full text, indexed views, policies, triggers."""

from __future__ import annotations

from collections.abc import Callable

from sqlserver_sandbox.engine.sysviews.declaration import Source, View, no_rows
from sqlserver_sandbox.engine.sysviews.objects import OBJECT, object_row
from sqlserver_sandbox.tsql.catalogue import Table

_MADE_UP_ID = 1_000_000_000
"""Added to a table's number for the object that carries its feature: it has no other."""


def _tables(source: Source, has: Callable[[Table], bool]) -> list[Table]:
    return [t for t in source.database.tables if has(t)]


def _change_tracking(source: Source) -> list[tuple[object, ...]]:
    return [(t.object_id, False, 0, 0, 0) for t in _tables(source, lambda t: t.features.change_tracking)]


def _tracking_databases(source: Source) -> list[tuple[object, ...]]:
    """Change tracking is on in a database where a table has it."""
    return [
        (d.database_id, 1, 2, 3, 0) for d in source.databases() if any(t.features.change_tracking for t in d.tables)
    ]


def _full_text(source: Source) -> list[tuple[object, ...]]:
    return [
        (t.object_id, t.indexes[-1].index_id, 5, True, "A", "AUTO", True)
        for t in _tables(source, lambda t: t.features.full_text)
    ]


def _xml_indexes(source: Source) -> list[tuple[object, ...]]:
    return [(t.object_id, "sandbox_feature", 256000, 3, "XML") for t in _tables(source, lambda t: t.features.xml_index)]


def _spatial_indexes(source: Source) -> list[tuple[object, ...]]:
    return [
        (t.object_id, "sandbox_feature", 384000, 4, "SPATIAL")
        for t in _tables(source, lambda t: t.features.spatial_index)
    ]


def _triggers(source: Source) -> list[tuple[object, ...]]:
    return [
        (
            "sandbox_feature",
            t.object_id + _MADE_UP_ID,
            1,
            "OBJECT_OR_COLUMN",
            t.object_id,
            "TR",
            "SQL_TRIGGER",
            False,
            False,
            False,
            False,
        )
        for t in _tables(source, lambda t: t.features.trigger)
    ]


def _policies(source: Source) -> list[tuple[object, ...]]:
    return [
        ("sandbox_feature", t.object_id + _MADE_UP_ID, t.schema_id, True, False, True)
        for t in _tables(source, lambda t: t.features.security_policy)
    ]


def _predicates(source: Source) -> list[tuple[object, ...]]:
    return [
        (t.object_id + _MADE_UP_ID, 1, t.object_id, "([sandbox_feature]())", 0, "FILTER", None, None)
        for t in _tables(source, lambda t: t.features.security_policy)
    ]


def _periods(source: Source) -> list[tuple[object, ...]]:
    return [
        ("SYSTEM_TIME", 1, "SYSTEM_TIME_PERIOD", t.object_id, t.columns[-1].column_id, t.columns[-1].column_id)
        for t in _tables(source, lambda t: t.features.period)
    ]


def indexed_view_id(table: Table) -> int:
    """The number of the view on a table that is declared to have one."""
    return table.object_id + _MADE_UP_ID


def _views(source: Source) -> list[tuple[object, ...]]:
    """The indexed view on a table that is declared to have one."""
    return [
        object_row(t, f"sandbox_feature_{t.object_id}", indexed_view_id(t), 0, "V ", "VIEW")
        for t in _tables(source, lambda t: t.features.indexed_view)
    ]


def _dependencies(source: Source) -> list[tuple[object, ...]]:
    database = source.database
    return [
        (
            indexed_view_id(t),
            0,
            1,
            "OBJECT_OR_COLUMN",
            True,
            1,
            "OBJECT_OR_COLUMN",
            None,
            None,
            database.schema_by_id(t.schema_id).name,
            t.name,
            t.object_id,
            0,
            False,
            False,
        )
        for t in _tables(source, lambda t: t.features.indexed_view)
    ]


VIEWS = {
    "sys.change_tracking_tables": View(
        "object_id int, is_track_columns_updated_on bit, min_valid_version bigint?,"
        " begin_version bigint?, cleanup_version bigint?",
        _change_tracking,
    ),
    "sys.change_tracking_databases": View(
        "database_id int, is_auto_cleanup_on tinyint?, retention_period int?,"
        " retention_period_units tinyint?, max_cleanup_version bigint?",
        _tracking_databases,
    ),
    "sys.fulltext_indexes": View(
        "object_id int, unique_index_id int, fulltext_catalog_id int?, is_enabled bit, change_tracking_state c(1)?,"
        " change_tracking_state_desc n(60)?, has_crawl_completed bit",
        _full_text,
    ),
    "sys.xml_indexes": View("object_id int, name name?, index_id int, type tinyint, type_desc n(60)?", _xml_indexes),
    "sys.spatial_indexes": View(
        "object_id int, name name?, index_id int, type tinyint, type_desc n(60)?", _spatial_indexes
    ),
    "sys.triggers": View(
        "name name, object_id int, parent_class tinyint, parent_class_desc n(60)?, parent_id int, type c(2), type_desc n(60)?,"
        " is_ms_shipped bit, is_disabled bit, is_not_for_replication bit, is_instead_of_trigger bit",
        _triggers,
    ),
    "sys.security_policies": View(
        "name name, object_id int, schema_id int, is_enabled bit, is_not_for_replication bit, is_schema_bound bit",
        _policies,
    ),
    "sys.security_predicates": View(
        "object_id int, security_predicate_id int, target_object_id int, predicate_definition n(max)?, predicate_type int?,"
        " predicate_type_desc n(60)?, operation int?, operation_desc n(60)?",
        _predicates,
    ),
    "sys.periods": View(
        "name name, period_type tinyint?, period_type_desc n(60)?, object_id int, start_column_id int, end_column_id int",
        _periods,
    ),
    "sys.views": View(OBJECT, _views),
    "sys.synonyms": View(OBJECT + ", base_object_name n(1035)?", no_rows),
    "sys.sql_expression_dependencies": View(
        "referencing_id int, referencing_minor_id int, referencing_class tinyint?, referencing_class_desc n(60)?,"
        " is_schema_bound_reference bit, referenced_class tinyint?, referenced_class_desc n(60)?, referenced_server_name name?,"
        " referenced_database_name name?, referenced_schema_name name?, referenced_entity_name name?, referenced_id int?,"
        " referenced_minor_id int, is_caller_dependent bit, is_ambiguous bit",
        _dependencies,
    ),
}
