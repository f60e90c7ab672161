"""An error is said once on a terminal. The log file has it as well, and so has a log in JSON."""

from __future__ import annotations

import json

import pytest

from tests.support.cli_project import CliProject

GONE = "Gone"


@pytest.mark.parametrize("command", ["run", "plan", "validate", "recover"])
def test_an_error_of_the_command_is_said_once(project: CliProject, command: str) -> None:
    project.values["log_file"] = "log.jsonl"
    shown = " ".join(project.on_a_terminal(command, "--tables", GONE).split())  # an entry of the log is wrapped
    assert shown.count(f"no table '{GONE}' in the config") == 1, shown
    assert "error: no table" in shown
    if command == "run":
        assert events(project, "run failed") == [f"no table '{GONE}' in the config"]


def test_a_failure_of_a_table_is_said_once_with_its_remedy(project: CliProject) -> None:
    project.values["static_tables"].append({"table_name": GONE, "schema_name": project.shop.schema})
    project.values["log_file"] = "log.jsonl"
    shown = project.on_a_terminal("run")
    assert shown.count("Otherwise check schema_name") + shown.count("-> check schema_name") == 1, shown
    assert "[error" not in shown, "no entry of the log beside the progress and the result"
    assert f"failed: table {project.shop.schema}.{GONE} is not found" in shown, "the table is named once"
    (message,) = events(project, "failed")
    assert "check schema_name" in message


def test_who_asks_for_the_log_gets_every_entry(project: CliProject) -> None:
    project.values["static_tables"].append({"table_name": GONE, "schema_name": project.shop.schema})
    shown = project.on_a_terminal("run", "--log-format", "json", "--quiet")
    (entry,) = [json.loads(line) for line in shown.splitlines() if line.startswith('{"timestamp"')]
    assert (entry["event"], entry["level"]) == ("failed", "error")
    assert "check schema_name" in entry["message"]


def test_a_table_that_could_not_be_compared_is_not_called_equal(project: CliProject) -> None:
    project.call("run")
    project.values["static_tables"].append({"table_name": GONE, "schema_name": project.shop.schema})
    ended = project.call("validate")
    (row,) = [line for line in ended.stdout.splitlines() if line.startswith(f"{project.shop.schema}.{GONE} ")]
    assert row.split()[1:] == ["all", "–", "–", "–", "not", "compared"]
    assert "3 of 4 tables agree" in ended.stdout
    assert ended.status == 9


def events(project: CliProject, name: str) -> list[str]:
    """The messages of the log file's entries with this name."""
    lines = (project.root / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["message"] for entry in map(json.loads, lines) if entry["event"] == name]
