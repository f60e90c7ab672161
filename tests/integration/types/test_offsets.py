"""datetimeoffset: as text every common reader takes it, and as an instant it divides a table into partitions."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest

from dltsync_core.config import PartitionTableConfig, PipelineConfig
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors

ROWS = ("2024-01-01T00:00:00+02:00", "2023-12-31T23:30:00-05:30", "2024-06-30T23:59:59.123456+14:00")
READ = [
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=2))),
    datetime(2023, 12, 31, 23, 30, tzinfo=timezone(-timedelta(hours=5, minutes=30))),
    datetime(2024, 6, 30, 23, 59, 59, 123456, tzinfo=timezone(timedelta(hours=14))),
]


@pytest.fixture
def house(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypeTables]:
    made = TypeTables(server, tmp_path_factory.mktemp("offsets"))
    yield made
    made.drop()


def test_the_text_is_read_by_duckdb_and_by_python(house: TypeTables) -> None:
    columns = ", ".join(f"at{n} datetimeoffset({n}) NULL" for n in (0, 3, 6, 7))
    house.create("Calls", f"id int NOT NULL PRIMARY KEY, {columns}")
    for number, value in enumerate(ROWS, start=1):
        casts = ", ".join(f"CAST('{value}' AS datetimeoffset({n}))" for n in (0, 3, 6, 7))
        house.execute(f"INSERT INTO {{s}}.Calls VALUES ({number}, {casts})")
    assert errors(house.run()) == []
    for digits in (6, 7):
        for read in (house.warehouse, house.lake):
            found = read("Calls", f'CAST("at{digits}" AS TIMESTAMPTZ)')
            assert [row[0] for row in found] == READ
    for digits in (3, 6, 7):
        texts = [row[0] for row in house.warehouse("Calls", f'"at{digits}"')]
        if digits < 7 or sys.version_info >= (3, 11):  # 3.10 reads three or six digits
            cut = [moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in READ]
            assert [datetime.fromisoformat(text) for text in texts] == (cut if digits == 3 else READ)
    assert next(row[0] for row in house.warehouse("Calls", '"at0"')) == "2024-01-01 00:00:00+02:00"
    with house.pipeline() as pipeline:
        assert pipeline.validate_all_tables(fingerprint="sha256")["valid"]


class InstantHouse(TypeTables):
    """A table on a partition function over instants. A boundary lies between two microseconds where `scale` is 7."""

    scale = 7
    kept: Mapping[str, Any] = MappingProxyType({"at": "utc"})

    def make(self) -> None:
        fine = "2024-02-01T00:00:00.0000005+02:00" if self.scale == 7 else "2024-02-01T00:00:00+02:00"
        self.execute(
            f"CREATE PARTITION FUNCTION pf_{{s}} (datetimeoffset({self.scale})) AS RANGE RIGHT FOR VALUES "
            f"('2024-01-01T00:00:00+00:00', '{fine}')"
        )
        self.execute("CREATE PARTITION SCHEME ps_{s} AS PARTITION pf_{s} ALL TO ([PRIMARY])")
        self.execute(
            f"CREATE TABLE {{s}}.Calls (id int NOT NULL, at datetimeoffset({self.scale}) NULL) ON ps_{{s}}(at)"
        )
        self.partitioned["Calls"] = {}

    def config(self) -> PipelineConfig:
        table = PartitionTableConfig(
            table_name="Calls",
            schema_name=self.schema,
            column_representation=dict(self.kept),
            change_detection="fingerprint",
        )
        return super().config().model_copy(update={"partition_tables": [table]})


@pytest.fixture(params=[3, 7])
def instants(
    server: Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[InstantHouse]:
    made = InstantHouse(server, tmp_path_factory.mktemp("instants"))
    made.scale = request.param
    made.make()
    for number, at in enumerate(
        (
            "2024-01-01T01:00:00+02:00",  # before the first boundary, though its local time is not
            "2023-12-31T23:00:00-02:00",  # after it, though its local time is not
            "2024-02-01T00:00:00+02:00",
            "2024-01-31T22:00:00.001+00:00",
        ),
        start=1,
    ):
        made.execute(f"INSERT INTO {{s}}.Calls VALUES ({number}, '{at}')")
    made.execute("INSERT INTO {s}.Calls VALUES (9, NULL)")
    yield made
    made.drop()


def test_instants_divide_a_table_into_partitions(instants: InstantHouse) -> None:
    assert errors(instants.run()) == []
    everything = [(1,), (2,), (3,), (4,), (9,)]
    assert instants.warehouse("Calls", '"id"') == everything
    with instants.pipeline() as pipeline:
        report = pipeline.validate_all_tables()
    assert report["valid"], report
    assert sorted(unit["warehouse"] for table in report["tables"] for unit in table["units"]) == [1, 2, 2]
    # One partition changes: its rows alone are replaced, those beside the boundary stay.
    instants.execute("UPDATE {s}.Calls SET id = 5 WHERE id = 2")
    result = instants.run()
    assert errors(result) == []
    assert sum(unit.status != "skipped" for unit in result.units) == 1
    assert instants.warehouse("Calls", '"id"') == [(1,), (3,), (4,), (5,), (9,)]
    with instants.pipeline() as pipeline:
        assert pipeline.validate_all_tables()["valid"]


def test_offsets_kept_as_text_are_refused_with_the_form_that_works(instants: InstantHouse) -> None:
    instants.kept = {}
    (stopped,) = errors(instants.run())
    assert "set column_representation of at to utc" in stopped
