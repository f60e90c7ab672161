"""A type that changes at the source goes through when the new one holds every value of the old one, and the rows are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors


@dataclass(frozen=True)
class Change:
    """`stored` are values before, `kind` is the name of the change, `warehouse` the type and `shown` the texts after it."""

    before: str
    after: str
    stored: tuple[str, ...]
    kind: str
    warehouse: str
    shown: tuple[str, ...]
    representation: str | None = None


DAYS = ("0001-01-01", "9999-12-31", "2024-02-29")
NEAR = ("1700-01-01", "2262-04-11")
CHANGES = {
    "DateToZero": Change("date", "datetime2(0)", DAYS, "widened", "TIMESTAMP", tuple(f"{d} 00:00:00" for d in DAYS)),
    "DateToSix": Change("date", "datetime2(6)", DAYS, "widened", "TIMESTAMP", tuple(f"{d} 00:00:00" for d in DAYS)),
    "DateToSeven": Change(
        "date", "datetime2(7)", NEAR, "widened", "TIMESTAMP_NS", tuple(f"{d} 00:00:00" for d in NEAR)
    ),
    "DateToOld": Change(
        "date", "datetime", DAYS[1:], "narrowed", "TIMESTAMP_MS", tuple(f"{d} 00:00:00" for d in DAYS[1:])
    ),
    "OldToSeven": Change(
        "datetime",
        "datetime2(7)",
        ("2024-01-01T00:00:00.003", "1753-01-01T00:00:00"),
        "widened",
        "TIMESTAMP_NS",
        ("2024-01-01 00:00:00.003", "1753-01-01 00:00:00"),
    ),
    "BackToDate": Change("datetime2(3)", "date", DAYS, "narrowed", "TIMESTAMP", tuple(f"{d} 00:00:00" for d in DAYS)),
    "GuidToText": Change(
        "uniqueidentifier",
        "nvarchar(40)",
        ("6F9619FF-8B86-D011-B42D-00C04FC964FF",),
        "retyped",
        "VARCHAR",
        ("6F9619FF-8B86-D011-B42D-00C04FC964FF",),
        "text",
    ),
}


@pytest.fixture
def house(server: Server, tmp_path: Path) -> Iterator[TypeTables]:
    made = TypeTables(server, tmp_path)
    try:
        yield made
    finally:
        made.drop()


def load_before(house: TypeTables, names: Iterable[str]) -> None:
    """These tables as they are before their change."""
    for name in names:
        change = CHANGES[name]
        chosen = {"column_representation": {"v": change.representation}} if change.representation else {}
        house.create(name, f"id int NOT NULL PRIMARY KEY, v {change.before} NULL", **chosen)
        fill(house, name, change.before, change.stored)
    assert errors(house.run()) == []


def fill(house: TypeTables, name: str, declared: str, values: tuple[str, ...]) -> None:
    rows = ", ".join(f"({number}, CAST('{value}' AS {declared}))" for number, value in enumerate(values, start=1))
    house.execute(f"INSERT INTO {{s}}.{name} VALUES {rows}, (99, NULL)")


def test_a_type_that_holds_every_value_goes_through(house: TypeTables) -> None:
    load_before(house, CHANGES)
    for name, change in CHANGES.items():
        house.execute(f"DROP TABLE {{s}}.{name}")
        house.execute(f"CREATE TABLE {{s}}.{name} (id int NOT NULL PRIMARY KEY, v {change.after} NULL)")
        house.tables[name] = {}
        fill(house, name, change.after, change.stored)
    result = house.run()
    assert errors(result) == []
    found = {f.table.split(".")[-1]: f.kind for f in result.drift if f.changes_schema}
    assert found == {name: change.kind for name, change in CHANGES.items()}
    for name, change in CHANGES.items():
        assert house.warehouse_types(name)["v"] == change.warehouse, name
        rows = house.warehouse(name, 'CAST("v" AS VARCHAR)')
        assert [row[0] for row in rows] == [*change.shown, None], name
    with house.pipeline() as pipeline:
        report = pipeline.validate_all_tables(fingerprint="sha256")
    assert report["valid"], report


def test_a_day_beyond_nanoseconds_is_refused_with_its_row(house: TypeTables) -> None:
    """The source went from datetime2(7), which the warehouse keeps, to a date that reaches further."""
    load_before(house, ["DateToSeven"])
    for declared, value in (("datetime2(7)", "2024-01-01T00:00:00.1234567"), ("date", "9999-12-31")):
        house.execute("DROP TABLE {s}.DateToSeven")
        house.execute(f"CREATE TABLE {{s}}.DateToSeven (id int NOT NULL PRIMARY KEY, v {declared} NULL)")
        house.execute(f"INSERT INTO {{s}}.DateToSeven VALUES (7, '{value}')")
        result = house.run(table_names=["DateToSeven"])
    (unit,) = result.failed
    assert (unit.error_type, unit.exit_code) == ("FidelityError", 6)
    assert "column v (date) holds 9999-12-31, outside 1677-09-22 00:00:00 to 2262-04-11 23:47:16.8547758" in str(
        unit.error
    )
    assert "row id = 7" in str(unit.error)


def test_a_system_alias_type_is_the_type_below_it(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    house = TypeTables(server, tmp_path_factory.mktemp("sysname"))
    house.create("Hosts", "id int NOT NULL PRIMARY KEY, host sysname NOT NULL, other sysname NULL")
    house.execute("INSERT INTO {s}.Hosts VALUES (1, N'Łódź', NULL)")
    assert errors(house.run()) == []
    assert house.warehouse("Hosts", '"host", "other"') == [("Łódź", None)]
    with house.pipeline() as pipeline:
        (plan,) = pipeline.plan()
        assert pipeline.validate_all_tables(fingerprint="sha256")["valid"]
    assert (plan.contracts["host"]["sql_type"], plan.contracts["host"]["origin"]) == (
        "nvarchar(128)",
        "declared as sysname",
    )
    assert plan.contracts["other"]["nullable"] is True
    house.drop()
