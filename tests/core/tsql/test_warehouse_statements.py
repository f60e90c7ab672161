"""Every statement that a SQL Server warehouse gets, as a file a person can read: tests/golden/tsql_warehouse/<case>.sql."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import TableName
from dltsync_core.ranges import Boundary, PartitionRange, slots_of
from dltsync_core.tsql.conditions import slot_condition
from dltsync_core.tsql.fragments import Sql, Statement, join, transaction_of
from dltsync_core.tsql.values import as_text
from dltsync_core.tsql.warehouse import (
    constraints,
    locks,
    markers,
    publish,
    rebuild,
    removal,
    replaced,
    tables,
    versions,
)
from dltsync_core.tsql.warehouse import partitioning as partitioning_ddl
from dltsync_core.tsql.warehouse.publish import PartitionSpan, RowCopy
from dltsync_core.tsql.warehouse.tables import IndexShape, PlacedOn, TargetColumn
from dltsync_core.tsql.warehouse.versions import ChangedVersion, HistoryTable
from tests.support.table_facts import column

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "tsql_warehouse"

TARGET = TableName("sales", "odd ]name")
IN, OUT = TableName("_dltsync_staging", "0123_in"), TableName("_dltsync_staging", "0123_out")
MARKERS = TableName("_dltsync", "markers")
REPLACED, SAVED = TableName("_dltsync", "replaced_rows"), TableName("_dltsync", "replaced_markers")
DAY = column("day", "date", is_nullable=False)
NUMBER = column("id", "int", is_nullable=False)
CODE = column("code's", "nvarchar", is_nullable=False)
LONG = column("long", "nvarchar", max_length=-1)
COPY = RowCopy(IN, ("id", "day", "code's"), 1234)
HISTORY = HistoryTable(
    TARGET,
    (NUMBER, column("code's", "nvarchar"), LONG),
    column("from]", "datetime2", scale=7, is_nullable=False),
    column("to", "datetimeoffset", scale=7),
    column("is latest", "bit"),
)
DATES = HistoryTable(TARGET, (NUMBER,), DAY, column("until", "smalldatetime"), column("latest", "int"))
CHANGE = ChangedVersion(
    ("1", "it's", None), "2024-01-01 00:00:00.0000001", None, True, "2024-02-01 00:00:00.0000000 +00:00", False
)
LOCK = locks.take_transaction_lock("dltsync:ab'c", 0)
PLACED = PlacedOn("ps]x", "day")
SPAN_COLUMNS = {
    "binary": column("b", "binary", is_nullable=False),
    "guid": column("g", "uniqueidentifier", is_nullable=False),
    "text": CODE,
}
ROW: dict[str, str | int | None] = {
    **dict.fromkeys(markers.COLUMNS),
    "pipeline": "nightly",
    "target_schema": "sales",
    "target_table": "odd ]name",
    "unit": "[2024-01-01,2024-02-01)",
    "load_id": "20240101T000000000000Z-0a1b2c3d",
    "fence": 7,
    "rows": 1234,
    "probe_rows": 1234,
    "probe_signature": "it's one",
}


def _span(
    bounds: list[str | None], number: int, *, side: str = "right", by: ColumnFacts = DAY, count: int = 1
) -> PartitionSpan:
    ranges = slots_of([Boundary(text) for text in bounds], "right" if side == "right" else "left")
    return PartitionSpan("pf]x", by, ranges[number], count)


def _range(bounds: list[str | None], number: int, *, side: str = "right") -> PartitionRange:
    return slots_of([Boundary(text) for text in bounds], "right" if side == "right" else "left")[number]


def _batch(*sections: Sql) -> Statement:
    return publish.publish_batch(LOCK, sections, lock_timeout_ms=3000, lock_timeout_after_ms=30_000)


def _condition(span: PartitionSpan) -> Sql | None:
    return slot_condition(span.column, span.range)


MONTHS: list[str | None] = ["2024-01-01", "2024-02-01"]
WRITE = markers.write_marker(MARKERS, "a" * 64, ROW, gone=["b" * 64], void=["c" * 64, "d" * 64])
GUARD = markers.refuse_late_writer(MARKERS, "a" * 64, 7)

CASES: dict[str, Callable[[], Statement]] = {
    "create_schema": lambda: tables.create_schema("it's ]a"),
    "create_table": lambda: tables.create_table(
        TARGET,
        [TargetColumn("id", "int", False), TargetColumn("name", "nvarchar(50)", True, "Latin1_General_CI_AS")],
        primary_key=("id",),
    ),
    "create_table_on_a_scheme": lambda: tables.create_table(
        TARGET, [TargetColumn("day", "date", False)], placed=PLACED, primary_key=("day",)
    ),
    "create_staging_heap_with_compressed_partitions": lambda: tables.create_table(
        IN, [TargetColumn("day", "date", False)], placed=PLACED, compression=((1, "PAGE"), (2, "ROW"), (3, "PAGE"))
    ),
    "create_index_clustered": lambda: tables.create_index(
        IN, 1, IndexShape(True, keys=(("day", False), ("id", True)), compression=((2, "PAGE"),)), PLACED
    ),
    "create_index_with_included_columns": lambda: tables.create_index(
        IN, 2, IndexShape(False, is_unique=True, keys=(("id", False),), included=("day", "code's")), PLACED
    ),
    "create_index_primary_key": lambda: tables.create_index(
        IN, 1, IndexShape(True, is_unique=True, is_primary_key=True, keys=(("id", False), ("day", False))), PLACED
    ),
    "create_index_unique_constraint": lambda: tables.create_index(
        IN, 3, IndexShape(False, is_unique=True, is_unique_constraint=True, keys=(("id", False),)), None
    ),
    "create_index_with_a_name": lambda: tables.create_index(
        TARGET, 4, IndexShape(False, keys=(("day", True),), included=("id",)), PLACED, named="by ]day"
    ),
    "create_key_with_a_name": lambda: tables.create_index(
        TARGET,
        1,
        IndexShape(True, is_unique=True, is_primary_key=True, keys=(("id", False), ("day", False))),
        PLACED,
        named="pk ]orders",
    ),
    "create_table_with_its_indexes": lambda: transaction_of(
        [
            tables.create_table(TARGET, [TargetColumn("day", "date", False)], placed=PLACED, primary_key=["day"]),
            tables.create_index(TARGET, 1, IndexShape(False, keys=(("day", False),)), PLACED, named="by day"),
        ]
    ),
    "create_index_columnstore": lambda: tables.create_index(
        IN, 1, IndexShape(True, is_columnstore=True, compression=((1, "COLUMNSTORE_ARCHIVE"),)), PLACED
    ),
    "create_table_on_a_filegroup": lambda: tables.create_table(
        TARGET, [TargetColumn("day", "date", False)], placed=PlacedOn("fast ]1"), compression=((1, "PAGE"),)
    ),
    "compress_row_groups": lambda: tables.compress_row_groups(IN),
    "create_table_with_large_values_on_a_filegroup": lambda: tables.create_table(
        IN,
        [TargetColumn("day", "date", False), TargetColumn("note", "nvarchar(max)", True)],
        placed=PlacedOn("fast ]1", with_large_values=True),
    ),
    "add_check": lambda: constraints.add_check(IN, "([id]>(0) AND [note]<>N'it''s')"),
    "add_range_check_right": lambda: constraints.add_range_check(IN, DAY, _range(MONTHS, 1)),
    "add_range_check_left_nullable": lambda: constraints.add_range_check(
        IN, column("n]o", "decimal", precision=9, scale=2), _range(["1.50", "2.25"], 2, side="left")
    ),
    "add_range_check_of_text_with_nulls": lambda: constraints.add_range_check(
        IN, column("code's", "nvarchar"), _range(["it's"], 0)
    ),
    "add_foreign_key": lambda: constraints.add_foreign_key(IN, ("id", "code's"), TARGET, ("k]1", "k2")),
    "replaced_create": lambda: replaced.create_tables(REPLACED, SAVED),
    "replaced_select": lambda: replaced.select_records(REPLACED),
    "replaced_select_marker_ids": lambda: replaced.select_marker_ids(SAVED, "a" * 64),
    "replaced_forget": lambda: replaced.forget_rows(REPLACED, SAVED, MARKERS, "a" * 64, "load's"),
    "replaced_delete": lambda: replaced.delete_records(REPLACED, SAVED, ["a" * 64, "b" * 64]),
    "publish_switch_with_rows_kept": lambda: _batch(
        GUARD,
        replaced.keep_rows(
            REPLACED,
            SAVED,
            MARKERS,
            {**dict.fromkeys(replaced.COLUMNS), "unit": "it's one", "staging_table": "0123_out"},
            ["a" * 64, "b" * 64],
        ),
        WRITE,
        publish.switch_partitions(TARGET, IN, OUT, _span(MONTHS, 1)),
    ),
    "publish_switch_back": lambda: _batch(
        replaced.check_record(REPLACED, MARKERS, "a" * 64, "load's"),
        publish.switch_partitions(TARGET, OUT, IN, _span(MONTHS, 1)),
        replaced.restore_markers(REPLACED, SAVED, MARKERS, "a" * 64, "load's", ["a" * 64, "b" * 64]),
    ),
    "publish_switch_tables_without_partitions": lambda: _batch(
        publish.switch_whole_tables(TARGET, IN, OUT, _span(MONTHS, 1))
    ),
    "history_open_marker": lambda: versions.open_marker(HISTORY),
    "history_steps": lambda: versions.steps(HISTORY),
    "history_without_start": lambda: versions.without_start(HISTORY),
    "history_suspects": lambda: versions.suspects(HISTORY, 100),
    "history_suspects_of_dates": lambda: versions.suspects(DATES, 86_400_000_000_000),
    "history_create_changes": lambda: versions.create_changes(HISTORY, IN),
    "history_insert_changes": lambda: versions.insert_changes(HISTORY, IN, [CHANGE, CHANGE]),
    "publish_history_changes": lambda: _batch(versions.apply_changes(HISTORY, IN, 2)),
    "add_columns": lambda: tables.add_columns(
        TARGET, [TargetColumn("a", "int", True), TargetColumn("b", "nvarchar(max)", True, "Latin1_General_BIN2")]
    ),
    "alter_column": lambda: tables.alter_column(
        TARGET, TargetColumn("a", "nvarchar(60)", False, "Latin1_General_CI_AS")
    ),
    "drop_index": lambda: tables.drop_index(TARGET, "by ]day"),
    "drop_constraint": lambda: constraints.drop_constraint(TARGET, "it's ]one"),
    "drop_table": lambda: tables.drop_table(TARGET),
    "truncate_table": lambda: tables.truncate_table(OUT),
    "create_partition_function_right": lambda: partitioning_ddl.create_partition_function(
        "pf]x", DAY, "date", "right", [Boundary(text) for text in MONTHS]
    ),
    "create_partition_function_left_null": lambda: partitioning_ddl.create_partition_function(
        "pf]x", CODE, "nvarchar(50)", "left", [Boundary(None), Boundary("it's")]
    ),
    "create_partition_function_binary": lambda: partitioning_ddl.create_partition_function(
        "pf", SPAN_COLUMNS["binary"], "binary(16)", "right", [Boundary("0x00FF")]
    ),
    "create_partition_scheme": lambda: partitioning_ddl.create_partition_scheme("ps]x", "pf]x", "PRIMARY"),
    "next_used": lambda: partitioning_ddl.set_next_used("ps]x", "PRIMARY"),
    "partition_number": lambda: partitioning_ddl.partition_number("pf]x", DAY, Boundary("2024-03-01")),
    "split_range": lambda: partitioning_ddl.split_range("pf]x", DAY, Boundary("2024-03-01")),
    "merge_range": lambda: partitioning_ddl.merge_range("pf]x", DAY, Boundary("2024-03-01")),
    "publish_switch_out": lambda: _batch(
        removal.switch_partitions_out(TARGET, OUT, _span(["2024-01-01", "2024-03-01"], 0, count=2)),
        removal.forget_units(MARKERS, REPLACED, SAVED, ["a" * 64, "b" * 64]),
    ),
    "publish_truncate_without_rows_in_place": lambda: _batch(
        publish.empty_partitions(TARGET, _span(MONTHS, 0, side="left"))
    ),
    "publish_delete_without_rows_in_place": lambda: _batch(
        publish.delete_range(TARGET, _condition(_span(MONTHS, 0)), exclusive=False),
        removal.forget_units(MARKERS, REPLACED, SAVED, ["a" * 64]),
    ),
    "copy_rows_with_conversions": lambda: publish.copy_rows(IN, [("id", as_text(NUMBER)), ("day", as_text(DAY))], OUT),
    "insert_row": lambda: publish.insert_row(
        IN, [("id", "int"), ("code's", "nvarchar(50)"), ("at", "datetime"), ("when", "datetime2(7)")]
    ),
    "lock_session": lambda: locks.take_session_lock("dltsync:ab", 600_000),
    "lock_release": lambda: locks.release_session_lock("dltsync:ab"),
    "markers_create": lambda: markers.create_markers(MARKERS),
    "markers_select": lambda: markers.select_markers(MARKERS, ("sales", "orders")),
    "markers_delete": lambda: markers.delete_markers(MARKERS, ("sales", "orders")),
    "publish_switch_middle_right": lambda: _batch(
        GUARD, WRITE, publish.switch_partitions(TARGET, IN, OUT, _span(MONTHS, 1))
    ),
    "publish_switch_first_left": lambda: _batch(
        publish.switch_partitions(TARGET, IN, OUT, _span(MONTHS, 0, side="left"))
    ),
    "publish_switch_last_right": lambda: _batch(publish.switch_partitions(TARGET, IN, OUT, _span(MONTHS, 2))),
    "publish_switch_over_a_boundary_of_the_target": lambda: _batch(
        publish.switch_partitions(TARGET, IN, OUT, _span(["2024-01-01", "2024-03-01"], 1, count=2))
    ),
    "publish_switch_only_partition": lambda: _batch(publish.switch_partitions(TARGET, IN, OUT, _span([], 0))),
    "publish_switch_null_boundary": lambda: _batch(
        publish.switch_partitions(TARGET, IN, OUT, _span([None, "10"], 1, by=column("n", "int")))
    ),
    "publish_switch_binary": lambda: _batch(
        publish.switch_partitions(TARGET, IN, OUT, _span(["0x00", "0xFF"], 1, by=SPAN_COLUMNS["binary"]))
    ),
    "publish_switch_text": lambda: _batch(publish.switch_partitions(TARGET, IN, OUT, _span(["a", "b'"], 1, by=CODE))),
    "publish_switch_guid": lambda: _batch(
        publish.switch_partitions(
            TARGET, IN, OUT, _span(["6F9619FF-8B86-D011-B42D-00C04FC964FF"], 1, by=SPAN_COLUMNS["guid"])
        )
    ),
    "publish_switch_table": lambda: _batch(GUARD, WRITE, publish.switch_table(TARGET, IN, OUT)),
    "publish_replace_range": lambda: _batch(
        publish.replace_range(TARGET, _condition(_span(MONTHS, 1)), COPY, exclusive=False)
    ),
    "publish_replace_range_without_row_versions": lambda: _batch(
        publish.replace_range(TARGET, _condition(_span(MONTHS, 0)), COPY, exclusive=True)
    ),
    "publish_replace_range_from_shared_staging": lambda: _batch(
        publish.replace_range(
            TARGET,
            _condition(_span(MONTHS, 1)),
            RowCopy(IN, ("id", "day"), 5, condition=_condition(_span(MONTHS, 1))),
            exclusive=False,
        )
    ),
    "publish_replace_all_with_identity": lambda: _batch(
        publish.replace_range(TARGET, None, RowCopy(IN, ("id",), 1, with_identity=True), exclusive=False)
    ),
    "publish_truncate_partitions": lambda: _batch(publish.truncate_partitions(TARGET, _span(MONTHS, 1), COPY)),
    "publish_truncate_table": lambda: _batch(publish.truncate_and_insert(TARGET, COPY)),
    "publish_merge": lambda: _batch(
        publish.merge_rows(TARGET, COPY, [NUMBER, CODE]),
        publish.count_into_rows(TARGET),
        markers.write_marker(MARKERS, "a" * 64, ROW, counted=True),
    ),
    "publish_merge_of_keys_alone": lambda: _batch(
        publish.merge_rows(TARGET, RowCopy(IN, ("id", "long"), 2, with_identity=True), [NUMBER, LONG])
    ),
    "publish_rebuilt_table": lambda: _batch(
        rebuild.replace_table(
            TARGET,
            IN,
            [
                tables.create_table(TARGET, [TargetColumn("day", "date", False)], placed=PLACED),
                constraints.add_check(TARGET, "([day]>'2020-01-01')", named="it's ]one"),
                constraints.add_foreign_key(TARGET, ["day"], TableName("dbo", "days"), ["day"], named="to days"),
            ],
            3,
        )
    ),
    "copy_partition": lambda: rebuild.copy_partition(
        TARGET, IN, ["id", "day", "code's"], slot_condition(DAY, _range(MONTHS, 1))
    ),
    "publish_two_units": lambda: publish.publish_batch(
        join("", [LOCK, LOCK]),
        [
            publish.switch_partitions(TARGET, IN, OUT, _span(MONTHS, 1)),
            publish.switch_partitions(TARGET, IN, OUT, _span(MONTHS, 2)),
        ],
        lock_timeout_ms=5000,
        lock_timeout_after_ms=30_000,
    ),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_statement_is_the_golden_one(case: str) -> None:
    """To accept a change: DLTSYNC_WRITE_GOLDEN=1, then read the difference."""
    statement = CASES[case]()
    assert statement.parameters == (), "a batch that holds DDL takes no parameters"
    shown = f"{statement.text}\n"
    file = GOLDEN / f"{case}.sql"
    if os.environ.get("DLTSYNC_WRITE_GOLDEN"):
        file.write_text(shown, encoding="utf-8")
        pytest.fail(f"wrote {file.name}; run again without DLTSYNC_WRITE_GOLDEN")
    assert shown == file.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.sql")} == set(CASES)
