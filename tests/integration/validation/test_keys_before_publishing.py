"""Keys and counts are checked before anything of a load is visible: NULL and repeated keys, deletions that an increment cannot
follow, names that lake or warehouse keep for themselves. What is refused changes neither lake, warehouse nor ledger, other
tables load, and the next run after the source is put right succeeds.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyodbc
import pytest

from dltsync_core.config import (
    DestinationConfig,
    PipelineConfig,
    ProcessingConfig,
    SCDTableConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.run.load import stage as extraction
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import RunResult, UnitResult
from tests.support.server_shop import Rows, Server, Statements, plain_rows

VERSIONS = "MemberNo, Since, Until, IsLatest, Name, Changed"
CODES = "Code, Name"
TABLES = {"Members": VERSIONS, "Partners": VERSIONS, "Colours": CODES, "Sizes": CODES}
"""Two tables of versions without any unique key, two of codes: of each kind the first is spoilt, the second is not."""

SPOILT = ("Members", "Colours")


class Registers:
    """The four tables on a real connection, a pipeline over them, and what it left, read without it."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server, self.root, self.schema = server, root, f"keys_{uuid.uuid4().hex[:8]}"
        self._connection: pyodbc.Connection = server.connect()
        self.scd: dict[str, Any] = {}
        self.static: dict[str, Any] = {}
        self.processing: dict[str, Any] = {"batch_size": 4}

    def execute(self, sql: str, *values: Any) -> None:
        self._connection.execute(sql.replace("{s}", self.schema), *values)

    def create(self) -> None:
        self.execute("CREATE SCHEMA {s}")
        for table in ("Members", "Partners"):
            self.execute(
                f"CREATE TABLE {{s}}.{table} (RowNo int IDENTITY PRIMARY KEY, MemberNo int NULL, Since datetime2(3) NULL, "
                "Until datetime2(3) NULL, IsLatest bit NOT NULL, Name nvarchar(50) NULL, Changed datetime2(7) NOT NULL)"
            )
            for number in range(1, 8):
                self.version(table, number, "2026-01-01", f"first {number}", f"2026-01-01T0{number}:00:00.0000001")
        for table in ("Colours", "Sizes"):
            self.execute(f"CREATE TABLE {{s}}.{table} (Code varchar(10) NULL, Name nvarchar(50) NULL)")
            for number in range(1, 8):
                self.code(table, f"c{number}", f"first {number}")

    def version(self, table: str, member: int | None, since: str | None, name: str, changed: str) -> None:
        self.execute(
            f"INSERT INTO {{s}}.{table} (MemberNo, Since, IsLatest, Name, Changed) "
            "VALUES (?, CAST(? AS datetime2(3)), 1, ?, CAST(? AS datetime2(7)))",
            member,
            since,
            name,
            changed,
        )

    def code(self, table: str, code: str | None, name: str) -> None:
        self.execute(f"INSERT INTO {{s}}.{table} (Code, Name) VALUES (?, ?)", code, name)

    def drop(self) -> None:
        for table in TABLES:
            self.execute(f"DROP TABLE IF EXISTS {{s}}.{table}")
        self.execute("DROP SCHEMA {s}")
        self._connection.close()

    def config(self) -> PipelineConfig:
        server = self.server
        versions = {
            "business_key_columns": ["MemberNo"],
            "last_modified_column": "Changed",
            "effective_date_column": "Since",
            "end_date_column": "Until",
            "exclude_columns": ["RowNo"],
            **self.scd,
        }
        codes = {"load_strategy": "upsert", "key_columns": ["Code"], **self.static}
        return PipelineConfig(
            database=server.database_config(),
            scd_tables=[
                SCDTableConfig(table_name=table, schema_name=self.schema, **versions)
                for table in ("Members", "Partners")
            ],
            static_tables=[
                StaticTableConfig(table_name=table, schema_name=self.schema, **codes) for table in ("Colours", "Sizes")
            ],
            processing=ProcessingConfig(**self.processing),
            state=StateConfig(state_directory=self.root / "state", parquet_directory=self.root / "lake"),
            destination=DestinationConfig(path=self.root / "house.duckdb"),
        )

    def run(self, **arguments: Any) -> dict[str, UnitResult]:
        with IncrementalSQLServerParquetPipeline(self.config()) as pipeline:
            result: RunResult = pipeline.run(**arguments)
        return {unit.table.table: unit for unit in result.units}

    # -- what is there -----------------------------------------------------------------------------------------------

    def lake_files(self, table: str) -> list[str]:
        """Everything of a table in the lake, private files included."""
        found = self.root.glob(f"lake/*/{self.schema}_{table}*/**/*")
        return sorted(str(path.relative_to(self.root)) for path in found if path.is_file())

    def committed_units(self, table: str) -> Rows:
        with closing(sqlite3.connect(self.root / "state" / "ledger.db")) as connection:
            cursor = connection.execute("SELECT * FROM dltsync_committed_units WHERE table_name = ?", (table,))
            return cursor.fetchall()

    def source_rows(self, table: str) -> Rows:
        return plain_rows(
            [tuple(row) for row in self._connection.execute(f"SELECT {TABLES[table]} FROM {self.schema}.{table}")]
        )

    def warehouse_rows(self, table: str) -> Rows:
        path = self.root / "house.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            known = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            if (table,) not in known:
                return []
            return plain_rows(connection.execute(f'SELECT {TABLES[table]} FROM warehouse."{table}"').fetchall())

    def everything_of(self, tables: Sequence[str]) -> list[tuple[list[str], Rows, Rows]]:
        return [(self.lake_files(table), self.committed_units(table), self.warehouse_rows(table)) for table in tables]

    def assert_same(self, tables: Sequence[str] = tuple(TABLES)) -> None:
        for table in tables:
            assert self.warehouse_rows(table) == self.source_rows(table), table


@pytest.fixture
def registers(snapshot_server: Server, tmp_path: Path) -> Iterator[Registers]:
    made = Registers(snapshot_server, tmp_path)
    try:
        made.create()
        yield made
    finally:
        made.drop()


def spoil(registers: Registers, fault: str) -> None:
    """New rows in every table; in the `SPOILT` ones the last of them breaks the key."""
    for table in ("Members", "Partners"):
        registers.version(table, 8, "2026-01-02", "second", "2026-01-02T08:00:00")
    for table in ("Colours", "Sizes"):
        registers.code(table, "c8", "second")
    if fault == "null":
        registers.version("Members", None, "2026-01-02", "broken", "2026-01-02T09:00:00")
        registers.code("Colours", None, "broken")
    else:
        registers.version("Members", 8, "2026-01-02", "broken", "2026-01-02T09:00:00")
        registers.code("Colours", "c8", "broken")


SAID = {
    "null": (
        "1 row has NULL in the key (MemberNo, Since): MemberNo = NULL, Since = 2026-01-02 00:00:00.000000",
        "1 row has NULL in the key (Code): Code = NULL",
    ),
    "repeated": (
        "1 row repeats the key (MemberNo, Since) of another row: MemberNo = 8, Since = 2026-01-02 00:00:00.000000 (2 rows)",
        "1 row repeats the key (Code) of another row: Code = c8 (2 rows)",
    ),
}
SETTINGS = ("business_key_columns", "key_columns")


@pytest.mark.parametrize(
    ("fault", "loaded", "slices"),
    [
        pytest.param("null", False, True, id="null, full load in slices"),
        pytest.param("null", True, False, id="null, increment"),
        pytest.param("repeated", False, False, id="repeated, full load"),
        pytest.param("repeated", True, True, id="repeated, increment in slices"),
    ],
)
@pytest.mark.survives(
    "change",
    "rows at the source whose configured key is NULL, or is another row's too, in a full load and in an increment",
    "the table fails, naming key, rows and the setting; other tables load",
    "nothing of the load was published; lake, warehouse and ledger as before; when the source is "
    "corrected the next run succeeds",
)
def test_a_null_or_repeated_key_is_refused_before_anything_is_visible(
    fault: str, loaded: bool, slices: bool, registers: Registers
) -> None:
    """A full load accepted a NULL business key; an increment with one was published, and the warehouse refused it for ever."""
    if slices:
        registers.processing = {"batch_size": 2, "statement_rows_limit": 3}
    if loaded:
        assert {unit.status for unit in registers.run().values()} == {"committed"}
    spoil(registers, fault)
    before = registers.everything_of(SPOILT) if loaded else [([], [], [])] * len(SPOILT)

    units = registers.run()
    for table, said, setting in zip(SPOILT, SAID[fault], SETTINGS, strict=True):
        error = str(units[table].error)
        assert units[table].error_type == "ValidationFailed", error
        assert said in error
        assert setting in error
        assert "Nothing was published or loaded" in error
    assert registers.everything_of(SPOILT) == before
    assert {units["Partners"].status, units["Sizes"].status} == {"committed"}
    registers.assert_same(["Partners", "Sizes"])

    registers.execute("DELETE FROM {s}.Members WHERE Name = 'broken'")
    registers.execute("DELETE FROM {s}.Colours WHERE Name = 'broken'")
    units = registers.run()
    assert {units[table].status for table in SPOILT} == {"committed"}
    registers.assert_same()


def test_a_key_that_is_given_later_loads_in_the_next_increment(registers: Registers) -> None:
    """Put right by an update, as people do: no row is deleted, and the increment goes on from the old watermark."""
    registers.run()
    spoil(registers, "null")
    assert registers.run()["Members"].status == "failed"
    registers.execute("UPDATE {s}.Members SET MemberNo = 9 WHERE MemberNo IS NULL")
    unit = registers.run()["Members"]
    assert (unit.status, unit.counts.source if unit.counts else None) == ("committed", 9)
    assert unit.rows_read < 9
    registers.assert_same(["Members"])


def test_many_bad_keys_are_counted_and_a_handful_is_named(registers: Registers) -> None:
    for number in range(20, 40):
        registers.version("Members", None, f"2026-02-01T00:00:{number}", "broken", "2026-02-01T00:00:00")
        for _ in range(3):
            registers.code("Colours", f"x{number}", "broken")
    registers.code("Colours", None, "broken")
    units = registers.run()
    members, colours = str(units["Members"].error), str(units["Colours"].error)
    assert "20 rows have NULL in the key (MemberNo, Since)" in members
    assert "Since = 2026-02-01 00:00:20.000000; " in members
    assert "Since = 2026-02-01 00:00:25" not in members
    assert "; and 15 more" in members
    assert "1 row has NULL in the key (Code): Code = NULL; 40 rows repeat the key (Code) of another row" in colours
    assert "Code = x20 (3 rows); " in colours
    assert "Code = x24 (3 rows); and 15 more" in colours


def test_a_row_with_a_null_key_is_named_by_the_primary_key(registers: Registers) -> None:
    registers.scd = {"exclude_columns": []}
    spoil(registers, "null")
    assert "RowNo = 9, MemberNo = NULL, Since = 2026-01-02" in str(registers.run()["Members"].error)


def test_a_declared_null_that_no_row_has_loads(registers: Registers) -> None:
    """Every key column of these tables may be NULL as it is declared: the check is on the rows."""
    assert {unit.status for unit in registers.run().values()} == {"committed"}
    registers.assert_same()


@pytest.mark.parametrize("table_type", ["scd", "static"])
def test_a_key_column_that_is_not_there_is_told_before_a_row_is_read(
    table_type: str, registers: Registers, statements: Statements
) -> None:
    registers.scd = {"business_key_columns": ["MemberNr"]}
    registers.static = {"key_columns": ["Kode"]}
    units = registers.run(table_types=[table_type])
    name, setting, hint = {
        "scd": ("MemberNr", "business_key_columns", "did you mean MemberNo?"),
        "static": ("Kode", "key_columns", "did you mean Code?"),
    }[table_type]
    for unit in units.values():
        assert (unit.error_type, unit.exit_code) == ("ColumnNotFound", 2)
        assert f"has no column {name} (named in {setting})" in str(unit.error)
        assert hint in str(unit.error)
        assert "columns: " in str(unit.error)
    assert statements.rows == []


def names(registers: Registers, *tables: str) -> list[str]:
    return [f"{registers.schema}.{table}" for table in tables]


@pytest.mark.parametrize("hidden", [False, True], ids=["fewer rows", "behind as many new ones"])
@pytest.mark.survives(
    "change",
    "versions deleted at the source of a table with on_count_mismatch: fail",
    "the table fails: how many rows are gone, the setting, and --full-refresh; other tables load",
    "nothing of the increment was published; lake, warehouse and ledger as before; a run with "
    "--full-refresh removes the rows",
)
def test_a_deletion_that_may_not_be_followed_changes_nothing(hidden: bool, registers: Registers) -> None:
    """The error promised that nothing was committed and another run would help; the warehouse held the increment for ever."""
    registers.scd = {"on_count_mismatch": "fail"}
    registers.run()
    before = registers.everything_of(["Members"])
    registers.execute("DELETE FROM {s}.Members WHERE MemberNo IN (1, 2)")
    for table in ("Members", "Partners"):
        for number in (8, 9) if hidden else (8,):
            registers.version(table, number, "2026-01-02", "second", f"2026-01-02T08:00:0{number}")
    source, loaded = (7, 9) if hidden else (6, 8)

    for _ in range(2):
        units = registers.run(table_types=["scd"])
        error = str(units["Members"].error)
        assert (units["Members"].error_type, units["Members"].exit_code) == ("ValidationFailed", 9)
        assert f"the source has {source} rows, what was loaded makes {loaded} with this increment" in error
        assert "2 rows were deleted at the source" in error
        assert "on_count_mismatch: fail" in error
        assert f"`dltsync run --tables {registers.schema}.Members --full-refresh`" in error
        assert "running again" not in error
        assert registers.everything_of(["Members"]) == before
        registers.assert_same(["Partners"])

    unit = registers.run(table_names=names(registers, "Members"), full_refresh=True)["Members"]
    assert unit.status == "committed"
    registers.assert_same(["Members", "Partners"])
    assert registers.run(table_types=["scd"])["Members"].status == "skipped"


def test_rows_added_below_the_window_are_read_with_all_others(registers: Registers) -> None:
    """The digest of all stamps shows them before any increment is read: there is no count to disagree about."""
    registers.scd = {"on_count_mismatch": "fail"}
    registers.run()
    registers.version("Members", 8, "2026-01-02", "in the past", "2026-01-01T00:00:01")
    unit = registers.run(table_types=["scd"])["Members"]
    assert (unit.status, unit.rows_read) == ("committed", 8), unit.error
    registers.assert_same(["Members"])


def test_a_deletion_that_is_followed_publishes_no_increment(registers: Registers) -> None:
    """With `resync` one load appears, of all versions: an increment that does not add up is never seen by readers of the lake."""
    registers.run()
    registers.execute("DELETE FROM {s}.Members WHERE MemberNo = 1")
    registers.version("Members", 8, "2026-01-02", "second", "2026-01-02T08:00:00")
    unit = registers.run(table_names=names(registers, "Members"))["Members"]
    assert unit.status == "committed"
    assert "the increment does not add up: the source has 7 rows" in unit.reason
    assert (
        len([file for file in registers.lake_files("Members") if "manifests" in file and file.endswith(".json")]) == 2
    )
    registers.assert_same(["Members"])


def test_a_key_repeated_across_increments_is_refused_too(registers: Registers) -> None:
    """The increment holds the key once; the other row with it lies below the window. Counted, all are read, and it is named."""
    registers.run()
    before = registers.everything_of(["Members"])
    registers.version("Members", 1, "2026-01-01", "again", "2026-01-02T08:00:00")
    error = str(registers.run(table_names=names(registers, "Members"))["Members"].error)
    assert "1 row repeats the key (MemberNo, Since) of another row: MemberNo = 1, Since = 2026-01-01" in error
    assert registers.everything_of(["Members"]) == before


RESERVED = {
    "_dltsync": "target_schema '_dltsync' is reserved",
    "dltsync_load": "has a column 'dltsync_load': the lake names its directories so",
    "dltsync_partition": "has a column 'dltsync_partition': the lake names its directories so",
}


@pytest.mark.parametrize("name", list(RESERVED))
def test_a_reserved_name_is_told_before_a_row_is_read(name: str, registers: Registers, statements: Statements) -> None:
    """A reserved target was refused by the warehouse, when the lake had published the load."""
    tables = ["Colours"]
    if name == "_dltsync":
        registers.static, tables = {"target_schema": name}, ["Colours", "Sizes"]
    else:
        registers.execute(f"ALTER TABLE {{s}}.Colours ADD {name} int NULL")
    units = registers.run(table_types=["static"])
    for table in tables:
        assert RESERVED[name] in str(units[table].error)
        assert units[table].exit_code == 2
        assert registers.lake_files(table) == []
        assert registers.committed_units(table) == []
    assert all("Sizes" in statement for statement in statements.rows)
    assert units["Sizes"].status == ("failed" if "Sizes" in tables else "committed")


def test_a_column_with_another_type_in_the_warehouse_is_told_before_anything_is_published(registers: Registers) -> None:
    """The source is as it was, so no drift is seen: the lake published increment after increment that the warehouse refused."""
    registers.run()
    with duckdb.connect(str(registers.root / "house.duckdb")) as connection:
        connection.execute("ALTER TABLE warehouse.Members ALTER Name TYPE BLOB USING encode(Name)")
    registers.version("Members", 8, "2026-01-02", "second", "2026-01-02T08:00:00")
    registers.version("Partners", 8, "2026-01-02", "second", "2026-01-02T08:00:00")
    before = registers.lake_files("Members"), registers.committed_units("Members")
    units = registers.run(table_types=["scd"])
    assert units["Members"].error_type == "DriftError"
    assert "Name is BLOB in the warehouse and VARCHAR in the load" in str(units["Members"].error)
    assert (registers.lake_files("Members"), registers.committed_units("Members")) == before
    registers.assert_same(["Partners"])


def test_the_lake_is_checked_before_it_fills_the_warehouse(
    registers: Registers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lake that was published without the check: its loads are not merged, the source is read, and tells of the row."""
    spoil(registers, "null")
    with monkeypatch.context() as unchecked:
        unchecked.setattr(extraction, "check_keys", lambda *arguments: None)
        assert {unit.status for unit in registers.run().values()} == {"committed"}
    before = [(registers.lake_files(table), registers.committed_units(table)) for table in SPOILT]
    (registers.root / "house.duckdb").unlink()
    units = registers.run()
    for table in SPOILT:
        assert units[table].status == "failed"
        assert "the lake cannot be merged: " in units[table].reason
        assert "1 row has NULL in the key" in str(units[table].error)
        assert registers.warehouse_rows(table) == []
    assert [(registers.lake_files(table), registers.committed_units(table)) for table in SPOILT] == before
    assert [units[table].rows_read for table in ("Partners", "Sizes")] == [0, 0]
    registers.assert_same(["Partners", "Sizes"])

    registers.execute("DELETE FROM {s}.Members WHERE Name = 'broken'")
    registers.execute("DELETE FROM {s}.Colours WHERE Name = 'broken'")
    units = registers.run()
    assert {units[table].status for table in SPOILT} == {"committed"}
    registers.assert_same()
