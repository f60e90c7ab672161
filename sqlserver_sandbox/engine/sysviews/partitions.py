"""System views about partitioning. Row counts are counted, so they are exact."""

from __future__ import annotations

from sqlserver_sandbox.engine.sysviews.declaration import Source, View, stored_time
from sqlserver_sandbox.tsql.bind.conversions import variant_tag
from sqlserver_sandbox.tsql.catalogue import Index, Table
from sqlserver_sandbox.tsql.types import SYSTEM_TYPE_ID, catalogue_sizes

_PAGE_BYTES = 8060
_COMPRESSIONS = ("NONE", "ROW", "PAGE", "COLUMNSTORE", "COLUMNSTORE_ARCHIVE")


def _functions(source: Source) -> list[tuple[object, ...]]:
    return [
        (f.name, f.function_id, "R ", "RANGE", f.fanout, f.right, False, stored_time(f.created), stored_time(f.created))
        for f in source.database.functions
    ]


def _parameters(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for f in source.database.functions:
        number = SYSTEM_TYPE_ID[f.type.name]
        rows.append((f.function_id, 1, number, *catalogue_sizes(f.type), f.type.collation, number))
    return rows


def _schemes(source: Source) -> list[tuple[object, ...]]:
    return [
        (s.name, s.data_space_id, "PS", "PARTITION_SCHEME", False, False, s.function_id)
        for s in source.database.schemes
    ]


def _range_values(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for f in source.database.functions:
        for number, value in enumerate(f.boundaries, 1):
            text = None if value is None else value if isinstance(value, str) else str(value).lower()
            rows.append((f.function_id, number, 1, None if text is None else (variant_tag(f.type), text)))
    return rows


def _destinations(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for s in source.database.schemes:
        fanout = source.database.function_by_id(s.function_id).fanout
        groups = [source.database.filegroup_of(s.data_space_id, n) for n in range(1, fanout + 1)]
        groups += [s.next_filegroup] if s.next_used else []
        rows.extend((s.data_space_id, n, group) for n, group in enumerate(groups, 1))
    return rows


def partition_id(table: Table, index: Index, number: int) -> int:
    """A number of its own for each partition of each index."""
    return (table.object_id << 24) + (index.index_id << 14) + number


def _counted(source: Source) -> list[tuple[Table, Index, int, int]]:
    """(table, index, partition number, rows)."""
    found = []
    for table in source.database.tables:
        counts = source.facts.count_rows(source.database, table)
        for index in table.indexes:
            same = index.data_space_id == table.base.data_space_id
            for number, rows in enumerate(counts if same else [sum(counts)], 1):
                found.append((table, index, number, rows))
    return found


def _partitions(source: Source) -> list[tuple[object, ...]]:
    return [
        (
            partition_id(t, i, n),
            t.object_id,
            i.index_id,
            n,
            partition_id(t, i, n),
            rows,
            0,
            _COMPRESSIONS.index(i.compression_of(n)),
            i.compression_of(n),
            False,
            "OFF",
        )
        for t, i, n, rows in _counted(source)
    ]


def _stats(source: Source) -> list[tuple[object, ...]]:
    out: list[tuple[object, ...]] = []
    for t, i, n, rows in _counted(source):
        pages = -(-rows * sum(max(catalogue_sizes(c.type)[0], 8) for c in t.columns) // _PAGE_BYTES)
        out.append(
            (partition_id(t, i, n), t.object_id, i.index_id, n, pages, pages, pages, 0, 0, 0, 0, pages, pages, rows)
        )
    return out


VIEWS = {
    "sys.partition_functions": View(
        "name name, function_id int, type c(2), type_desc n(60)?, fanout int,"
        " boundary_value_on_right bit, is_system bit, create_date datetime,"
        " modify_date datetime",
        _functions,
    ),
    "sys.partition_parameters": View(
        "function_id int, parameter_id int, system_type_id tinyint, max_length smallint, precision tinyint, scale tinyint,"
        " collation_name name?, user_type_id int",
        _parameters,
    ),
    "sys.partition_schemes": View(
        "name name, data_space_id int, type c(2), type_desc n(60)?, is_default bit?, is_system bit?, function_id int",
        _schemes,
    ),
    "sys.partition_range_values": View(
        "function_id int, boundary_id int, parameter_id int, value variant?", _range_values
    ),
    "sys.destination_data_spaces": View(
        "partition_scheme_id int, destination_id int, data_space_id int", _destinations
    ),
    "sys.partitions": View(
        "partition_id bigint, object_id int, index_id int, partition_number int,"
        " hobt_id bigint, rows bigint?, filestream_filegroup_id smallint,"
        " data_compression tinyint, data_compression_desc n(60)?, xml_compression bit?, xml_compression_desc v(3)?",
        _partitions,
    ),
    "sys.dm_db_partition_stats": View(
        "partition_id bigint?, object_id int, index_id int, partition_number int,"
        " in_row_data_page_count bigint?, in_row_used_page_count bigint?,"
        " in_row_reserved_page_count bigint?, lob_used_page_count bigint?,"
        " lob_reserved_page_count bigint?, row_overflow_used_page_count bigint?,"
        " row_overflow_reserved_page_count bigint?, used_page_count bigint?, reserved_page_count bigint?, row_count bigint?",
        _stats,
    ),
}
