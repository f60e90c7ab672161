"""`dltsync status`: the last error of every table, whatever stage it failed at, until the table's next success."""

from __future__ import annotations

from typing import Any

import pytest

from dltsync_core.config import PipelineConfig
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.support.cli_project import CliProject

pytestmark = pytest.mark.timeout(900)
"""A dozen commands, each a process: on a machine that is busy with other things each takes seconds."""


def last_errors(project: CliProject, *, on_terminal: bool = False) -> dict[str, str | None]:
    """By table, the first line; the same from Python, and on the terminal."""
    ended, found = project.json("status")
    assert ended.status == 0
    errors = {table["table"].rpartition(".")[2]: table["last_error"] for table in found["tables"]}
    assert {t["table"] for t in found["tables"] if t["last_error_at"]} == {
        t["table"] for t in found["tables"] if t["last_error"]
    }
    lines = {name: text.splitlines()[0] if text else None for name, text in errors.items()}
    shown = "".join(project.call("status").stdout.split()) if on_terminal else ""
    for text in lines.values() if on_terminal else ():
        assert text is None or "".join(text.split())[:40] in shown
    with IncrementalSQLServerParquetPipeline(PipelineConfig(**in_python(project))) as pipeline:
        report = pipeline.get_pipeline_status()
    assert {table["table"].rpartition(".")[2]: table["last_error"] for table in report["tables"]} == errors
    return lines


def in_python(project: CliProject) -> dict[str, Any]:
    values = {**project.values}
    values["database"] = {**values["database"], "password": project.shop.server.password}
    values["state"] = {name: str(project.root / place) for name, place in values["state"].items()}
    values["destination"] = {"path": str(project.root / "house.duckdb")}
    return values


def rules(project: CliProject, **rule: Any) -> None:
    (countries,) = project.values["static_tables"]
    countries["quality"] = [{"column": "Area", **rule}]


@pytest.mark.parametrize("loaded_before", [True, False], ids=["loaded before", "first run"])
def test_each_table_tells_its_own_last_error_until_it_succeeds(project: CliProject, loaded_before: bool) -> None:
    """One table fails when it is planned, one when it is loaded, one succeeds."""
    schema = project.shop.schema
    if loaded_before:
        assert project.call("run").status == 0
        assert last_errors(project) == {"Orders": None, "Customers": None, "Countries": None}
    project.shop.execute("DROP TABLE {s}.Customers")
    rules(project, max=50_000)
    _, result = project.json("run", "--force")
    assert {unit["table"].rpartition(".")[2]: unit["status"] for unit in result["units"]} == {
        "Orders": "committed",
        "Customers": "failed",
        "Countries": "failed",
    }
    told = last_errors(project)
    assert told["Orders"] is None
    assert told["Customers"] is not None
    assert told["Customers"].startswith("TableNotFound: ")
    assert f"{schema}.Customers" in told["Customers"]
    assert told["Countries"] is not None
    assert "Area" in told["Countries"]

    # Who looks and who loads other tables changes nothing about it.
    project.call("plan")
    assert project.call("run", "--tables", "Orders").status == 0
    assert last_errors(project) == told

    project.shop.execute(
        "CREATE TABLE {s}.Customers (CustomerNo int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL, "
        "IsLatest bit NOT NULL, Name nvarchar(100) NULL, Changed datetime2(7) NOT NULL, "
        "CONSTRAINT pk_{s}_again PRIMARY KEY (CustomerNo, EffectiveDate))"
    )
    project.shop.add_version(1, "2026-01-01", "Ann", "2026-01-01T08:00:00")
    assert project.call("run", "--tables", "Customers").status == 0
    assert last_errors(project) == {**told, "Customers": None}
    rules(project, max=1_000_000)
    assert project.call("run").status == 0
    assert last_errors(project) == {"Orders": None, "Customers": None, "Countries": None}


def test_a_partition_table_that_cannot_be_planned_tells_so_until_it_can(project: CliProject) -> None:
    """Its partitions have no failures of their own: all of them are up to date when the columns are as before."""
    project.values["partition_tables"][0]["schema_drift"] = "freeze"
    assert project.call("run").status == 0
    project.shop.execute("ALTER TABLE {s}.Orders ADD Extra int NULL")
    assert project.call("run").status == 11
    told = last_errors(project, on_terminal=True)
    assert (told["Customers"], told["Countries"]) == (None, None)
    assert told["Orders"] is not None
    assert told["Orders"].startswith("DriftError: ")

    project.shop.execute("ALTER TABLE {s}.Orders DROP COLUMN Extra")
    _, result = project.json("run")
    assert {unit["status"] for unit in result["units"]} == {"skipped"}
    assert set(last_errors(project).values()) == {None}


def test_a_config_that_a_table_refuses_is_its_last_error(project: CliProject) -> None:
    project.values["static_tables"][0]["exclude_columns"] = ["Nowhere"]
    project.values["scd_tables"][0]["last_modified_column"] = "Moved"
    assert project.call("run").status == 2
    told = last_errors(project)
    assert told["Orders"] is None
    assert "Nowhere" in str(told["Countries"])
    assert "Moved" in str(told["Customers"])
