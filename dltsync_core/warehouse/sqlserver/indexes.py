"""Which of the source's indexes a table gets that is made: a pure decision.

They lie on the table's partition scheme, so that staging can have the same and rows can be switched. Every index that stands
against switching, or against a load that the source's rows allow, is left out, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dltsync_core.catalog.facts import TableIndex
from dltsync_core.catalog.targets import NONCLUSTERED
from dltsync_core.tsql.warehouse.tables import IndexShape, TargetColumn
from dltsync_core.typemap.mapping import SQL_TYPE_KEY
from dltsync_core.warehouse.port import TargetLayout
from dltsync_core.warehouse.sqlserver.columns import target_column

_WIDEST_KEY_BYTES = 1700
"""Of a nonclustered index."""
_LARGE = "(max)"
_CODE_PAGE_TEXT = ("char", "varchar", "text")
_SQL_COLLATION = "SQL_"
"""How the names of those collations begin that compare code page text by other rules than Unicode."""


@dataclass(frozen=True)
class PlannedIndexes:
    """The indexes that are made, by their names, and a sentence for each that is left out."""

    made: tuple[tuple[str, IndexShape], ...]
    left_out: tuple[str, ...]


def plan_indexes(layout: TargetLayout, schema: pa.Schema) -> PlannedIndexes:
    """From the source's indexes, for a table with the columns of `schema`. The primary key is made with the table."""
    made: list[tuple[str, IndexShape]] = []
    left_out: list[str] = []
    for index in layout.indexes:
        if index.is_primary_key:
            continue
        reason = _reason_against(index, layout, schema)
        if reason is not None:
            left_out.append(f"the warehouse table is made without the source's index {index.name}: {reason}")
            continue
        names = {field.name.casefold(): field.name for field in schema}
        shape = IndexShape(
            is_clustered=False,
            is_unique=index.is_unique,
            keys=tuple((names[key.casefold()], descends) for key, descends in index.keys),
            included=tuple(names[name.casefold()] for name in index.included),
        )
        made.append((index.name, shape))
    return PlannedIndexes(tuple(made), tuple(left_out))


def key_bytes(declared: str) -> int:
    """At most so many bytes of an index key has a value of that declared type, which is not a (max) type."""
    base, _, size = declared.rstrip(")").partition("(")
    if base in {"nchar", "nvarchar"}:
        return 2 * int(size)
    return int(size) if base in {"char", "varchar", "binary", "varbinary"} else 17


def _reason_against(index: TableIndex, layout: TargetLayout, schema: pa.Schema) -> str | None:
    if index.kind != NONCLUSTERED:
        return f"it is a {index.kind.lower()} index, and nonclustered rowstore indexes are copied"
    if index.has_filter:
        return (
            "it is filtered, and staging tables have no filtered indexes, so that rows could not be switched in (4947)"
        )
    fields = {field.name.casefold(): field for field in schema}
    missing = [name for name in (*(key for key, _ in index.keys), *index.included) if name.casefold() not in fields]
    if missing:
        return f"column {missing[0]} is not loaded"
    keys = [fields[key.casefold()] for key, _ in index.keys]
    columns = [target_column(field) for field in keys]
    if large := next((column for column in columns if _LARGE in column.type), None):
        return f"its key {large.name} is {large.type} in the warehouse, which cannot be the key of an index (1919)"
    if (size := sum(key_bytes(column.type) for column in columns)) > _WIDEST_KEY_BYTES:
        return f"its key may have {size:,} bytes in the warehouse, and an index takes {_WIDEST_KEY_BYTES:,} (1946)"
    return _reason_against_unique(index, layout, list(zip(keys, columns, strict=True))) if index.is_unique else None


def _reason_against_unique(
    index: TableIndex, layout: TargetLayout, keys: list[tuple[pa.Field[Any], TargetColumn]]
) -> str | None:
    partitioning = layout.partitioning
    if partitioning is not None and partitioning.column.name.casefold() not in {k.casefold() for k, _ in index.keys}:
        return (
            f"it is unique, and a unique index on the partition scheme has the partition column "
            f"{partitioning.column.name} in its key (1908)"
        )
    if layout.is_merged:
        return "it is unique, and a row that was deleted at the source may still be in the warehouse"
    for field, column in keys:
        declared = (field.metadata or {}).get(SQL_TYPE_KEY, b"").decode()
        code_page = declared.partition("(")[0] in _CODE_PAGE_TEXT
        if code_page and (column.collation or "").startswith(_SQL_COLLATION):
            return f"it is unique, and {column.collation} compares {column.name} by other rules in the warehouse, as Unicode"
    return None
