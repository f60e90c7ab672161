"""What commands print: one JSON object with --json, logs on stderr, and exit codes that are those of `--help`."""

from __future__ import annotations

import json
import re

import pytest
import typer

from dltsync_core import errors
from dltsync_core.cli import app, outcome
from dltsync_core.errors import SyncError
from tests.support.cli_project import CliProject

READS_NO_CONFIG = {"init", "schema"}


def needed(command: str, project: CliProject) -> list[str]:
    """What a command must be given besides the config."""
    server = project.shop.server
    login = ["--server", f"{server.host},{server.port}", "--database", server.database, "--username", server.username]
    proposal = ["--yes", *login, "--trust-server-certificate", "--schemas", project.shop.schema, "-o", "proposed.yaml"]
    return {"repair": ["Customers"], "init": proposal}.get(command, [])


def commands() -> list[str]:
    """Those of the core; other packages add theirs when `main` runs."""
    return sorted(command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands)


def test_every_command_gives_one_json_object_and_says_the_rest_on_stderr(project: CliProject) -> None:
    first, result = project.json("run")
    assert (first.status, result["success"]) == (0, True)
    for command in commands():
        ended, found = project.json(command, *needed(command, project))
        assert ended.status in dict(outcome.EXIT_CODES), command
        assert ended.status == 0, f"{command}: {ended.stderr}"
        assert found
        for line in ended.stderr.splitlines():
            assert json.loads(line), f"{command} wrote to stderr what is no log line"


def test_every_command_gives_one_json_object_when_it_fails(project: CliProject) -> None:
    project.values["database"]["port"] = 1
    for command in ("run", "plan", "validate"):
        ended, found = project.json(command)
        assert (ended.status, found["exit_code"], found["success"]) == (4, 4, False)
        assert found["error"]["type"] == "ServerUnreachable"
        assert found["error"]["message"]
        assert found["error"]["remedy"]
    ended, found = project.json("status")  # that the server does not answer is part of the status, not an error
    assert (ended.status, found["database_connected"]) == (0, False)


def test_a_config_that_cannot_be_read_is_one_json_object_for_every_command(project: CliProject) -> None:
    project.text = "database: ["
    for command in commands():
        if command in READS_NO_CONFIG:
            continue
        ended, found = project.json(command, *needed(command, project))
        assert (ended.status, found["exit_code"], found["error"]["type"]) == (2, 2, "ConfigError"), command


def test_a_failed_unit_is_in_the_json_and_in_the_exit_code(project: CliProject) -> None:
    project.values["static_tables"][0]["table_name"] = "Contries"
    ended, found = project.json("run")
    assert (ended.status, found["success"], found["tables_failed"], found["tables_processed"]) == (2, False, 1, 2)
    assert "Countries" in found["errors"][0]


def test_validation_that_disagrees_ends_with_nine(project: CliProject) -> None:
    assert project.call("run").status == 0
    project.shop.add_orders(900, "2026-01-07T00:00:00", 1)
    ended, found = project.json("validate")
    assert (ended.status, found["valid"]) == (9, False)


def test_a_plan_changes_nothing(project: CliProject) -> None:
    ended, _ = project.json("plan")
    assert ended.status == 0
    assert project.disk() == {}


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_output_of_a_run_holds_the_password(project: CliProject, level: str) -> None:
    files = {"log_file": "run.log", "summary_file": "summary.json", "metrics_file": "dltsync.prom"}
    project.values |= {"log_level": level, **files}
    ended = project.call("run")
    assert ended.status == 0, ended.stderr
    for name in files.values():
        assert "Countries" in (project.root / name).read_text(encoding="utf-8"), f"{name} has no content"
    written = "".join(path.read_text(errors="replace") for path in project.root.rglob("*") if path.is_file())
    for secret in project.secrets:
        assert secret not in ended.stdout + ended.stderr + written


def test_the_options_of_the_log_win_over_config_and_environment(project: CliProject) -> None:
    project.values |= {"log_level": "ERROR", "log_file": "run.log"}
    project.environment["DLT_SYNC_LOG_LEVEL"] = "INFO"
    first = project.call("run")
    assert {json.loads(line)["event"] for line in first.stderr.splitlines()} >= {"reading", "committed", "run finished"}
    assert project.call("run", "-q").stderr == ""
    text = project.call("run", "--force", "--log-format", "text", "--log-level", "debug").stderr
    assert re.search(r"(?m)^\S+Z \[debug\s*\] loading .*rows=", text)
    logged = (project.root / "run.log").read_text(encoding="utf-8")
    assert '"event": "skipped"' in logged, "-q is about stderr alone"
    assert "[debug" in logged, "--log-format and --log-level are about the file too"
    both = project.call("plan", "-v", "-q")
    assert (both.status, "exclude each other" in both.stderr) == (2, True)


def test_a_wrong_level_in_the_environment_is_an_error_with_a_remedy(project: CliProject) -> None:
    project.environment["DLT_SYNC_LOG_LEVEL"] = "LOUD"
    for command in ("run", "status"):
        ended, found = project.json(command)
        assert (ended.status, found["error"]["type"]) == (2, "ConfigError")
        assert "DEBUG" in found["error"]["remedy"]


def test_help_lists_every_exit_code(project: CliProject) -> None:
    text = project.call("--help").stdout
    for code, meaning in outcome.EXIT_CODES:
        assert re.search(rf"(?m)^\s*{code}\s", text), f"{code} is not in --help"
        assert " ".join(meaning.split())[:25] in " ".join(text.split())


def test_documented_exit_codes_are_those_in_use() -> None:
    def tree(error: type[SyncError]) -> set[int]:
        return {error.exit_code}.union(*(tree(child) for child in error.__subclasses__()))

    raised = tree(errors.SyncError)
    ends = {0, outcome.TO_REPAIR, outcome.INTERNAL_DEFECT, outcome.INTERRUPTED, outcome.TERMINATED}
    documented = [code for code, _ in outcome.EXIT_CODES]
    assert set(documented) == raised | ends
    assert documented == sorted(set(documented))


def test_a_defect_is_told_without_a_traceback_and_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, outcome.explained(as_json=False):
        raise RuntimeError("pwd=hunter22")
    told = capsys.readouterr()
    assert ended.value.exit_code == outcome.INTERNAL_DEFECT
    assert "hunter22" not in told.out + told.err
    assert "Traceback" not in told.err


@pytest.mark.survives(
    "crash",
    "SIGTERM or Ctrl-C in the middle of `dltsync run` (reading, publishing, loading)",
    "exit code 143 or 130, one JSON object with --json",
    "no half load is visible, no private file is left; the next run finishes",
)
@pytest.mark.parametrize(("sent", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
@pytest.mark.parametrize("step", ["first_batch", "file_in_place", "warehouse_evolved"])
def test_a_run_that_is_told_to_end_tidies_up(project: CliProject, sent: str, code: int, step: str) -> None:
    ended, found = project.json("run", stop=step, signal=sent)
    assert (ended.status, found["exit_code"], found["success"]) == (code, code, False)
    left = [name for name in project.disk() if "/_staging/" in name or "/work/" in name or name.endswith(".partial")]
    assert left == []
    assert project.call("run").status == 0
    project.shop.root = project.root
    project.shop.assert_same()
