"""The schema that editors read: it admits what a file may say, `${VARIABLE}` included, and names what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from dltsync_core.config import PipelineConfig, build_config
from dltsync_core.config.editor_schema import editor_schema
from dltsync_core.config.files import read_values

ROOT = Path(__file__).parents[3]
SCHEMA = editor_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
FILES = [ROOT / "dltsync.yaml", ROOT / "docker" / "dltsync.yaml"]
_BLOCK = re.compile(r"```yaml[^\n]*\n(.*?)```", re.DOTALL)


def in_pages() -> list[tuple[str, dict[str, Any]]]:
    """The blocks of YAML in README and docs that are (parts of) a config, and the `config` of components."""
    found = []
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for page in pages:
        for number, block in enumerate(_BLOCK.findall(page.read_text(encoding="utf-8"))):
            values = yaml.safe_load(block)
            if isinstance(values, dict) and set(values) <= set(PipelineConfig.model_fields):
                found.append((f"{page.name} block {number}", values))
    return found


def problems(values: Any) -> list[str]:
    return [f"{'.'.join(map(str, one.path))}: {one.message}" for one in VALIDATOR.iter_errors(values)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(ROOT)) for file in FILES])
def test_the_repositorys_own_config_files_pass(file: Path) -> None:
    assert problems(read_values(file)) == []


@pytest.mark.parametrize(("where", "values"), in_pages(), ids=[where for where, _ in in_pages()])
def test_the_configs_of_the_pages_pass(where: str, values: dict[str, Any]) -> None:
    assert problems(values) == []


def test_there_are_such_configs() -> None:
    assert len(in_pages()) >= 4


DATABASE = {"server": "s", "database": "d", "username": "u", "password": "${PASSWORD}"}
TABLES = {"static_tables": [{"table_name": "t"}]}


@pytest.mark.parametrize(
    ("values", "variables"),
    [
        ({"database": {**DATABASE, "port": "${PORT:-1433}"}}, {}),
        (
            {"database": {**DATABASE, "trust_server_certificate": "${TRUST}", "encrypt": "${ENCRYPT}"}},
            {"TRUST": "true", "ENCRYPT": "strict"},
        ),
        (
            {"processing": {"max_workers": "${WORKERS}", "enable_sql_server_partition_switching": "${SWITCH}"}},
            {"WORKERS": "2", "SWITCH": "no"},
        ),
        ({"log_level": "${LEVEL:-INFO}", "pipeline_name": "${NAME}"}, {"NAME": "shop"}),
        (
            {"static_tables": [{"table_name": "${T}", "schema_drift": "${DRIFT}", "force_reload_after": "${AGE}"}]},
            {"T": "a", "DRIFT": "ask", "AGE": "7d"},
        ),
        ({"static_tables": [{"match": "${S}.*", "hash_algorithm": "${HASH:-checksum}"}]}, {"S": "sales"}),
        (
            {"destination": {"type": "${KIND:-duckdb}", "path": "${HOUSE}", "lock_timeout_seconds": "${WAIT}"}},
            {"HOUSE": "h.duckdb", "WAIT": "5"},
        ),
    ],
)
def test_a_reference_may_stand_for_any_scalar(values: dict[str, Any], variables: dict[str, str]) -> None:
    """What the schema admits, the config takes."""
    whole = {"database": DATABASE, **TABLES, **values}
    assert problems(whole) == []
    build_config(whole, "test", {"PASSWORD": "p", **variables})


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"database": {**DATABASE, "port": "many"}}, "database.port"),
        ({"database": {**DATABASE, "prot": 1433}}, "database"),
        ({"log_level": "LOUD"}, "log_level"),
        ({"processing": {"max_workers": 0}}, "processing.max_workers"),
        ({"destination": {"type": "${"}}, "destination.type"),
    ],
)
def test_what_is_wrong_stays_wrong(values: dict[str, Any], path: str) -> None:
    assert [one.split(": ")[0] for one in problems({"database": DATABASE, **TABLES, **values})] == [path]


@pytest.mark.parametrize(
    "entry", [{"match": "a.*", "table_name": "b"}, {"tabel_name": "b"}, {"table_name": "b", "exclude": []}]
)
def test_an_entry_names_a_table_or_matches_some(entry: dict[str, Any]) -> None:
    assert problems({"database": DATABASE, "static_tables": [entry]})


def test_the_fields_of_the_database_may_come_from_the_environment() -> None:
    assert problems({"database": {"trust_server_certificate": True}, **TABLES}) == []
    assert problems(TABLES) == []
