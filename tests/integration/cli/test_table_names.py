"""Tables whose names need brackets, on the command line: what a command prints is what the next one takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_project import CliProject
from tests.support.dotted_tables import DottedTables
from tests.support.server_shop import Server


@pytest.fixture
def tables(snapshot_server: Server, tmp_path: Path) -> Iterator[DottedTables]:
    made = DottedTables(snapshot_server, tmp_path, ["partition"])
    try:
        made.create()
        yield made
    finally:
        made.drop()


def test_commands_print_and_take_names_in_brackets(project: CliProject, tables: DottedTables) -> None:
    one, other = tables.all
    project.values |= {
        "partition_tables": [{"schema_name": t.schema, "table_name": t.table} for t in tables.all],
        "scd_tables": [],
        "static_tables": [],
    }
    _, both = project.json("status")
    assert [table["table"] for table in both["tables"]] == [str(one), str(other)]
    ended, ran = project.json("run", "--tables", str(other), "--partitions", "(-inf,10]")
    assert ended.status == 0, ran
    assert [(unit["table"], unit["unit"], unit["rows_read"]) for unit in ran["units"]] == [
        (str(other), "(-inf,10]", 10)
    ]
    assert project.call("run", "--tables", f"{one},{other}").status == 0
    ended, report = project.json("validate", "--tables", str(one))
    assert (ended.status, [table["table"] for table in report["tables"]]) == (0, [str(one)])
    ended, found = project.json("recover", "--dry-run", "--tables", str(other))
    assert (ended.status, found["agreed"]) == (0, True)

    ended, refused = project.json("run", "--tables", f"{tables.tag}.b.c")
    assert ended.status != 0
    assert f"did you mean {one}?" in refused["error"]["remedy"]
    ended, refused = project.json("run", "--partitions", "[-inf,10]")
    assert ended.status != 0
    assert "'(-inf,10]'" in refused["error"]["message"]


def test_a_command_that_an_error_names_can_be_pasted_into_a_shell(project: CliProject, tables: DottedTables) -> None:
    one = tables.all[0]
    project.values |= {
        "partition_tables": [
            {"schema_name": t.schema, "table_name": t.table, "schema_drift": "ask"} for t in tables.all
        ],
        "scd_tables": [],
        "static_tables": [],
    }
    assert project.call("run").status == 0
    tables.execute(f"ALTER TABLE [{one.schema}].[{one.table}] ADD More int NULL")
    _, refused = project.json("run")
    (error,) = [unit["error"] for unit in refused["units"] if unit["status"] == "failed"]
    command = re.search(r"`dltsync (run [^`]*)`", error)
    assert command is not None, error
    ended, ran = project.json(*shlex.split(command[1]))
    assert ended.status == 0, ran
    assert {unit["table"] for unit in ran["units"]} == {str(one)}
