"""`dltsync validate --row-diff` names the rows that were damaged, and no others: by key, with what is wrong and both values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dltsync_core.run.validation.row_diff import diff_unit
from tests.integration.validation.loaded import LoadedShop, flip_a_byte
from tests.support.cli_project import CliProject
from tests.support.forks import Forks
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables

MARCH = "[2026-03-01,+inf)"
Told = dict[tuple[str | None, ...], tuple[str, list[dict[str, Any]]]]


def row_diff(report: Mapping[str, Any], table: str, unit: str = "all") -> Mapping[str, Any]:
    (found,) = (
        u["row_diff"]
        for t in report["tables"]
        if t["table"].endswith(f".{table}")
        for u in t["units"]
        if u["unit"] == unit
    )
    assert isinstance(found, dict)
    return found


def told(found: Mapping[str, Any]) -> Told:
    """What is said of each row, by its key."""
    return {tuple(row["key"].values()): (row["message"], row["values"]) for row in found["rows"]}


# -- a table of each kind -------------------------------------------------------------------------------------------------


def test_there_is_no_row_diff_where_nothing_differs(synced: LoadedShop) -> None:
    report = synced.report(row_diff=True)
    assert report["valid"]
    assert [u["row_diff"] for t in report["tables"] for u in t["units"]] == [None] * 5


def test_a_partition_without_a_key_is_told_by_whole_rows(synced: LoadedShop) -> None:
    """Two values that changed places: no sum sees it."""
    synced.warehouse(
        "UPDATE warehouse.Orders SET Amount = CASE OrderNo WHEN 201 THEN 2020 ELSE 2010 END WHERE OrderNo IN (201, 202)"
    )
    synced.warehouse("INSERT INTO warehouse.Orders SELECT * FROM warehouse.Orders WHERE OrderNo = 1")
    report = synced.report(row_diff=True)
    found = row_diff(report, "Orders", MARCH)
    at = "2026-03-05 10:00:00.000"
    assert (found["key"], found["omitted"], found["omitted_is_exact"]) == (None, 0, True)
    assert told(found) == {
        ("201", at, "2010.00", "note 201"): ("missing in the warehouse", []),
        ("201", at, "2020.00", "note 201"): ("beyond the source in the warehouse", []),
        ("202", at, "2010.00", "note 202"): ("beyond the source in the warehouse", []),
        ("202", at, "2020.00", "note 202"): ("missing in the warehouse", []),
    }
    january = told(row_diff(report, "Orders", "(-inf,2026-02-01)"))
    assert january == {
        ("1", "2026-01-05 10:00:00.123", "10.00", "note 1"): ("2 times in the warehouse, 1 at the source", [])
    }


def test_a_version_is_named_by_business_key_and_effective_date(synced: LoadedShop) -> None:
    synced.warehouse("UPDATE warehouse.Customers SET Name = upper(Name) WHERE CustomerNo = 2")
    synced.warehouse("DELETE FROM warehouse.Customers WHERE CustomerNo = 1 AND IsLatest")
    found = row_diff(synced.report(row_diff=True), "Customers")
    assert found["key"] == ["CustomerNo", "EffectiveDate"]
    assert told(found) == {
        ("1", "2026-01-05 00:00:00.000"): ("missing in the warehouse", []),
        ("2", "2026-01-02 00:00:00.000"): (
            "value differs in the warehouse",
            [{"column": "Name", "source": "Bøb", "lake": "Bøb", "warehouse": "BØB"}],
        ),
    }


def test_a_doubled_row_and_one_that_nobody_knows_are_told_apart(synced: LoadedShop) -> None:
    synced.warehouse("INSERT INTO warehouse.Countries SELECT * FROM warehouse.Countries WHERE Code = 'JP'")
    synced.warehouse(
        "INSERT INTO warehouse.Countries SELECT * REPLACE ('XX' AS Code) FROM warehouse.Countries WHERE Code = 'FR'"
    )
    synced.warehouse("UPDATE warehouse.Countries SET Name = NULL WHERE Code = 'CH'")
    assert told(row_diff(synced.report(row_diff=True), "Countries")) == {
        ("CH",): (
            "value differs in the warehouse",
            [{"column": "Name", "source": "Schweiz", "lake": "Schweiz", "warehouse": None}],
        ),
        ("JP",): ("2 times in the warehouse, 1 at the source", []),
        ("XX",): ("beyond the source in the warehouse", []),
    }


@pytest.mark.parametrize("damage", [flip_a_byte, Path.unlink])
def test_where_a_lake_file_is_damaged_the_rows_of_the_other_places_are_compared(
    synced: LoadedShop, damage: Any
) -> None:
    damage(synced.lake_file("Countries"))
    report = synced.report(row_diff=True)
    assert not report["valid"]
    assert [u["row_diff"] for t in report["tables"] for u in t["units"]] == [None] * 5
    synced.warehouse("UPDATE warehouse.Countries SET Name = 'France ' WHERE Code = 'FR'")
    found = row_diff(synced.report(row_diff=True), "Countries")
    assert found["places"] == ["source", "warehouse"]
    assert told(found) == {
        ("FR",): ("value differs in the warehouse", [{"column": "Name", "source": "France", "warehouse": "France "}])
    }


def test_without_a_column_the_others_are_compared(synced: LoadedShop) -> None:
    synced.warehouse("ALTER TABLE warehouse.Countries DROP COLUMN Area")
    found = row_diff(synced.report(row_diff=True), "Countries")
    assert (found["rows"], found["reason"]) == (
        [],
        "every row is the same in the columns that can be compared by value",
    )
    synced.warehouse("DELETE FROM warehouse.Countries WHERE Code = 'FR'")
    assert told(row_diff(synced.report(row_diff=True), "Countries")) == {("FR",): ("missing in the warehouse", [])}


def test_the_command_names_the_rows_and_ends_with_nine(synced: LoadedShop, forks: Forks, tmp_path: Path) -> None:
    project = CliProject(synced.shop, forks, tmp_path)
    project.values["state"] = {
        "state_directory": str(synced.shop.root / "state"),
        "parquet_directory": str(synced.shop.root / "lake"),
    }
    project.values["destination"] = {"path": str(synced.house)}
    synced.warehouse("UPDATE warehouse.Countries SET Name = E'Fr\\x1b[2J''ance\\n' WHERE Code = 'FR'")
    ended = project.call("validate", "--row-diff")
    assert ended.status == 9
    said = ended.stdout
    assert f"{synced.shop.schema}.Countries all: 1 row differs, key Code" in said
    assert "  Code 'FR': value differs in the warehouse\n" in said
    assert "      Name: source 'France', lake 'France', warehouse 'Fr\\x1b[2J\\'ance\\n'\n" in said
    ended, report = project.json("validate", "--row-diff", "--tables", f"{synced.shop.schema}.Countries")
    assert ended.status == 9
    (value,) = row_diff(report, "Countries")["rows"][0]["values"]
    assert value["warehouse"] == "Fr\x1b[2J'ance\n"
    ended, report = project.json("validate", "--algorithm", "md5")  # it means the fingerprint
    assert [c["figure"] for t in report["tables"] for u in t["units"] for c in u["columns"]] == ["fingerprint"]
    ended, report = project.json("validate")
    assert (ended.status, report["valid"]) == (0, True)


# -- tables that are parted -----------------------------------------------------------------------------------------------

ROWS = 2_500
AWKWARD = ("O'Brien", "a", "A", " a", "tab\t", "😀", "日本", "]", '"', "")


class Parts:
    """Rows by the thousand under a key of two columns, one of them any text; loaded, and damaged in the warehouse."""

    def __init__(self, house: TypeTables) -> None:
        self.house = house
        house.create(
            "Parts",
            "code nvarchar(20) COLLATE Latin1_General_100_BIN2 NOT NULL, line int NOT NULL, note nvarchar(max) NULL, "
            "price decimal(9,2) NULL, CONSTRAINT pk_{s}_p PRIMARY KEY (code, line)".replace("{s}", house.schema),
        )
        numbered = [f"(N'part', {n}, N'note {n}', {n}.25)" for n in range(ROWS)]
        for start in range(0, ROWS, 1_000):
            house.execute(f"INSERT INTO {{s}}.Parts VALUES {', '.join(numbered[start : start + 1_000])}")
        for line, code in enumerate(AWKWARD):
            house.execute("INSERT INTO {s}.Parts VALUES (?, ?, NULL, NULL)", code, line)
        assert house.run().success

    def warehouse(self, statement: str, *values: Any) -> None:
        with duckdb.connect(str(self.house.root / "house.duckdb")) as connection:
            connection.execute(statement, values)

    def row_diff(self) -> Mapping[str, Any]:
        with self.house.pipeline() as pipeline:
            return row_diff(pipeline.validate_all_tables(row_diff=True), "Parts")

    @contextmanager
    def kept(self) -> Iterator[None]:
        file = self.house.root / "house.duckdb"
        whole = file.read_bytes()
        try:
            yield
        finally:
            file.write_bytes(whole)


@pytest.fixture(scope="module")
def loaded_parts(snapshot_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    house = TypeTables(snapshot_server, tmp_path_factory.mktemp("parts"))
    yield Parts(house)
    house.drop()


@pytest.fixture
def parts(loaded_parts: Parts) -> Iterator[Parts]:
    with loaded_parts.kept():
        yield loaded_parts


def test_few_rows_among_many_are_found_with_two_statements(parts: Parts) -> None:
    for code in AWKWARD[:4]:
        parts.warehouse("UPDATE warehouse.Parts SET note = 'new' WHERE code = ?", code)
    for code in AWKWARD[4:]:
        parts.warehouse("DELETE FROM warehouse.Parts WHERE code = ?", code)
    parts.warehouse(
        "UPDATE warehouse.Parts SET price = NULL, note = repeat('x', 5000) WHERE line = 77 AND code = 'part'"
    )
    parts.warehouse("UPDATE warehouse.Parts SET code = 'part ' WHERE line = 88 AND code = 'part'")
    found = parts.row_diff()
    (long,) = (row["values"][0]["warehouse"] for row in found["rows"] if row["key"] == {"code": "part", "line": "77"})
    assert long.startswith("x" * 120 + "… (5,000 characters, sha256 ")
    new = [{"column": "note", "source": None, "lake": None, "warehouse": "new"}]
    assert told(found) == {
        **{(code, str(n)): ("value differs in the warehouse", new) for n, code in enumerate(AWKWARD) if n < 4},
        **{(code, str(n)): ("missing in the warehouse", []) for n, code in enumerate(AWKWARD) if n >= 4},
        ("part", "77"): (
            "value differs in the warehouse",
            [
                {"column": "note", "source": "note 77", "lake": "note 77", "warehouse": long},
                {"column": "price", "source": "77.25", "lake": "77.25", "warehouse": None},
            ],
        ),
        ("part", "88"): ("missing in the warehouse", []),
        ("part ", "88"): ("beyond the source in the warehouse", []),
    }
    parting, reading = found["levels"]
    assert 2_400 < parting["buckets"] <= ROWS + len(AWKWARD) + 1
    assert parting["differing"] == 13
    assert reading["rows"] < 20


def test_of_very_many_rows_a_hundred_are_told_and_the_rest_counted(parts: Parts) -> None:
    parts.warehouse("UPDATE warehouse.Parts SET price = price + 1 WHERE line < 1200 AND code = 'part'")
    found = parts.row_diff()
    assert len(found["rows"]) == 100
    assert not found["omitted_is_exact"]
    assert 1_000 < found["omitted"] <= 1_100
    assert {row["message"] for row in found["rows"]} == {"value differs in the warehouse"}
    assert [level["buckets"] > 0 for level in found["levels"]] == [True, True, False]


def test_an_empty_warehouse_lacks_every_row(parts: Parts) -> None:
    parts.warehouse("DELETE FROM warehouse.Parts")
    found = parts.row_diff()
    assert len(found["rows"]) + found["omitted"] == ROWS + len(AWKWARD)


def test_a_row_that_changed_at_the_source_differs_in_both_other_places(parts: Parts) -> None:
    parts.house.execute("UPDATE {s}.Parts SET price = 1 WHERE line = 5 AND code = N'part'")
    try:
        found = parts.row_diff()
    finally:
        parts.house.execute("UPDATE {s}.Parts SET price = 5.25 WHERE line = 5 AND code = N'part'")
    assert told(found) == {
        ("part", "5"): (
            "value differs in the lake, value differs in the warehouse",
            [{"column": "price", "source": "1.00", "lake": "5.25", "warehouse": "5.25"}],
        )
    }


def write_between(monkeypatch: pytest.MonkeyPatch, house: TypeTables, *statements: str) -> None:
    """At the source, after the units were compared and before their rows are compared."""

    def after_a_write(*arguments: Any) -> Any:
        for statement in statements:
            house.execute(statement)
        return diff_unit(*arguments)

    monkeypatch.setattr("dltsync_core.run.validation.table.diff_unit", after_a_write)


def test_a_snapshot_does_not_see_who_writes_meanwhile(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    parts.warehouse("UPDATE warehouse.Parts SET note = 'new' WHERE line = 77 AND code = 'part'")
    write_between(monkeypatch, parts.house, "UPDATE {s}.Parts SET price = 2 WHERE line = 9 AND code = N'part'")
    try:
        assert list(told(parts.row_diff())) == [("part", "77")]
    finally:
        parts.house.execute("UPDATE {s}.Parts SET price = 9.25 WHERE line = 9 AND code = N'part'")


def test_without_a_snapshot_it_is_said_that_the_source_changed(
    types: TypeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    types.create("Facts", "id int NOT NULL PRIMARY KEY, note nvarchar(20) NULL")
    types.execute("INSERT INTO {s}.Facts VALUES (1, N'a'), (2, N'b')")
    assert types.run().success
    types.execute("UPDATE {s}.Facts SET note = N'c' WHERE id = 1")
    write_between(monkeypatch, types, "UPDATE {s}.Facts SET note = N'd' WHERE id = 2")
    with types.pipeline() as pipeline:
        found = row_diff(pipeline.validate_all_tables(row_diff=True), "Facts")
    assert found["rows"] == []
    assert found["reason"].startswith("the source changed during the comparison: validate again")


def test_a_key_that_is_null_and_copies_without_a_key_are_told(types: TypeTables) -> None:
    types.create("Loose", "code nvarchar(10) COLLATE Latin1_General_100_BIN2 NULL UNIQUE, note nvarchar(20) NULL")
    types.execute("INSERT INTO {s}.Loose VALUES (NULL, N'none'), (N'', N'empty'), (N'~', NULL)")
    types.create("Copies", "n int NULL, at datetime2(7) NULL")
    copies = ", ".join(f"({n % 500}, '2026-01-01T00:00:00.{n % 500:07}')" for n in range(1_000))
    for _ in range(2):
        types.execute(f"INSERT INTO {{s}}.Copies VALUES {copies}")
    assert types.run().success
    with duckdb.connect(str(types.root / "house.duckdb")) as house:
        house.execute("UPDATE warehouse.Loose SET note = 'changed' WHERE code IS NULL")
        house.execute("DELETE FROM warehouse.Loose WHERE code = '~'")
        house.execute(
            "DELETE FROM warehouse.Copies WHERE n = 7 AND rowid = (SELECT max(rowid) FROM warehouse.Copies WHERE n = 7)"
        )
        house.execute("INSERT INTO warehouse.Copies VALUES (NULL, NULL), (NULL, NULL)")
    with types.pipeline() as pipeline:
        report = pipeline.validate_all_tables(row_diff=True)
    assert told(row_diff(report, "Loose")) == {
        (None,): (
            "value differs in the warehouse",
            [{"column": "note", "source": "none", "lake": "none", "warehouse": "changed"}],
        ),
        ("~",): ("missing in the warehouse", []),
    }
    found = row_diff(report, "Copies")
    assert told(found) == {
        (None, None): ("beyond the source in the warehouse (2 times there, 0 at the source)", []),
        ("7", "2026-01-01 00:00:00.0000007"): ("3 times in the warehouse, 4 at the source", []),
    }
    assert (found["levels"][0]["differing"], found["levels"][1]["rows"] <= 8) == (2, True)
