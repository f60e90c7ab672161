"""A choice of representation that is made once holds for all tables, is the same in all files, and is a change of shape when it
changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.config import PipelineConfig, RepresentationConfig
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors


class ChoosingHouse(TypeTables):
    """A house whose config makes choices for all tables."""

    choices: RepresentationConfig = RepresentationConfig()

    def config(self) -> PipelineConfig:
        return super().config().model_copy(update={"representation": self.choices})


@pytest.fixture
def house(server: Server, tmp_path: Path) -> Iterator[ChoosingHouse]:
    made = ChoosingHouse(server, tmp_path)
    columns = "id int NOT NULL PRIMARY KEY, at datetime2(7) NULL, local datetimeoffset(3) NULL"
    made.create("One", columns)
    made.create("Two", columns, column_representation={"local": "text"})
    for name in ("One", "Two"):
        made.execute(f"INSERT INTO {{s}}.{name} VALUES (1, '9999-12-31T00:00:00', '2024-01-01T02:00:00.500 +02:00')")
    yield made
    made.drop()


def test_one_choice_holds_for_all_tables_and_a_table_may_differ(house: ChoosingHouse) -> None:
    house.choices = RepresentationConfig(datetime2="microseconds", datetimeoffset="utc")
    assert errors(house.run()) == []
    assert house.warehouse_types("One") == {"id": "INTEGER", "at": "TIMESTAMP", "local": "TIMESTAMP WITH TIME ZONE"}
    assert house.warehouse_types("Two") == {"id": "INTEGER", "at": "TIMESTAMP", "local": "VARCHAR"}
    shown = 'CAST("at" AS VARCHAR), CAST("local" AS VARCHAR)'
    assert house.warehouse("One", shown) == [("9999-12-31 00:00:00", "2024-01-01 00:00:00.5+00")]
    assert house.warehouse("Two", shown) == [("9999-12-31 00:00:00", "2024-01-01 02:00:00.500+02:00")]
    assert {unit.status for unit in house.run().units} == {"skipped"}
    with house.pipeline() as pipeline:
        one, two = pipeline.plan()
    assert (one.contracts["local"]["lost"], two.contracts["local"]["lost"]) == ("the offset", "")


def test_a_changed_choice_is_another_shape_of_every_table_that_it_touches(house: ChoosingHouse) -> None:
    house.choices = RepresentationConfig(datetime2="text")
    assert errors(house.run()) == []
    house.choices = RepresentationConfig(datetime2="text", datetimeoffset="utc")
    stopped = house.run()
    (one,) = stopped.failed  # VARCHAR cannot become an instant in place; Table Two says text for itself
    assert (one.table.table, one.error_type, one.exit_code) == ("One", "DriftError", 11)
    assert "local is VARCHAR in the warehouse" in str(one.error)
    house.choices = RepresentationConfig(datetime2="text")
    assert errors(house.run()) == []
