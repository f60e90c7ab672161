"""Changed columns as a person or a script meets them: the words, the one JSON object, the exit code, the answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cli_project import CliProject


@pytest.fixture
def loaded(project: CliProject) -> CliProject:
    """Countries, loaded, and then with one column more and one less."""
    countries = {"table_name": "Countries", "schema_name": project.shop.schema, "schema_drift": "ask"}
    project.values.update(partition_tables=[], scd_tables=[], static_tables=[countries])
    assert project.call("run").status == 0
    project.shop.execute("ALTER TABLE {s}.Countries ADD Extra int NULL")
    project.shop.execute("ALTER TABLE {s}.Countries DROP COLUMN Area")
    return project


def drift(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(f["column"], f["kind"], f["before"], f["after"]) for f in found["drift"]]


EXPECTED = [("Area", "dropped", "bigint NULL", ""), ("Extra", "added", "", "int NULL")]


def test_ask_stops_plan_and_run_with_eleven_until_it_is_answered(loaded: CliProject) -> None:
    table = f"{loaded.shop.schema}.Countries"
    before = loaded.disk()
    told = loaded.call("plan")
    assert told.status == 11
    text = " ".join(told.stderr.split())
    assert f"{table} changed shape" in text
    assert f"answer with `dltsync run --tables {table} --accept-drift {table}`" in text
    ended, found = loaded.json("plan")
    assert (ended.status, found["success"], found["error"]["type"]) == (11, False, "DriftError")
    assert drift(found) == EXPECTED
    assert loaded.disk() == before, "a plan writes nothing"

    ended, found = loaded.json("run")
    assert (ended.status, found["success"]) == (11, False)
    assert drift(found) == EXPECTED
    assert [unit["error_type"] for unit in found["units"]] == ["DriftError"]

    ended, found = loaded.json("plan", "--accept-drift", table)
    assert ended.status == 0
    ((plan),) = found["tables"]
    assert drift(plan) == EXPECTED
    assert [step["action"] for step in plan["steps"]] == ["load"]

    ended, found = loaded.json("run", "--tables", table, "--accept-drift", table)
    assert (ended.status, found["success"], drift(found)) == (0, True, EXPECTED)
    ended, found = loaded.json("run")
    assert (ended.status, found["drift"], found["units"][0]["status"]) == (0, [], "skipped")


def test_a_plan_shows_the_other_tables_beside_those_that_are_stopped(loaded: CliProject) -> None:
    schema = loaded.shop.schema
    loaded.values["static_tables"].append({"table_name": "Nowhere", "schema_name": schema})
    loaded.values["partition_tables"] = [{"table_name": "Orders", "schema_name": schema}]
    told = loaded.call("plan")
    assert told.status == 2, "the smallest code of all that went wrong"
    assert "Orders" in told.stdout
    assert "Countries" not in told.stdout
    errors = [line for line in told.stderr.splitlines() if line.startswith("error: ")]
    assert ["Countries changed shape" in errors[0], "Nowhere" in errors[1], len(errors)] == [True, True, 2]
    ended, found = loaded.json("plan")
    assert (ended.status, found["exit_code"], found["success"]) == (2, 2, False)
    assert [plan["table"]["table"] for plan in found["tables"]] == ["Orders"]
    assert [(e["table"], e["type"], e["exit_code"]) for e in found["errors"]] == [
        (f"{schema}.Countries", "DriftError", 11),
        (f"{schema}.Nowhere", "TableNotFound", 2),
    ]
    assert found["error"]["message"] == found["errors"][0]["message"]
    assert drift(found) == EXPECTED


def test_freeze_takes_no_answer(loaded: CliProject) -> None:
    loaded.values["static_tables"][0]["schema_drift"] = "freeze"
    table = f"{loaded.shop.schema}.Countries"
    ended, found = loaded.json("run", "--accept-drift", table)
    assert (ended.status, drift(found)) == (11, EXPECTED)
    assert "schema_drift is freeze" in found["errors"][0]


def test_evolve_goes_on_and_says_what_changed(loaded: CliProject) -> None:
    loaded.values["static_tables"][0]["schema_drift"] = "evolve"
    told = loaded.call("plan")
    assert told.status == 0
    assert "schema dropped: Area (bigint NULL) is gone at the source" in " ".join(told.stdout.split())
    ended, found = loaded.json("run")
    assert (ended.status, drift(found)) == (0, EXPECTED)


def test_an_answer_for_a_table_that_is_not_there_is_refused(loaded: CliProject) -> None:
    ended, found = loaded.json("run", "--accept-drift", "sales.Nowhere")
    assert ended.status == 2
    assert "Nowhere" in found["error"]["message"]
