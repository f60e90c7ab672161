"""Pipelines whose config has patterns: new tables are taken along, and everything that names tables knows them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dltsync_core.config import PipelineConfig
from dltsync_core.errors import ConfigError, ServerUnreachable
from dltsync_core.identity import TableName
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.testing import FakeSource, FakeTable, FakeWarehouse, int_column


def numbers(*partitioned: object) -> FakeTable:
    rows = [{"N": n} for n in range(3)]
    if partitioned:
        return FakeTable((int_column("N"),), rows, partition_column="N", boundaries=[1])
    return FakeTable((int_column("N"),), rows, primary_key=("N",))


class Place:
    """A source with tables of two schemas, and pipelines over it by name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = FakeSource(
            {
                TableName("sales", "Parts"): numbers(1),
                TableName("sales", "Kinds"): numbers(),
                TableName("hr", "People"): numbers(),
            }
        )
        self.warehouse = FakeWarehouse()

    def pipeline(self, name: str = "one", match: str = "sales.*") -> IncrementalSQLServerParquetPipeline:
        config = PipelineConfig(
            database={"server": "s", "database": "d", "username": "u", "password": "p"},
            partition_tables=[{"match": match}],
            static_tables=[{"match": match, "target_schema": name}],
            pipeline_name=name,
            state={"state_directory": self.root / name, "parquet_directory": self.root / "lake"},
        )
        return IncrementalSQLServerParquetPipeline(config, source=self.source, warehouse=self.warehouse)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_run_loads_what_fits_and_the_next_one_takes_a_new_table_along(place: Place) -> None:
    with place.pipeline() as pipeline:
        assert {str(plan.table): plan.kind for plan in pipeline.plan()} == {
            "sales.Parts": "partition",
            "sales.Kinds": "static",
        }
        first = pipeline.run(raise_on_error=True)
        assert {str(unit.table) for unit in first.units} == {"sales.Parts", "sales.Kinds"}
        place.source.tables[TableName("sales", "New")] = numbers()
        second = pipeline.run(raise_on_error=True)
        assert {str(unit.table) for unit in second.units if unit.status == "committed"} == {"sales.New"}
        assert pipeline.validate_all_tables()["total_tables"] == 3
        status = pipeline.get_pipeline_status()
        assert {table["table"] for table in status["tables"]} == {"sales.Parts", "sales.Kinds", "sales.New"}
        assert pipeline.committed("sales.New")
        assert pipeline.partition_keys("Parts") == ["(-inf,1)", "[1,+inf)"]
        with pipeline.read("New") as rows:
            assert rows.read_all().num_rows == 3
        with pytest.raises(ConfigError, match="no table 'People'"):
            pipeline.run(table_names=["People"])


def test_two_pipelines_with_patterns_of_their_own_share_a_source(place: Place) -> None:
    with place.pipeline("one") as one, place.pipeline("two", match="hr.*") as two:
        assert {str(unit.table) for unit in one.run().units} == {"sales.Parts", "sales.Kinds"}
        assert {str(unit.table) for unit in two.run().units} == {"hr.People"}
        assert two.run().success


def test_a_pattern_without_tables_is_a_note_of_the_run_and_a_warning_of_the_plan(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with place.pipeline(match="hr.*") as pipeline:
        assert any("is not on a partition scheme" not in note for note in pipeline.run().notes) is False
        place.source.tables[TableName("hr", "Parts")] = numbers(1)
        del place.source.tables[TableName("hr", "People")]
        with caplog.at_level(logging.WARNING, logger="dltsync"):
            assert len(pipeline.plan()) == 1
    with place.pipeline("other", match="nix.*") as pipeline, pytest.raises(ConfigError, match="no table is left"):
        pipeline.plan()


def test_a_source_that_does_not_answer_stops_a_run_and_is_part_of_the_status(place: Place) -> None:
    with place.pipeline() as pipeline:
        assert pipeline.run().success
        place.source.unreachable = ServerUnreachable("no answer")
        with pytest.raises(ServerUnreachable):
            pipeline.run()
        status = pipeline.get_pipeline_status()
        assert status["tables"] == []
        assert "pattern of the config" in status["database_error"]
