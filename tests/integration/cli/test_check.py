"""`dltsync check` over the wire: what is there, what is missing, the exit code. It changes nothing."""

from __future__ import annotations

import re
from contextlib import closing

import duckdb

from tests.support.cli_project import CliProject


def test_nothing_is_missing_and_nothing_changes(project: CliProject) -> None:
    project.call("schema")  # makes the directory
    before = project.disk()
    ended, found = project.json("check")
    assert (ended.status, found["success"], found["exit_code"]) == (0, True, 0)
    areas = {one["area"] for one in found["requirements"]}
    assert areas == {"machine", "source", "tables", "ledger", "warehouse"}
    assert {one["status"] for one in found["requirements"]} <= {"ok", "warning"}
    messages = " ".join(one["message"] for one in found["requirements"])
    assert "3 of 3 can be planned" in messages
    assert re.search(r"connected by libmsodbcsql\S* \d+\.\d+", messages)
    assert project.disk() == before
    assert project.secrets[0] not in ended.stdout + ended.stderr
    ended = project.call("check")
    assert ended.status == 0
    assert ended.stdout.startswith("config\n  ok       dltsync.yaml: 3 tables\n")
    assert project.disk() == before


def test_after_a_run_ledger_and_warehouse_are_opened_and_left_as_they_were(project: CliProject) -> None:
    assert project.call("run").status == 0
    before = {name: text for name, text in project.disk().items() if "queue" not in name}
    ended, found = project.json("check")
    assert ended.status == 0
    messages = [one["message"] for one in found["requirements"]]
    assert any(message.endswith("ledger.db can be read and written") for message in messages)
    assert any("house.duckdb can be opened for writing" in message for message in messages)
    assert {name: text for name, text in project.disk().items() if "queue" not in name} == before


def test_tables_that_cannot_be_planned_are_named_each_with_its_reason(project: CliProject) -> None:
    project.values["partition_tables"].append({"table_name": "Countries2", "schema_name": project.shop.schema})
    project.values["partition_tables"][0] = {"table_name": "Countries", "schema_name": project.shop.schema}
    project.values["static_tables"] = [{"match": f"{project.shop.schema}.O*"}, {"match": "nowhere.*"}]
    ended, found = project.json("check")
    missing = [one["message"] for one in found["requirements"] if one["status"] == "missing"]
    assert ended.status == 2
    assert len(missing) == 2
    assert "not on a partition scheme" in missing[0]
    assert "Countries2 is not found" in missing[1]
    warnings = [one["message"] for one in found["requirements"] if one["status"] == "warning"]
    assert "match 'nowhere.*' of static_tables fits no table that this login sees" in warnings
    assert any(one["message"] == "2 of 4 can be planned" for one in found["requirements"])


def test_a_server_that_does_not_answer_hides_nothing_else(project: CliProject) -> None:
    project.values["database"]["port"] = 1
    ended, found = project.json("check")
    assert (ended.status, found["exit_code"]) == (4, 4)
    (missing,) = [one for one in found["requirements"] if one["status"] == "missing"]
    assert missing["area"] == "source"
    assert "nothing listens at port 1" in missing["message"]
    assert {"machine", "ledger", "warehouse"} <= {one["area"] for one in found["requirements"]}


def test_a_warehouse_that_another_program_holds_is_a_warning(project: CliProject) -> None:
    project.call("schema")
    with closing(duckdb.connect(str(project.root / "house.duckdb"))):
        ended, found = project.json("check")
    assert ended.status == 0
    (held,) = [one for one in found["requirements"] if one["area"] == "warehouse"]
    assert held["status"] == "warning"
    assert "lock_timeout_seconds" in held["remedy"]


def test_a_directory_that_cannot_be_and_a_ledger_that_is_none_are_missing(project: CliProject) -> None:
    project.call("schema")
    (project.root / "lake").write_text("a file")
    (project.root / "state").mkdir()
    (project.root / "state" / "ledger.db").write_text("no database at all, but text")
    ended, found = project.json("check")
    missing = {one["area"]: one for one in found["requirements"] if one["status"] == "missing"}
    assert set(missing) == {"machine", "ledger"}
    assert "state.parquet_directory" in missing["machine"]["message"]
    assert ended.status == 3


def test_a_wrong_config_ends_as_everywhere(project: CliProject) -> None:
    project.values["databse"] = {}
    ended, found = project.json("check")
    assert ended.status == 2
    assert "did you mean `database`" in found["error"]["message"]


def test_a_new_table_that_a_pattern_matches_is_taken_along_by_the_next_run(project: CliProject) -> None:
    schema = project.shop.schema
    project.values["static_tables"] = [{"match": f"{schema}.C*", "exclude": ["*.Customers"]}]
    assert project.call("run").status == 0
    project.shop.execute("CREATE TABLE {s}.Colours (Code int NOT NULL PRIMARY KEY)")
    project.shop.execute("INSERT INTO {s}.Colours (Code) VALUES (1), (2)")
    try:
        _, planned = project.json("plan")
        names = {plan["table"]["table"] for plan in planned["tables"]}
        assert names == {"Orders", "Customers", "Countries", "Colours"}
        ended, found = project.json("run")
        assert ended.status == 0
        assert {unit["table"] for unit in found["units"] if unit["status"] == "committed"} == {f"{schema}.Colours"}
        _, status = project.json("status")
        assert f"{schema}.Colours" in {table["table"] for table in status["tables"]}
        with duckdb.connect(str(project.root / "house.duckdb"), read_only=True) as house:
            assert house.execute("SELECT count(*) FROM warehouse.Colours").fetchone() == (2,)
    finally:
        project.shop.execute("DROP TABLE {s}.Colours")


def test_a_directory_of_delta_tables_is_looked_at_and_not_made(project: CliProject) -> None:
    bucket = project.root / "delta"
    project.values["destination"] = {
        "type": "dlt",
        "destination": "filesystem",
        "table_format": "delta",
        "bucket_url": str(bucket),
    }
    ended, found = project.json("check")
    assert ended.status == 0
    (reached,) = [one for one in found["requirements"] if one["area"] == "warehouse"]
    assert (reached["status"], str(bucket) in reached["message"]) == ("ok", True)
    assert not bucket.exists()


def test_delta_tables_where_a_file_lies_are_missing(project: CliProject) -> None:
    project.call("schema")
    (project.root / "file").write_text("no directory")
    project.values["destination"] = {
        "type": "dlt",
        "destination": "filesystem",
        "table_format": "delta",
        "bucket_url": str(project.root / "file" / "delta"),
    }
    ended, found = project.json("check")
    (missing,) = [one for one in found["requirements"] if one["area"] == "warehouse"]
    assert (missing["status"], ended.status != 0) == ("missing", True)
    assert "bucket_url" in missing["remedy"]
