"""`dltsync init`: from a server to a config that runs."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.support.cli_project import CliProject

LOGIN = ("--trust-server-certificate",)


def environment(project: CliProject) -> None:
    server = project.shop.server
    project.environment.update(
        DLT_SYNC_SERVER=f"{server.host},{server.port}",
        DLT_SYNC_DATABASE=server.database,
        DLT_SYNC_USERNAME=server.username,
    )


def proposed(project: CliProject, *arguments: str) -> tuple[int, dict[str, str | None]]:
    """The exit code, and the kind of each table by its name."""
    ended, found = project.json("init", "--yes", *LOGIN, *arguments)
    tables = {table["table"].rpartition(".")[2]: table["kind"] for table in found.get("tables", [])}
    return ended.status, tables


def test_what_it_proposes_can_be_planned_and_run(project: CliProject) -> None:
    environment(project)
    schema = project.shop.schema
    project.shop.execute("CREATE TABLE {s}.[a.b ${x}] (Id int NOT NULL PRIMARY KEY, [no] int NULL)")
    project.shop.execute("INSERT INTO {s}.[a.b ${x}] (Id) VALUES (1), (2)")
    ended = project.call("init", "--yes", "-o", "proposed.yaml", "--schemas", schema, *LOGIN)
    assert ended.status == 0, ended.stderr
    assert max(map(len, ended.stdout.splitlines())) <= 160
    text = (project.root / "proposed.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=dltsync.schema.json\n")
    assert project.shop.server.password not in text
    assert "password: ${DLT_SYNC_PASSWORD}" in text
    assert json.loads((project.root / "dltsync.schema.json").read_text())["$schema"].startswith(
        "https://json-schema.org/"
    )
    written = yaml.safe_load(text)
    kinds = {
        section: [entry["table_name"] for entry in written[section]]
        for section in written
        if section.endswith("_tables")
    }
    assert kinds == {
        "partition_tables": ["Orders"],
        "scd_tables": ["Customers"],
        "static_tables": ["Countries", "a.b $${x}"],
    }
    assert written["scd_tables"][0]["last_modified_column"] == "Changed"
    project.environment.clear()
    project.environment["DLT_SYNC_PASSWORD"] = project.shop.server.password
    for command in ("plan", "run", "validate"):
        ended = project.call(command, "--config", "proposed.yaml")
        assert ended.status == 0, ended.stderr
    project.shop.execute("DROP TABLE {s}.[a.b ${x}]")


def test_patterns_choose_and_leave_out(project: CliProject) -> None:
    environment(project)
    schema = project.shop.schema
    assert proposed(project, "-o", "a.yaml", "--include", f"{schema}.C*") == (
        0,
        {"Customers": "scd", "Countries": "static"},
    )
    assert proposed(project, "-o", "b.yaml", "--schemas", schema, "--exclude", "c*,*.Orders") == (2, {})
    ended = project.call("init", "--yes", *LOGIN, "-o", "c.yaml", "--schemas", "nowhere")
    assert ended.status == 2
    assert "no table is left to propose" in ended.stderr
    assert schema in ended.stderr
    assert not (project.root / "c.yaml").exists()


def test_nothing_is_overwritten_and_nothing_written_without_an_answer(project: CliProject) -> None:
    environment(project)
    before = project.disk()
    ended = project.call("init", *LOGIN, "-o", "new.yaml")
    assert ended.status == 2
    assert "add --yes" in ended.stderr
    ended = project.call("init", "--yes", *LOGIN)
    assert ended.status == 2
    assert "dltsync.yaml is there already" in ended.stderr
    assert project.disk() == before


def test_at_a_terminal_it_asks_for_the_login_and_before_it_writes(project: CliProject) -> None:
    """Not for what options and environment say. The password is not shown, and not in the file."""
    server = project.shop.server
    password = project.environment.pop("DLT_SYNC_PASSWORD")
    project.environment["DLT_SYNC_DATABASE"] = server.database
    # The blank is shown when the terminal no longer shows what is typed: what was typed before is lost.
    typed = [("Server", f"{server.host},{server.port}"), ("Login", server.username), ("Password: ", password)]
    arguments = ("init", *LOGIN, "--schemas", project.shop.schema, "-o", "asked.yaml")
    shown = project.on_a_terminal(*arguments, typed=[*typed, ("Write asked.yaml?", "n")])
    assert f"{project.shop.schema}.Orders" in shown
    assert not (project.root / "asked.yaml").exists(), "the answer was no"
    shown = project.on_a_terminal(*arguments, typed=[*typed, ("Write asked.yaml?", "y")])
    assert "Wrote asked.yaml" in shown
    assert "Database:" not in shown
    text = (project.root / "asked.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["database"]["password"] == "${DLT_SYNC_PASSWORD}"
    assert password not in text + shown


def test_a_server_that_does_not_answer_leaves_nothing(project: CliProject) -> None:
    environment(project)
    project.environment["DLT_SYNC_SERVER"] = "127.0.0.1,1"
    ended = project.call("init", "--yes", *LOGIN, "-o", "new.yaml")
    assert ended.status == 4
    assert not (project.root / "new.yaml").exists()


def test_a_missing_login_is_said_in_words_of_the_options(project: CliProject) -> None:
    del project.environment["DLT_SYNC_PASSWORD"]
    ended = project.call("init", "--yes", "--server", "db", "--database", "d", "-o", "new.yaml")
    assert ended.status == 2
    assert "no login" in ended.stderr
    assert not Path(project.root / "new.yaml").exists()
