"""The source went back to coarser moments, the warehouse keeps nanoseconds, and a moment comes that those do not reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors


@pytest.fixture
def narrowed(server: Server, tmp_path: Path) -> Iterator[TypeTables]:
    house = TypeTables(server, tmp_path)
    house.create("Terms", "TermNo int NOT NULL PRIMARY KEY, EndsAt datetime2(7) NULL")
    house.execute("INSERT INTO {s}.Terms VALUES (1, '2020-01-01T00:00:00.1234567')")
    assert errors(house.run()) == []
    house.execute("DROP TABLE {s}.Terms")
    house.execute("CREATE TABLE {s}.Terms (TermNo int NOT NULL PRIMARY KEY, EndsAt datetime2(3) NULL)")
    house.execute("INSERT INTO {s}.Terms VALUES (1, '2020-01-01T00:00:00.123'), (7, '9999-12-31T23:59:59.999')")
    yield house
    house.drop()


def test_the_load_stops_before_anything_is_published_and_names_row_and_way_out(narrowed: TypeTables) -> None:
    files, rows = narrowed.lake_files("Terms"), narrowed.warehouse("Terms", "*", "1")
    result = narrowed.run()
    (unit,) = result.failed
    assert (unit.error_type, unit.exit_code) == ("FidelityError", 6)
    said = str(unit.error)
    for part in (
        f"{narrowed.schema}.Terms",
        "column EndsAt (datetime2(3))",
        "9999-12-31 23:59:59.999",
        "row TermNo = 7",
    ):
        assert part in said
    assert "drop the warehouse table warehouse.Terms" in said
    assert (narrowed.lake_files("Terms"), narrowed.warehouse("Terms", "*", "1")) == (files, rows)

    with duckdb.connect(str(narrowed.root / "house.duckdb")) as connection:  # the way out that the message names
        connection.execute('DROP TABLE warehouse."Terms"')
    assert errors(narrowed.run()) == []
    assert narrowed.warehouse_types("Terms")["EndsAt"] == "TIMESTAMP"
    shown = narrowed.warehouse("Terms", 'CAST("EndsAt" AS VARCHAR)', '"TermNo"')
    assert shown == [("2020-01-01 00:00:00.123",), ("9999-12-31 23:59:59.999",)]


def test_the_other_way_out_is_the_source(narrowed: TypeTables) -> None:
    assert len(errors(narrowed.run())) == 1
    narrowed.execute("UPDATE {s}.Terms SET EndsAt = '2262-04-11T00:00:00' WHERE TermNo = 7")
    assert errors(narrowed.run()) == []
    assert narrowed.warehouse_types("Terms")["EndsAt"] == "TIMESTAMP_NS"
    with narrowed.pipeline() as pipeline:
        assert pipeline.validate_all_tables(fingerprint="sha256")["valid"]
