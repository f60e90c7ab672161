"""Every statement that is sent, as a file a person can read: tests/golden/tsql/<case>.sql."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts
from dltsync_core.catalog.queries import query_for
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.connect.connection_string import session_settings
from dltsync_core.extract.buckets import BucketedUnit, rows_of_buckets
from dltsync_core.extract.unit import UnitFilter
from dltsync_core.identity import TableName
from dltsync_core.ranges import Side
from dltsync_core.tsql import permissions
from dltsync_core.tsql.buckets import Buckets, digest_by_bucket
from dltsync_core.tsql.collations import TextPair, compare_texts
from dltsync_core.tsql.column_stats import summarise
from dltsync_core.tsql.conditions import is_null, retention_condition, slot_condition, stamped_window, window_condition
from dltsync_core.tsql.digest import digest_by_slot, digest_rows
from dltsync_core.tsql.fragments import Sql, Statement, join
from dltsync_core.tsql.probes import (
    checksum_table,
    count_by_slot,
    rowversion_by_slot,
    rowversions,
    slot_number,
)
from dltsync_core.tsql.select import count_rows, select_rows
from dltsync_core.tsql.session import BEGIN_SNAPSHOT, END_SNAPSHOT, OPEN_TRANSACTIONS, open_transactions, view_facts
from dltsync_core.tsql.slices import KeyText, after_key, in_key_order, key_at, upto_key
from dltsync_core.typemap import map_columns
from dltsync_core.typemap.column_stats import stats_columns
from tests.support.table_facts import column, partitioned, table

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "tsql"

DEPARTURE = column("departs_at", "datetime2", 2, scale=0, is_nullable=False)
MODIFIED = column("LastModified", "datetime2", 5)
VERSION = column("rv", "rowversion", 6, is_nullable=False)
FLIGHTS = table(column("id", "int", is_nullable=False), DEPARTURE, column("odd ]name", "nvarchar", 3), name="flights")
MONTHS = ["2013-01-01 00:00:00", "2013-02-01 00:00:00"]

ALL_TYPES = table(
    column("a_bit", "bit", 1),
    column("a_tinyint", "tinyint", 2),
    column("a_decimal", "decimal", 3),
    column("a_money", "money", 4),
    column("a_float", "float", 5),
    column("a_real", "real", 6),
    column("a_date", "date", 7),
    column("a_datetime", "datetime", 8),
    column("a_smalldatetime", "smalldatetime", 9),
    column("a_datetime2_3", "datetime2", 10, scale=3),
    column("a_datetime2_7", "datetime2", 11),
    column("a_time_3", "time", 12, scale=3),
    column("a_time_7", "time", 13),
    column("an_offset", "datetimeoffset", 14),
    column("a_char", "char", 15),
    column("a_nvarchar", "nvarchar", 16),
    column("a_varchar_max", "varchar", 17, max_length=-1),
    column("a_binary", "binary", 18),
    column("a_varbinary_max", "varbinary", 19, max_length=-1),
    column("a_guid", "uniqueidentifier", 20),
    column("a_rowversion", "rowversion", 21, is_nullable=False),
    column("an_xml", "xml", 22, max_length=-1),
    column("a_text", "text", 23, max_length=16),
    column("an_ntext", "ntext", 24, max_length=16),
    column("an_image", "image", 25, max_length=16),
    column("a_json", "json", 26, max_length=-1),
    column("a_path", "hierarchyid", 27, max_length=892, is_clr=True),
    column("a_shape", "geometry", 28, max_length=-1, is_clr=True),
    column("a_place", "geography", 29, max_length=-1, is_clr=True),
    column("a_variant", "sql_variant", 30, max_length=8016),
    column("a_vector", "vector", 31, max_length=20),
    column("a_utf8", "varchar", 32, collation="Latin1_General_100_CI_AS_SC_UTF8"),
    name="all types",
    schema="dbo",
)


def _mapping(representation: str | None = None) -> Statement:
    config = StaticTableConfig(
        table_name="all types",
        column_representation={
            "a_variant": "text",
            "a_vector": "text",
            **({"a_datetime2_7": representation} if representation else {}),
        },
    )
    return select_rows(ALL_TYPES.name, map_columns(ALL_TYPES, config), None)


def _chosen() -> Statement:
    """Every representation that has to be asked for."""
    kept = {"a_char": "bytes", "a_nvarchar": "bytes", "a_varchar_max": "bytes", "a_text": "bytes", "an_ntext": "bytes"}
    kept |= {"a_path": "bytes", "a_shape": "wkb", "a_place": "text", "an_offset": "utc", "a_time_7": "microseconds"}
    config = StaticTableConfig(table_name="all types", include_columns=list(kept), column_representation=kept)
    return select_rows(ALL_TYPES.name, map_columns(ALL_TYPES, config), None)


def _slot(side: str, number: int) -> Statement:
    by = column("departs_at", "datetime2", 2, scale=0)
    facts = partitioned(by, list(MONTHS), "right" if side == "right" else "left")
    mapping = map_columns(table(by, name="flights", partitioning=facts), PartitionTableConfig(table_name="flights"))
    return select_rows(FLIGHTS.name, mapping, slot_condition(by, facts.slots[number - 1].range))


def _increment() -> Statement:
    columns = [column("k", "int", 1), column("EffectiveDate", "datetime2", 2), column("EndDate", "datetime2", 3)]
    versions = table(*columns, column("IsLatest", "bit", 4), MODIFIED, name="versions")
    config = SCDTableConfig(table_name="versions", business_key_columns=["k"], last_modified_column="LastModified")
    condition = window_condition(MODIFIED, "2024-01-01 00:00:00.1234567", "2024-01-02 00:00:00.0000000")
    return select_rows(versions.name, map_columns(versions, config), condition)


NUMBER = column("No", "bigint", is_nullable=False)
CODE = column("Code", "nvarchar", 2, is_nullable=True)
WHEN = column("At", "datetime2", 3, is_nullable=False)
READINGS = table(NUMBER, CODE, WHEN, column("Value", "decimal", 4), name="Readings")


def _slice(key: Sequence[ColumnFacts], after: KeyText | None, upto: KeyText | None, *, slot: bool = False) -> Statement:
    conditions: list[Sql] = []
    if slot:
        middle = slot_condition(WHEN, partitioned(WHEN, list(MONTHS), "right").slots[1].range)
        assert middle is not None
        conditions.append(middle)
    conditions += [after_key(key, after)] if after is not None else []
    conditions += [upto_key(key, upto)] if upto is not None else []
    mapping = map_columns(READINGS, StaticTableConfig(table_name="Readings"))
    return select_rows(READINGS.name, mapping, join(" AND ", conditions) if conditions else None, in_key_order(key))


def _summary(*, by_slot: bool) -> Statement:
    if by_slot:
        flights = map_columns(FLIGHTS, StaticTableConfig(table_name="flights"))
        return summarise(FLIGHTS.name, stats_columns(flights), window_condition(DEPARTURE, None, MONTHS[0]), SLOT)
    kept = {"a_variant": "text", "a_vector": "text"}
    wide = replace(ALL_TYPES, columns=(*ALL_TYPES.columns, replace(WIDE, is_nullable=False)))
    config = StaticTableConfig(table_name="all types", column_representation=kept)
    return summarise(ALL_TYPES.name, stats_columns(map_columns(wide, config)), None)


def _summary_of_utc() -> Statement:
    offset = table(column("an_offset", "datetimeoffset", scale=3), name="moments")
    config = StaticTableConfig(table_name="moments", column_representation={"an_offset": "utc"})
    return summarise(offset.name, stats_columns(map_columns(offset, config)), None)


def _within_buckets() -> Statement:
    return digest_by_bucket(
        FLIGHTS.name, FLIGHTS.columns, [2, 0], _middle(), 4, Buckets(2, (0, 65_535)), algorithm="hashbytes_md5"
    )


def _rows_of_buckets() -> Statement:
    columns = map_columns(FLIGHTS, StaticTableConfig(table_name="flights")).columns
    slot = partitioned(DEPARTURE, list(MONTHS), "right")
    unit = UnitFilter(slot=slot.slots[1], partitioning=slot)
    return rows_of_buckets(BucketedUnit(FLIGHTS, unit, columns, (2, 0), "hashbytes_sha256"), Buckets(4, (7, 2**32 - 1)))


def _middle() -> Sql | None:
    return slot_condition(DEPARTURE, partitioned(DEPARTURE, list(MONTHS), "right").slots[1].range)


def _windowed(side: Side, by: ColumnFacts) -> PartitioningFacts:
    """Of four slots the second one is out of retention where NULL rows may be in the first, else the first two."""
    found = partitioned(by, [*MONTHS, "2013-03-01 00:00:00"], side)
    first = 1 if by.is_nullable else 0
    return replace(found, slots=(*found.slots[:first], *found.slots[2:]), out_of_retention=found.slots[first:2])


WIDE = column("a_wide_one", "decimal", 33, precision=38, scale=4)
SLOT = slot_number("pf months", DEPARTURE)


def _permissions_asked() -> Statement:
    odd = TableName("odd ]schema", "it's")
    return permissions.ask_permissions(
        [
            permissions.Question(permissions.OnDatabase(), "VIEW DEFINITION"),
            permissions.Question(permissions.OnServer(), "VIEW SERVER STATE"),
            permissions.Question(permissions.OnSchema(odd.schema), "SELECT"),
            permissions.Question(permissions.OnTable(odd), "SELECT"),
        ]
    )


def _permissions_granted() -> Statement:
    """What `dltsync check` shows, for an administrator."""
    user, odd = "a ]user", TableName("odd ]schema", "it's")
    statements = [
        permissions.create_user(user),
        permissions.grant(["CREATE TABLE"], permissions.OnDatabase(), user),
        permissions.grant(["VIEW SERVER STATE"], permissions.OnServer(), user),
        permissions.grant(["SELECT", "ALTER"], permissions.OnSchema(odd.schema), user),
        permissions.grant(["VIEW DEFINITION"], permissions.OnTable(odd), user),
        permissions.allow_snapshots("my ]database"),
        permissions.read_committed_snapshot("my ]database"),
    ]
    return Statement(";\n".join(statements))


CASES: dict[str, Callable[[], Statement]] = {
    "compare_texts": lambda: compare_texts(
        [
            TextPair("German_PhoneBook_CI_AS", "Straße", "Strasse"),
            TextPair("SQL_Latin1_General_CP1_CI_AS", "Né", "né", is_unicode=False),
        ]
    ),
    "select_all_types": _mapping,
    "select_chosen_representations": _chosen,
    "select_datetime2_as_microseconds": lambda: _mapping("microseconds"),
    "select_datetime2_as_text": lambda: _mapping("text"),
    "select_first_slot_right": lambda: _slot("right", 1),
    "select_middle_slot_right": lambda: _slot("right", 2),
    "select_last_slot_right": lambda: _slot("right", 3),
    "select_first_slot_left": lambda: _slot("left", 1),
    "select_middle_slot_left": lambda: _slot("left", 2),
    "select_last_slot_left": lambda: _slot("left", 3),
    "select_increment": _increment,
    "count_table": lambda: count_rows(FLIGHTS.name, None),
    "count_rowversion_window": lambda: count_rows(FLIGHTS.name, window_condition(VERSION, "0x00000000000007D1", None)),
    "digest_all_types": lambda: digest_rows(ALL_TYPES.name, ALL_TYPES.columns, None),
    "digest_md5_of_window": lambda: digest_rows(
        FLIGHTS.name,
        FLIGHTS.columns[:2],
        window_condition(DEPARTURE, "2013-01-01 00:00:00", None),
        algorithm="hashbytes_md5",
    ),
    "digest_by_slot": lambda: digest_by_slot(FLIGHTS.name, FLIGHTS.columns, SLOT),
    "digest_by_bucket": lambda: digest_by_bucket(
        FLIGHTS.name, FLIGHTS.columns, [0], None, 2, None, algorithm="hashbytes_sha256"
    ),
    "digest_within_buckets_of_a_slot": _within_buckets,
    "rows_of_buckets_by_two_columns": _rows_of_buckets,
    "probe_last_modified_by_slot": lambda: digest_by_slot(
        FLIGHTS.name, [FLIGHTS.columns[0], MODIFIED], SLOT, high=MODIFIED
    ),
    "probe_rowversion_by_slot": lambda: rowversion_by_slot(FLIGHTS.name, SLOT, VERSION),
    "probe_count_by_slot": lambda: count_by_slot(FLIGHTS.name, SLOT),
    "probe_count_by_slot_within_retention": lambda: count_by_slot(
        FLIGHTS.name, SLOT, retention_condition(_windowed("right", DEPARTURE))
    ),
    "probe_rowversion_by_slot_within_retention": lambda: rowversion_by_slot(
        FLIGHTS.name, SLOT, VERSION, retention_condition(_windowed("left", MODIFIED))
    ),
    "probe_unstamped_by_slot": lambda: digest_by_slot(
        FLIGHTS.name, FLIGHTS.columns[:2], SLOT, condition=is_null(MODIFIED)
    ),
    "probe_stamps": lambda: digest_rows(FLIGHTS.name, [FLIGHTS.columns[0], MODIFIED], None, high=MODIFIED),
    "probe_recent": lambda: digest_rows(
        FLIGHTS.name,
        FLIGHTS.columns[:2],
        stamped_window(MODIFIED, "2024-01-01 00:00:00.1234567", "2024-01-02 00:00:00.0000000"),
    ),
    "probe_rowversions": lambda: rowversions(FLIGHTS.name, VERSION, "0x00000000000007D2"),
    "probe_checksum": lambda: checksum_table(FLIGHTS.name, FLIGHTS.columns),
    "slice_first": lambda: _slice([NUMBER], None, ("1000",)),
    "slice_middle": lambda: _slice([NUMBER], ("1000",), ("2000",)),
    "slice_last": lambda: _slice([NUMBER], ("2000",), None),
    "slice_of_a_slot_by_two_columns": lambda: _slice(
        [NUMBER, WHEN], ("7", "2013-01-05 00:00:00.1234567"), ("9", "2013-01-06 00:00:00.0000000"), slot=True
    ),
    "slice_by_a_key_with_null": lambda: _slice([CODE, NUMBER], ("a'b", "7"), ("c]d", "9")),
    "slice_from_null": lambda: _slice([CODE, NUMBER], (None, "7"), (None, "9")),
    "slice_end": lambda: key_at(READINGS.name, [NUMBER, WHEN], None, 1000),
    "slice_end_after": lambda: key_at(READINGS.name, [CODE], after_key([CODE], ("a",)), 1000),
    "summary_all_types": lambda: _summary(by_slot=False),
    "summary_by_slot": lambda: _summary(by_slot=True),
    "summary_of_offsets_kept_as_utc": _summary_of_utc,
    "open_transactions": lambda: OPEN_TRANSACTIONS,
    "session_settings": lambda: Statement(session_settings(30_000)),
    "read_view_facts": lambda: view_facts(ceiling=False),
    "read_view_facts_with_ceiling": lambda: view_facts(ceiling=True),
    "read_view_open_transactions": open_transactions,
    "read_view_begin": lambda: Statement(BEGIN_SNAPSHOT),
    "read_view_end": lambda: Statement(END_SNAPSHOT),
    "permissions_user": permissions.ask_user,
    "permissions_names": permissions.ask_names,
    "permissions_asked": _permissions_asked,
    "permissions_granted": _permissions_granted,
    "permissions_create_schema": lambda: Statement(permissions.create_schema("odd ]schema", "a ]user")),
    "catalog_columns_of_two_tables": lambda: Statement(query_for("columns", 2), ("1", "2")),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_statement_is_the_golden_one(case: str) -> None:
    """To accept a change: DLTSYNC_WRITE_GOLDEN=1, then read the difference."""
    statement = CASES[case]()
    shown = f"{statement.text}\n"
    if statement.parameters:
        shown += "-- parameters: " + " | ".join(statement.parameters) + "\n"
    file = GOLDEN / f"{case}.sql"
    if os.environ.get("DLTSYNC_WRITE_GOLDEN"):
        file.write_text(shown, encoding="utf-8")
        pytest.fail(f"wrote {file.name}; run again without DLTSYNC_WRITE_GOLDEN")
    assert shown == file.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.sql")} == set(CASES)
