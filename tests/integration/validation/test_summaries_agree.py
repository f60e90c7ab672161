"""The three places come to the same figures, which are those that a person would work out by hand."""

from __future__ import annotations

from typing import Any

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE
from dltsync_core.typemap.column_stats import ColumnStats, stats_columns
from tests.support.type_tables import TypeTables

NINES = "9" * 38
COLUMNS: dict[str, tuple[str, list[str | None], dict[str, str | None]]] = {
    "yes": ("bit", ["1", "1", None], {"nulls": "1", "sum": "2"}),
    "tiny": ("tinyint", ["255", "255", "0"], {"nulls": "0", "sum": "510"}),
    "big": ("bigint", [str(2**63 - 1), str(2**63 - 1), "1"], {"nulls": "0", "sum": str(2**64 - 1)}),
    "least": ("bigint", [str(-(2**63)), str(-(2**63)), None], {"nulls": "1", "sum": str(-(2**64))}),
    "small": ("decimal(9,2)", ["-0.01", "0.00", "-1234567.89"], {"nulls": "0", "sum": "-1234567.90"}),
    "wide": ("decimal(38,0)", [NINES, NINES, NINES], {"nulls": "0", "sum": str(3 * int(NINES))}),
    "deep": (
        "decimal(38,38)",
        [f"0.{NINES}", f"0.{NINES}", f"-0.{'0' * 37}1"],
        {"nulls": "0", "sum": f"1.{'9' * 37}7"},
    ),
    "mixed": ("decimal(38,10)", ["-0.0000000001", None, "-9999999999999999999999999999.9999999999"], {}),
    "none": ("decimal(12,3)", [None, None, None], {"nulls": "3", "sum": "0.000"}),
    "cash": ("money", ["922337203685477.5807", "922337203685477.5807", "-0.0001"], {}),
    "day": ("date", ["0001-01-01", "9999-12-31", None], {"nulls": "1", "min": "0001-01-01", "max": "9999-12-31"}),
    "noon": (
        "time(7)",
        ["12:00:00.0000001", "12:00:00", "23:59:59.9999999"],
        {"nulls": "0", "min": "12:00:00.0000000", "max": "23:59:59.9999999"},
    ),
    "short": ("time(0)", ["12:00:00", None, "00:00:01"], {"nulls": "1", "min": "00:00:01", "max": "12:00:00"}),
    "grid": (
        "datetime",
        ["1753-01-01T00:00:00", "2013-01-01T00:00:00.003", None],
        {"nulls": "1", "min": "1753-01-01T00:00:00", "max": "2013-01-01T00:00:00.003"},
    ),
    "fine": (
        "datetime2(7)",
        ["1969-12-31T23:59:59.9999999", "1970-01-01T00:00:00", "1700-01-01T00:00:00.0000001"],
        {"nulls": "0", "min": "1700-01-01 00:00:00.0000001", "max": "1970-01-01 00:00:00.0000000"},
    ),
    "years": ("datetime2(3)", ["0001-01-01T00:00:00.001", "9999-12-31T23:59:59.999", None], {}),
    "zoned": (
        "datetimeoffset(7)",
        ["2013-01-01T09:00:00.0000001 -05:00", "2013-01-01T12:00:00 +00:00", None],
        {"nulls": "1", "min": "2013-01-01 09:00:00.0000001-05:00", "max": "2013-01-01 12:00:00.0000000+00:00"},
    ),
    "utc": (
        "datetimeoffset(3)",
        ["2013-01-01T09:00:00.5 -05:00", "2013-01-01T12:00:00 +00:00", None],
        {"nulls": "1", "min": "2013-01-01 12:00:00.000", "max": "2013-01-01 14:00:00.500"},
    ),
    "words": ("nvarchar(20)", ["a", None, ""], {"nulls": "1"}),
    "bytes": ("varbinary(max)", [None, None, None], {"nulls": "3"}),
}


def fill(house: TypeTables) -> None:
    described = ", ".join(f"[{name}] {kind} NULL" for name, (kind, _, _) in COLUMNS.items())
    house.create("Facts", f"id int NOT NULL PRIMARY KEY, {described}", column_representation={"utc": "utc"})
    for row in range(3):
        places = ", ".join(
            f"CAST(? AS {kind})" if kind != "varbinary(max)" else "NULL" for kind, _, _ in COLUMNS.values()
        )
        values = [values[row] for kind, values, _ in COLUMNS.values() if kind != "varbinary(max)"]
        house.execute(f"INSERT INTO {{s}}.Facts VALUES ({row}, {places})", *values)


def at_the_source(house: TypeTables) -> ColumnStats:
    config = house.config()
    table = next(one for one in config.tables if one.kind == "static")
    source = SqlServerSource(config.database, config.processing)
    facts: TableFacts = source.read_tables([table])[table.name]
    columns = stats_columns(source.map_columns(facts, table))
    with source.read_view() as view:
        return view.column_stats(facts, columns, {"all": WHOLE})["all"]


def test_every_type_comes_to_the_same_in_three_places(types: TypeTables) -> None:
    fill(types)
    found = at_the_source(types)
    assert found.rows == 3
    expected = {name: figures for name, (_, _, figures) in COLUMNS.items() if figures}
    assert {name: found.figures[name] for name in expected} == expected
    assert types.run().success
    assert report(types) == {"valid": True, "columns": []}


def test_nothing_comes_to_nothing(types: TypeTables) -> None:
    fill(types)
    types.execute("DELETE FROM {s}.Facts")
    assert at_the_source(types).figures["wide"] == {"nulls": "0", "sum": "0"}
    assert types.run().success
    assert report(types) == {"valid": True, "columns": []}


def report(house: TypeTables) -> dict[str, Any]:
    with house.pipeline() as pipeline:
        answer = pipeline.validate_all_tables()
    (table,) = answer["tables"]
    return {"valid": answer["valid"], "columns": table["messages"] or table["units"][0]["columns"]}
