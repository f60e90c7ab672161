"""The files that a run leaves for operators: a summary in JSON, and metrics that Prometheus reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dltsync_core.errors import ConfigError, EnvironmentProblem, NotWritable, QueryError
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import RunResult
from tests.support.memory_shop import MemoryShop

Samples = dict[tuple[str, str, str], float]


class ReportedShop(MemoryShop):
    """A shop whose config has both files."""

    name = "dltsync"
    files: dict[str, Any]

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        config = self.config().model_copy(update={**self.files, "pipeline_name": self.name})
        return IncrementalSQLServerParquetPipeline(config, source=self.source, warehouse=self.warehouse)

    def summary(self) -> dict[str, Any]:
        found = json.loads((self.root / "new" / "summary.json").read_text())
        assert isinstance(found, dict)
        return found

    def metrics(self) -> Samples:
        """By metric, table and status."""
        text = (self.root / "new" / "dltsync.prom").read_text()
        return {
            (sample.name, sample.labels.get("table", ""), sample.labels.get("status", "")): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.labels["pipeline"] == self.name
        }


@pytest.fixture
def place(tmp_path: Path) -> ReportedShop:
    made = ReportedShop(tmp_path)
    made.files = {"summary_file": tmp_path / "new" / "summary.json", "metrics_file": tmp_path / "new" / "dltsync.prom"}
    return made


def broken(monkeypatch: pytest.MonkeyPatch, place: ReportedShop) -> None:
    def refused(*args: Any, **values: Any) -> Any:
        raise QueryError("refused")

    monkeypatch.setattr(type(place.source), "read_view", refused)


def test_the_summary_is_the_result_of_the_last_run(place: ReportedShop) -> None:
    first = place.run()
    assert place.summary().items() >= json.loads(json.dumps(first.as_dict(), default=str)).items()
    second: RunResult = place.run()
    assert place.summary()["run_id"] == second.run_id
    assert place.summary()["pipeline_name"] == "dltsync"
    assert not [path for path in (place.root / "new").iterdir() if path.name.startswith("summary.json.")]


def test_a_run_that_cannot_begin_is_in_both_files(place: ReportedShop) -> None:
    place.run()
    with pytest.raises(ConfigError):
        place.run(table_names=["Nowhere"])
    assert place.summary()["success"] is False
    assert "Nowhere" in place.summary()["error"]["message"]
    assert place.metrics()["dltsync_run_success", "", ""] == 0
    assert place.metrics()["dltsync_table_rows_read", "dbo.Countries", ""] == 3, "of its last run"


def test_metrics_hold_each_table(place: ReportedShop) -> None:
    result = place.run()
    found = place.metrics()
    assert found["dltsync_run_success", "", ""] == 1
    assert found["dltsync_table_units", "sales.Orders", "committed"] == 3
    assert found["dltsync_table_units", "sales.Orders", "failed"] == 0
    assert found["dltsync_table_rows_read", "sales.Orders", ""] == 29
    written = sum(unit.bytes_written for unit in result.units if str(unit.table) == "sales.Orders")
    assert found["dltsync_table_bytes_written", "sales.Orders", ""] == written
    assert found["dltsync_run_timestamp_seconds", "", ""] > 1.7e9


def test_a_table_that_fails_has_its_last_success_still(place: ReportedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    place.run()
    before = place.metrics()["dltsync_table_last_success_timestamp_seconds", "dbo.Countries", ""]
    broken(monkeypatch, place)
    assert place.run(force=True, table_types=["static"]).failed
    found = place.metrics()
    assert found["dltsync_table_units", "dbo.Countries", "failed"] == 1
    assert found["dltsync_table_last_success_timestamp_seconds", "dbo.Countries", ""] == before
    assert found["dltsync_run_success", "", ""] == 0


def test_runs_of_single_tables_and_other_pipelines_share_the_metrics(place: ReportedShop, tmp_path: Path) -> None:
    other = ReportedShop(tmp_path / "other")
    other.files, other.name, other.root = place.files, "other", tmp_path / "other"
    other.root.mkdir()
    place.run(table_types=["static"])
    place.run(table_types=["scd"])
    other.run()
    other.root = place.root  # where the files are
    assert {table for _, table, _ in place.metrics()} == {"", "dbo.Countries", "sales.Customers"}
    assert {table for _, table, _ in other.metrics()} == {"", "dbo.Countries", "sales.Customers", "sales.Orders"}


def test_without_the_extra_a_run_stops_before_it_begins(place: ReportedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(EnvironmentProblem) as raised:
        place.run()
    assert "dltsync[metrics]" in raised.value.remedy
    assert not (place.root / "lake").exists()


@pytest.mark.parametrize("name", ["summary_file", "metrics_file"])
def test_a_file_that_cannot_be_made_stops_a_run_before_it_begins(place: ReportedShop, name: str) -> None:
    (place.root / "taken").write_text("")
    place.files[name] = place.root / "taken" / "x.prom"
    with pytest.raises(NotWritable, match=name):
        place.run()


def test_a_file_that_cannot_be_written_at_the_end_costs_a_warning(
    place: ReportedShop, caplog: pytest.LogCaptureFixture
) -> None:
    def block(event: Any) -> None:
        path = place.files["summary_file"]
        if not path.exists():
            path.mkdir()

    assert place.run(on_event=block).success
    assert "could not be written" in caplog.text


def test_a_metrics_file_that_no_collector_reads_is_refused(place: ReportedShop) -> None:
    with pytest.raises(ConfigError, match=r"\.prom"):
        type(place.config())(**{**dict(place.config()), "metrics_file": place.root / "metrics.txt"})
