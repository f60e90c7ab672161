"""From the rows of the catalogue queries to facts. Pure; each function takes what one query returned."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from dltsync_core.catalog.facts import ColumnFacts, Generated, PartitioningFacts, Slot, TableIndex
from dltsync_core.display import number_of
from dltsync_core.errors import CatalogError
from dltsync_core.identity import TableName
from dltsync_core.ranges import Boundary, Side, slots_of

Row: TypeAlias = Mapping[str, Any]
"""One row by column name."""

_GRAPH_INTERNAL = re.compile(r"(graph_id|from_obj_id|from_id|to_obj_id|to_id)_[0-9A-F]{32}", re.IGNORECASE)

_SYSTEM_ALIASES = frozenset({"sysname"})
"""Alias types of SQL Server itself; sys.types does not mark them as user-defined."""
_GENERATED: dict[int, Generated] = {0: "", 1: "row_start", 2: "row_end"}


def columns_by_table(rows: Iterable[Row], *, unmasked: bool) -> dict[int, tuple[ColumnFacts, ...]]:
    """columns.sql. With `unmasked` this login sees through masks, so no column counts as masked."""
    found: dict[int, list[ColumnFacts]] = defaultdict(list)
    for row in rows:
        found[row["object_id"]].append(_column(row, unmasked=unmasked))
    return {table: tuple(columns) for table, columns in found.items()}


def any_masked(rows: Iterable[Row]) -> bool:
    """Whether columns.sql found a masked column, so that the query for UNMASK is needed."""
    return any(row["is_masked"] for row in rows)


def indexes_by_table(rows: Iterable[Row]) -> dict[int, tuple[TableIndex, ...]]:
    """keys.sql: the indexes of each table, in the order of their ids."""
    columns: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        columns[row["object_id"], row["index_id"]].append(row)
    found: dict[int, list[TableIndex]] = defaultdict(list)
    for (table, _), mine in columns.items():
        index = TableIndex(
            name=mine[0]["index_name"],
            kind=mine[0]["type_desc"],
            keys=tuple((row["column_name"], bool(row["is_descending_key"])) for row in mine if row["key_ordinal"]),
            included=tuple(row["column_name"] for row in mine if not row["key_ordinal"]),
            is_unique=bool(mine[0]["is_unique"]),
            is_primary_key=bool(mine[0]["is_primary_key"]),
            has_filter=bool(mine[0]["has_filter"]),
        )
        found[table].append(index)
    return {table: tuple(indexes) for table, indexes in found.items()}


def keys_of(indexes: Iterable[TableIndex]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The primary key (empty without one) and all unique keys of all rows, the primary one included."""
    unique = [index for index in indexes if index.is_unique and not index.has_filter]
    names = {index: tuple(name for name, _ in index.keys) for index in unique}
    primary_key = next((names[index] for index in unique if index.is_primary_key), ())
    return primary_key, tuple(names[index] for index in unique)


def boundaries_by_function(rows: Iterable[Row]) -> dict[int, list[Boundary]]:
    """boundaries.sql, in the server's order."""
    found: dict[int, list[Boundary]] = defaultdict(list)
    for row in rows:
        found[row["function_id"]].append(Boundary(row["boundary_text"]))
    return dict(found)


def rows_by_partition(rows: Iterable[Row]) -> dict[int, dict[int, int]]:
    """partitions.sql: per table, approximate rows by partition number."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for row in rows:
        found[row["object_id"]][row["partition_number"]] = int(row["approx_rows"] or 0)
    return dict(found)


def partitioning_of(
    table: TableName,
    row: Row,
    columns: Sequence[ColumnFacts],
    boundaries: list[Boundary],
    approx_rows: Mapping[int, int],
) -> PartitioningFacts:
    """One row of partitioning.sql. Raises CatalogError when its column is not visible or the numbers of partitions and
    boundaries do not match."""
    column = next((c for c in columns if c.column_id == row["column_id"]), None)
    if column is None:
        raise CatalogError(
            f"{table}: the partitioning column is not visible to this login", remedy="grant SELECT on it"
        )
    side: Side = "right" if row["boundary_value_on_right"] else "left"
    ranges = slots_of([shortest_boundary(boundary, column.type_name) for boundary in boundaries], side)
    if approx_rows and len(approx_rows) != len(ranges):
        # SPLIT or MERGE between two of these queries.
        raise CatalogError(
            f"{table}: {number_of(len(approx_rows), 'partition')} but "
            f"{number_of(len(boundaries), 'boundary', 'boundaries')} in partition function "
            f"{row['function_name']}",
            remedy="the partition function was changed while it was read; run again",
        )
    slots = tuple(Slot(number, r, approx_rows.get(number, 0)) for number, r in enumerate(ranges, start=1))
    return PartitioningFacts(row["function_name"], row["scheme_name"], column, side, slots)


def _column(row: Row, *, unmasked: bool) -> ColumnFacts:
    declared = row["type_name"].lower()
    # An alias type has a system type as its base; a CLR type, the database's own or one of the system's, has none.
    is_alias = bool(row["is_user_defined"]) or declared in _SYSTEM_ALIASES
    base = (row["base_name"] or declared).lower() if is_alias else declared
    return ColumnFacts(
        name=row["column_name"],
        column_id=row["column_id"],
        type_name="rowversion" if base == "timestamp" else base,
        max_length=row["max_length"],
        precision=row["precision"],
        scale=row["scale"],
        collation=row["collation_name"],
        is_nullable=bool(row["is_nullable"]),
        is_identity=bool(row["is_identity"]),
        is_computed=bool(row["is_computed"]),
        is_hidden=bool(row["is_hidden"]),
        is_sparse=bool(row["is_sparse"]),
        is_column_set=bool(row["is_column_set"]),
        is_masked=bool(row["is_masked"]) and not unmasked,
        is_encrypted=row["encryption_type"] is not None,
        is_persisted=bool(row["is_persisted"]),
        is_filestream=bool(row["is_filestream"]),
        is_clr=bool(row["is_assembly_type"]),
        generated=_GENERATED.get(row["generated_always_type"] or 0, "transaction"),
        is_graph_internal=bool(row["is_hidden"]) and bool(_GRAPH_INTERNAL.fullmatch(row["column_name"])),
        alias_name=row["type_name"] if is_alias else None,
    )


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?(?: ?([+-]\d\d:\d\d))?")
_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d+))?")
_MIDNIGHT = "00:00:00"
_MOMENTS = frozenset({"datetime", "smalldatetime", "datetime2", "datetimeoffset"})


def shortest_boundary(boundary: Boundary, type_name: str) -> Boundary:
    """The boundary as its shortest text that loses nothing; as it is when its type has only one, or when it is NULL.

    Partition keys are made of it. The server writes a boundary with all the digits of the widest type; people read keys, and a
    key must not change when a server writes differently: midnight is the date alone, a fraction has no trailing zeros, T joins
    date and time.

    A datetimeoffset has its time even at midnight, and always its offset: without them it would be another value.
    """
    text = boundary.text
    if text is None:
        return boundary
    if type_name in _MOMENTS and (match := _MOMENT.fullmatch(text)):
        day, time, fraction, offset = match.groups()
        clock = _trimmed(time, fraction)
        return Boundary(day if clock == _MIDNIGHT and offset is None else f"{day}T{clock}{offset or ''}")
    if type_name == "time" and (match := _TIME.fullmatch(text)):
        return Boundary(_trimmed(match[1], match[2]))
    return boundary


def _trimmed(time: str, fraction: str | None) -> str:
    digits = (fraction or "").rstrip("0")
    return f"{time}.{digits}" if digits else time
