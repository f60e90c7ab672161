"""System views about indexes and their columns."""

from __future__ import annotations

from sqlserver_sandbox.engine.sysviews.declaration import Source, View
from sqlserver_sandbox.engine.sysviews.features import indexed_view_id
from sqlserver_sandbox.tsql.catalogue import Index, Table

VIEW_INDEX = Index(1, "sandbox_feature", unique=True)
"""The index of an indexed view that is declared as a feature of its table."""


def _kind(index: Index) -> tuple[int, str]:
    """type and type_desc of sys.indexes."""
    if index.index_id == 0:
        return 0, "HEAP"
    if index.columnstore:
        return (5, "CLUSTERED COLUMNSTORE") if index.index_id == 1 else (6, "NONCLUSTERED COLUMNSTORE")
    return (1, "CLUSTERED") if index.index_id == 1 else (2, "NONCLUSTERED")


def _indexes(source: Source) -> list[tuple[object, ...]]:
    rows = [_index_row(t, i) for t in source.database.tables for i in t.indexes]
    return rows + [
        _index_row(t, VIEW_INDEX, indexed_view_id(t)) for t in source.database.tables if t.features.indexed_view
    ]


def _index_row(table: Table, index: Index, object_id: int = 0) -> tuple[object, ...]:
    number, words = _kind(index)
    return (
        object_id or table.object_id,
        index.name,
        index.index_id,
        number,
        words,
        index.unique,
        index.data_space_id,
        False,
        index.key_kind == "PK",
        index.key_kind == "UQ",
        0,
        False,
        index.is_disabled,
        False,
        True,
        True,
        index.filter_text is not None,
        index.filter_text,
        False,
        False,
        0,
    )


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


def _statistics(source: Source) -> list[tuple[object, ...]]:
    """Each index has statistics of its own name and number; the sandbox makes no others."""
    return [
        (t.object_id, i.name, i.index_id, False, False, False, i.filter_text is not None, i.filter_text, False, False)
        for t in source.database.tables
        for i in t.indexes
        if i.index_id
    ]


def _statistics_columns(source: Source) -> list[tuple[object, ...]]:
    return [
        (t.object_id, i.index_id, number, column.column_id)
        for t in source.database.tables
        for i in t.indexes
        if i.index_id
        for number, column in enumerate(i.key_columns, 1)
    ]


VIEWS = {
    "sys.indexes": View(
        "object_id int, name name?, index_id int, type tinyint, type_desc n(60)?,"
        " is_unique bit?, data_space_id int?, ignore_dup_key bit?,"
        " is_primary_key bit?, is_unique_constraint bit?, fill_factor tinyint,"
        " is_padded bit?, is_disabled bit?, is_hypothetical bit?,"
        " allow_row_locks bit?, allow_page_locks bit?, has_filter bit?, filter_definition n(max)?, auto_created bit?,"
        " optimize_for_sequential_key bit?, compression_delay int?",
        _indexes,
    ),
    "sys.index_columns": View(
        "object_id int, index_id int, index_column_id int, column_id int, key_ordinal tinyint, partition_ordinal tinyint,"
        " is_descending_key bit?, is_included_column bit?, column_store_order_ordinal tinyint",
        _index_columns,
    ),
    "sys.stats": View(
        "object_id int, name n(128)?, stats_id int, auto_created bit?, user_created bit?, no_recompute bit?, has_filter bit?,"
        " filter_definition n(max)?, is_temporary bit?, is_incremental bit?",
        _statistics,
    ),
    "sys.stats_columns": View(
        "object_id int, stats_id int, stats_column_id int, column_id int?",
        _statistics_columns,
    ),
}
