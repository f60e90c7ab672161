"""From a file to a config, and every way a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dltsync_core.config import load_config
from dltsync_core.errors import ConfigError

YAML = """\
database:
  server: db
  database: shop
  username: reader
  password: ${SHOP_PASSWORD}
  encrypt: no
processing:
  batch_size: 1000
static_tables:
  - table_name: airports
    force_reload_after: 7d
"""
TOML = """\
[database]
server = "db"
database = "shop"
username = "reader"
password = "${SHOP_PASSWORD}"
[[static_tables]]
table_name = "airports"
"""
SECRET = {"SHOP_PASSWORD": "p;}{='${X}😀"}


def _write(tmp_path: Path, text: str, name: str = "dltsync.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(("name", "text"), [("a.yaml", YAML), ("a.yml", YAML), ("a.toml", TOML)])
def test_a_file_is_read_whatever_its_kind(tmp_path: Path, name: str, text: str) -> None:
    config = load_config(_write(tmp_path, text, name), SECRET)
    assert config.database.server == "db"
    assert config.database.password is not None
    assert config.database.password.get_secret_value() == "p;}{='${X}😀"
    assert config.state.state_directory == tmp_path / ".dltsync/state"


def test_yaml_words_for_no_mean_no(tmp_path: Path) -> None:
    assert load_config(_write(tmp_path, YAML), SECRET).database.encrypt == "no"


def test_the_path_comes_from_the_environment_or_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _write(tmp_path, YAML, "elsewhere.yaml")
    assert load_config(None, {**SECRET, "DLT_SYNC_CONFIG": str(file)}).processing.batch_size == 1000
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no config file dltsync\.yaml"):
        load_config(None, SECRET)
    _write(tmp_path, YAML)
    assert load_config(None, SECRET).state.state_directory == tmp_path / ".dltsync/state"


def test_section_variables_win_over_the_file(tmp_path: Path) -> None:
    variables = {**SECRET, "DLT_SYNC_PROCESSING__BATCH_SIZE": "77", "DLT_SYNC_DATABASE__SERVER": "other"}
    config = load_config(_write(tmp_path, YAML), variables)
    assert (config.processing.batch_size, config.database.server) == (77, "other")


def test_choices_for_all_tables_come_from_the_file_and_from_variables(tmp_path: Path) -> None:
    text = YAML + "representation:\n  datetime2: microseconds\n  datetimeoffset: utc\n"
    variables = {**SECRET, "DLT_SYNC_REPRESENTATION__DATETIME2": "text"}
    kept = load_config(_write(tmp_path, text), variables).representation
    assert (kept.datetime2, kept.datetimeoffset, kept.sql_variant) == ("text", "utc", None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("datetime2: utc", r"representation\.datetime2"),
        ("datetimeofset: utc", "did you mean `datetimeoffset`"),
    ],
)
def test_a_choice_that_its_type_does_not_have_is_refused(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(_write(tmp_path, f"{YAML}representation:\n  {line}\n"), SECRET)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("DLT_SYNC_PROCESING__BATCH_SIZE", "did you mean DLT_SYNC_PROCESSING__BATCH_SIZE"),
        ("DLT_SYNC_PROCESSING__BATCHSIZE", "did you mean DLT_SYNC_PROCESSING__BATCH_SIZE"),
    ],
)
def test_a_misspelt_variable_is_not_ignored(tmp_path: Path, variable: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(_write(tmp_path, YAML), {**SECRET, variable: "1"})


def test_defaults_and_escapes_in_references(tmp_path: Path) -> None:
    text = YAML.replace("${SHOP_PASSWORD}", "x").replace("server: db", "server: ${HOST:-fallback}")
    config = load_config(_write(tmp_path, text + "    description: costs $${5} and ${EMPTY:-}\n"), {"HOST": ""})
    assert config.database.server == "fallback"
    assert config.static_tables[0].description == "costs ${5} and "


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (YAML, ["database.password: environment variable SHOP_PASSWORD is not set"]),
        (YAML.replace("${SHOP_PASSWORD}", "'${broken'"), ["database.password: `${` opens a reference"]),
        ("", ["found an empty file"]),
        ("- a\n", ["found a list"]),
        ("a: [1\nb: 2", ["line 1, column 4", "noticed in line 2"]),
        ("database:\n  server: a\n  server: b\n", ["line 3, column 3", "`server` is given twice"]),
        ("database:\n  password: *hunter2\n", ["line 2, column 13"]),
        ("database:\n  password: !hunter2 x\n", ["line 2, column 13"]),
        ("database:\n  password: %hunter2\n", ["line 2, column 13"]),
        ("database:\n  password: 'hunter2\n", ["line 2, column 13", "noticed in line 3"]),
        (YAML.replace("batch_size: 1000", "batch_sise: 1"), ["processing.batch_sise", "did you mean `batch_size`?"]),
    ],
)
def test_a_broken_file_is_explained_without_its_values(tmp_path: Path, text: str, messages: list[str]) -> None:
    file = _write(tmp_path, text)
    variables = {} if "SHOP_PASSWORD is" in messages[0] else SECRET
    with pytest.raises(ConfigError) as caught:
        load_config(file, variables)
    said = str(caught.value)
    assert str(file) in said
    for message in messages:
        assert message in said
    assert "hunter2" not in said
    assert "SHOP_PASSWORD" not in said or not variables


def test_broken_toml_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 3"):
        load_config(_write(tmp_path, "[database]\nserver = [1,\n= 2", "a.toml"), {})


def test_an_unknown_kind_or_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"name it \.yaml, \.yml or \.toml"):
        load_config(_write(tmp_path, "{}", "a.json"), {})
    with pytest.raises(ConfigError, match="there is no config file"):
        load_config(tmp_path / "none.yaml", {})
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(binary, {})
