"""`dltsync recover` as a person or a script meets it: the table, the one JSON object, the exit codes, the answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.cli_project import CliProject


def data_files(project: CliProject, table: str) -> list[Path]:
    return sorted(project.root.glob(f"lake/*/{project.shop.schema}_{table}*/data/**/*.parquet"))


def lose_warehouse(project: CliProject) -> None:
    for path in project.root.glob("house.duckdb*"):
        path.unlink()


@pytest.fixture
def loaded(project: CliProject) -> CliProject:
    """Orders and Countries in all three places."""
    project.values["scd_tables"] = []
    assert project.call("run").status == 0
    return project


def test_a_dry_run_tells_what_is_wrong_and_what_it_will_cost_and_changes_nothing(loaded: CliProject) -> None:
    assert loaded.call("recover", "--dry-run").status == 0
    file = data_files(loaded, "Orders")[1]
    file.write_bytes(file.read_bytes()[:-20])
    shutil.copy(data_files(loaded, "Countries")[0], data_files(loaded, "Countries")[0].with_name("copy.parquet"))
    before = loaded.disk()

    ended, found = loaded.json("recover", "--dry-run")
    assert (ended.status, found["agreed"], found["rows_to_read"]) == (12, False, 8)
    orders, countries = found["tables"]
    assert [(unit["verdict"], unit["next"], unit["rows_to_read"]) for unit in orders["units"]] == [
        ("keep", "skip", 0),
        ("re_extract", "load", 8),
        ("keep", "skip", 0),
    ]
    assert [(unit["verdict"], unit["rows_to_read"]) for unit in countries["units"]] == [("keep", 0)]
    assert [len(table["quarantined"]) for table in (orders, countries)] == [1, 1]

    told = loaded.call("recover", "--dry-run")
    text = " ".join(told.stdout.split())
    assert told.status == 12
    assert "Recovery (dry run)" in text
    assert "the next run reads 8 rows" in text
    assert f"would be moved away: {file} has" in told.stdout
    assert loaded.disk() == before


def test_what_a_dry_run_announced_is_what_the_next_run_reads(loaded: CliProject) -> None:
    file = data_files(loaded, "Orders")[1]
    file.write_bytes(file.read_bytes()[:-20])
    lose_warehouse(loaded)
    _, found = loaded.json("recover", "--dry-run")
    ended, repaired = loaded.json("recover")
    assert (ended.status, repaired["dry_run"], repaired["rows_to_read"]) == (0, False, found["rows_to_read"])
    assert not file.exists()
    assert list(loaded.root.glob("lake/*/*/_quarantine/**/*.why.json"))
    _, result = loaded.json("run")
    assert (result["success"], result["total_records"]) == (True, found["rows_to_read"])
    assert loaded.json("recover", "--dry-run")[1]["agreed"] is True
    loaded.shop.root = loaded.root
    loaded.shop.assert_same(["Orders", "Countries"])


def test_a_question_waits_for_its_answer(loaded: CliProject) -> None:
    manifest = next(loaded.root.glob(f"lake/*/{loaded.shop.schema}_Countries*/_manifests/*.json"))
    facts = {**json.loads(manifest.read_text(encoding="utf-8")), "pipeline": "other", "load_id": "x"}
    manifest.with_name("x.json").write_text(json.dumps(facts), encoding="utf-8")

    for arguments in ((), ("--dry-run",)):
        ended, found = loaded.json("recover", *arguments)
        assert (ended.status, [question["answer"] for question in found["questions"]]) == (10, ["quarantine"])
    told = loaded.call("recover", "--dry-run")
    assert told.status == 10
    assert f"-> dltsync recover --tables {loaded.shop.schema}.Countries --answer quarantine" in told.stdout
    assert manifest.with_name("x.json").exists()

    wrong, found = loaded.json("recover", "--tables", "Countries", "--answer", "accept-loss")
    assert wrong.status == 2
    assert "the answer it takes is quarantine" in found["tables"][0]["error"]
    right, found = loaded.json("recover", "--tables", "Countries", "--answer", "quarantine")
    assert (right.status, found["questions"]) == (0, [])
    assert not manifest.with_name("x.json").exists()
    _, result = loaded.json("run")
    assert (result["success"], result["total_records"]) == (True, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("recover", "--answer", "quarantine"), id="an answer to nobody"),
        pytest.param(("recover", "--answer", "perhaps"), id="an answer that is none"),
        pytest.param(("recover", "--drily"), id="an unknown option"),
        pytest.param(("recover", "--tables"), id="an option without its value"),
        pytest.param(("recover", "--tables", "Contries"), id="an unknown table"),
        pytest.param(("recovery",), id="an unknown command"),
    ],
)
def test_what_cannot_be_understood_is_one_json_object_or_one_message(
    project: CliProject, arguments: tuple[str, ...]
) -> None:
    if arguments[-1] == "--tables":
        ended = project.call(arguments[0], "--json", *arguments[1:])
        found = json.loads(ended.stdout)
    else:
        ended, found = project.json(*arguments)
    assert (ended.status, found["success"], found["exit_code"]) == (2, False, 2)
    assert found["error"]["message"]
    assert found["error"]["remedy"]
    plain = project.call(*arguments)
    assert (plain.status, plain.stdout) == (2, "")
    assert plain.stderr.strip()
    assert project.disk() == {}
