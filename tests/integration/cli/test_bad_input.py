"""Whatever is wrong with what was asked: a message that says what and what to do, the documented code, nothing changed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.cli.outcome import EXIT_CODES
from tests.support.cli_project import CliProject
from tests.support.forks import Ended

WRONG_PASSWORD = "Wr0ng-§ecret;}x"


def check(project: CliProject, ended: Ended, code: int, *words: str) -> None:
    """The message is there, in words; the code is right and on the list; no traceback, no secret, nothing on stdout."""
    text = ended.stdout + ended.stderr
    assert ended.status == code, text
    assert code in dict(EXIT_CODES)
    for word in words:
        assert word in " ".join(text.split()), f"{word!r} is not in: {text}"
    assert "Traceback" not in text
    assert not [secret for secret in project.secrets if secret in text]


def without(*path: str) -> Callable[[CliProject], None]:
    def change(project: CliProject) -> None:
        part: Any = project.values
        for name in path[:-1]:
            part = part[name]
        del part[path[-1]]

    return change


def with_value(value: Any, *path: str | int) -> Callable[[CliProject], None]:
    def change(project: CliProject) -> None:
        part: Any = project.values
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = value

    return change


def with_text(text: str) -> Callable[[CliProject], None]:
    def change(project: CliProject) -> None:
        project.text = text

    return change


def wrong_password(project: CliProject) -> None:
    project.environment["DLT_SYNC_PASSWORD"] = WRONG_PASSWORD


def twice(project: CliProject) -> None:
    project.values["static_tables"] *= 2


BEFORE_ANYTHING: dict[str, tuple[Callable[[CliProject], None], int, tuple[str, ...]]] = {
    "YAML that is none": (with_text("database: [unclosed"), 2, ("dltsync.yaml", "line")),
    "an empty file": (with_text(""), 2, ("dltsync.yaml",)),
    "a list at the top": (with_text("- a\n- b\n"), 2, ("dltsync.yaml", "fields at the top level")),
    "no server": (without("database", "server"), 2, ("dltsync.yaml", "server")),
    "an unknown field": (with_value(1, "processing", "batchsize"), 2, ("batchsize", "batch_size")),
    "an unknown section": (with_value({}, "databse"), 2, ("databse", "database")),
    "a value of the wrong type": (with_value("many", "processing", "batch_size"), 2, ("batch_size",)),
    "a number out of range": (with_value(0, "processing", "max_workers"), 2, ("max_workers",)),
    "a table named twice": (twice, 2, ("Countries",)),
    "an unknown variable": (with_value("${NOT_SET_ANYWHERE}", "database", "server"), 2, ("NOT_SET_ANYWHERE",)),
    "a wrong password": (wrong_password, 4, ("login", "->")),
    "nobody at the port": (with_value(1, "database", "port"), 4, (":1", "->")),
    "an unknown database": (with_value("no_such_db", "database", "database"), 4, ("no_such_db",)),
    "an untrusted certificate": (
        with_value(False, "database", "trust_server_certificate"),
        4,
        ("certificate", "trust_server_certificate"),
    ),
}


@pytest.mark.survives(
    "input",
    "14 kinds of wrong config, password, server and certificate, on the command line",
    "what is wrong, where, and what to do; the documented exit code; no traceback and no password",
    "not a byte on the disk changed",
)
@pytest.mark.parametrize("case", BEFORE_ANYTHING)
def test_what_is_wrong_before_anything_is_read_changes_nothing(project: CliProject, case: str) -> None:
    spoil, code, words = BEFORE_ANYTHING[case]
    spoil(project)
    check(project, project.call("run"), code, *words)
    assert project.disk() == {}


def test_a_missing_config_file_is_named(project: CliProject) -> None:
    check(project, project.call("run", "--config", "nowhere.yaml"), 2, "nowhere.yaml", "--config")


def test_an_unknown_table_or_kind_or_partition_on_the_command_line_is_told(project: CliProject) -> None:
    check(project, project.call("run", "--tables", "Contries"), 2, "Contries", "Countries")
    check(project, project.call("run", "--kinds", "statik"), 2, "statik", "static")
    check(project, project.call("run", "--partitions", "January"), 2, "January", "dltsync plan")
    assert project.disk() == {}


def with_table(section: str, **fields: Any) -> Callable[[CliProject], None]:
    def change(project: CliProject) -> None:
        project.values[section][0].update(fields)

    return change


def a_key_that_is_none(project: CliProject) -> None:
    project.shop.add_version(9, "2026-01-05", "Also since the fifth", "2026-01-05T09:00:00")
    project.values["scd_tables"][0]["business_key_columns"] = ["IsLatest"]


ONE_TABLE: dict[str, tuple[Callable[[CliProject], None], int, tuple[str, ...]]] = {
    "a table that is not there": (with_table("static_tables", table_name="Contries"), 2, ("Contries", "Countries")),
    "a column that is not there": (with_table("static_tables", exclude_columns=["Aera"]), 2, ("Aera", "Area")),
    "a watermark column that is not there": (
        with_table("scd_tables", last_modified_column="Chnged"),
        2,
        ("Chnged", "Changed"),
    ),
    "a table that is not partitioned": (with_table("partition_tables", table_name="Countries"), 2, ("partition",)),
    "a key that is none": (a_key_that_is_none, 9, ("business_key_columns",)),
}


@pytest.mark.parametrize("case", ONE_TABLE)
def test_what_is_wrong_with_one_table_stops_that_table(project: CliProject, case: str) -> None:
    spoil, code, words = ONE_TABLE[case]
    untouched = CliProject(project.shop, project.forks, project.root).values
    spoil(project)
    for kind in ("partition_tables", "scd_tables", "static_tables"):
        if project.values[kind] == untouched[kind]:
            project.values[kind] = []
    check(project, project.call("run"), code, *words)
    left = [name for name in project.disk() if not name.startswith("state")]
    assert [name for name in left if not (project.root / name).is_dir()] == []


@pytest.mark.parametrize("place", ["lake", "house.duckdb", "state"])
def test_a_file_in_the_way_is_named(project: CliProject, place: str) -> None:
    """As root every directory can be written, so something that is no directory stands in for one that cannot."""
    project.root.mkdir()
    in_the_way = project.root / "in_the_way"
    in_the_way.write_text("not ours")
    section, name = {
        "lake": ("state", "parquet_directory"),
        "state": ("state", "state_directory"),
        "house.duckdb": ("destination", "path"),
    }[place]
    project.values[section][name] = "in_the_way/below"
    check(project, project.call("run"), 3, "in_the_way")
    assert in_the_way.read_text() == "not ours"


@pytest.mark.survives(
    "input",
    "a disk without room for the rows (any file stops growing at 64 kB)",
    "no room left, with the path and the remedy; exit code 3",
    "the next run with room finishes; source, lake and warehouse equal",
)
def test_a_full_disk_is_told_and_costs_nothing(project: CliProject) -> None:
    project.values["static_tables"], project.values["scd_tables"] = [], []
    project.shop.execute(
        "INSERT INTO {s}.Orders (OrderNo, PlacedAt, Amount, Note) SELECT 1000 + a.OrderNo * 100 + b.OrderNo, a.PlacedAt, 1, "
        "CONVERT(nvarchar(36), NEWID()) FROM {s}.Orders a CROSS JOIN {s}.Orders b"
    )
    full = project.call("run", file_limit=64 * 1024)
    check(project, full, 3, "no room left", "->")
    assert project.call("run").status == 0
    project.shop.root = project.root
    project.shop.assert_same(["Orders"])


def test_a_missing_odbc_library_is_told_with_what_to_install(project: CliProject, tmp_path: Path) -> None:
    """A new interpreter, in which the import of pyodbc fails as it does without unixODBC."""
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "pyodbc.py").write_text(
        "raise ImportError('libodbc.so.2: cannot open shared object file: No such file or directory')\n"
    )
    project.call("schema")  # writes the config
    repository = Path(__file__).resolve().parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", "from dltsync_core.cli import main; main()", "run"],
        cwd=project.root,
        env={**os.environ, **project.environment, "PYTHONPATH": f"{stub}{os.pathsep}{repository}"},
        capture_output=True,
        text=True,
        check=False,
    )
    check(project, Ended(ended.returncode, ended.stdout, ended.stderr), 3, "libodbc.so.2", "unixodbc")
    assert project.disk() == {}
