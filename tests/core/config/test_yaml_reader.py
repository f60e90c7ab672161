"""Plain words and numbers of a config mean what they say: YAML 1.1 read many of them as something else without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dltsync_core.config import PipelineConfig, load_config
from dltsync_core.config.yaml_reader import PlainLoader
from dltsync_core.errors import ConfigError

DATABASE = "database: {server: db, database: shop, username: u, password: p}\n"


def _load(tmp_path: Path, text: str) -> PipelineConfig:
    file = tmp_path / "dltsync.yaml"
    file.write_text(DATABASE + text)
    return load_config(file, {})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("OFF", "OFF"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("190:20:30.15", "190:20:30.15"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("0b11", "0b11"),
        ("=", "="),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1e3", 1000.0),
        ("1.10", 1.1),
        ("-.5", -0.5),
        ("-.inf", float("-inf")),
        ("1.2.3", "1.2.3"),
        ("1e3x", "1e3x"),
    ],
)
def test_a_plain_scalar_is_read_as_in_yaml_1_2(written: str, read: Any) -> None:
    found = yaml.load(f"a: {written}", Loader=PlainLoader)["a"]  # noqa: S506 - a SafeLoader
    assert found == read
    assert type(found) is type(read)


def test_a_merge_still_merges() -> None:
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}"
    assert yaml.load(text, Loader=PlainLoader)["one"] == {"x": 1, "y": 3}  # noqa: S506 - a SafeLoader


@pytest.mark.parametrize("written", ["012", "-007", "089"])
def test_a_number_with_a_leading_zero_is_refused_with_its_line(tmp_path: Path, written: str) -> None:
    """YAML 1.1 makes ten of 012, 1.2 makes twelve, and who writes it may mean the text."""
    with pytest.raises(ConfigError, match=r"line 3, column 17: a number with a leading zero: put it in quotes"):
        _load(tmp_path, f"static_tables: [{{table_name: a}}]\nprocessing: {{x: {written}}}\n")


def test_the_words_of_a_quality_rule_stay_words(tmp_path: Path) -> None:
    text = "static_tables: [{table_name: a, quality: [{column: c, allowed: [NO, on, SE, 12:30, 2024-01-01, '012']}]}]\n"
    (rule,) = _load(tmp_path, text).static_tables[0].quality
    assert rule.allowed == ("NO", "on", "SE", "12:30", "2024-01-01", "012")


def test_fields_that_are_boolean_take_the_words_of_people(tmp_path: Path) -> None:
    text = (
        "static_tables: [{table_name: a, accept_row_filter: Yes}]\n"
        "processing: {require_snapshot: on, validate_precision_end_to_end: OFF}\nenable_structured_logging: no\n"
    )
    config = _load(tmp_path, text)
    assert config.static_tables[0].accept_row_filter is True
    assert (config.processing.require_snapshot, config.processing.validate_precision_end_to_end) == (True, False)
    assert config.enable_structured_logging is False
    for word, meant in (("yes", "yes"), ("no", "no"), ("on", "yes"), ("off", "no"), ("true", "yes")):
        file = tmp_path / "dltsync.yaml"
        file.write_text(f"{DATABASE.rstrip()[:-1]}, encrypt: {word}}}\nstatic_tables: [{{table_name: a}}]\n")
        assert load_config(file, {}).database.encrypt == meant


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("static_tables: [{table_name: 12}]", "static_tables[0].table_name"),
        ("static_tables: [{table_name: true}]", "static_tables[0].table_name"),
        ("static_tables: [{table_name: a, exclude_columns: [1]}]", "static_tables[0].exclude_columns[0]"),
        ("static_tables: [{table_name: a, tags: {team: 7}}]", "static_tables[0].tags.team"),
        ("static_tables: [{table_name: a}]\ndestination: {dataset_name: 1e3}", "destination.dataset_name"),
    ],
)
def test_what_must_be_text_says_quotes(tmp_path: Path, line: str, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, line + "\n")
    assert f"{path}: must be text; put it in quotes" in str(caught.value)


def test_a_password_of_digits_says_quotes_and_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "dltsync.yaml"
    file.write_text(DATABASE.replace("password: p", "password: 918273") + "static_tables: [{table_name: a}]\n")
    with pytest.raises(ConfigError, match=r"database\.password: must be text; put it in quotes") as caught:
        load_config(file, {})
    assert "918273" not in str(caught.value)


def test_tags_keep_their_words(tmp_path: Path) -> None:
    table = _load(tmp_path, "static_tables: [{table_name: a, tags: {nightly: yes, on: off}}]\n").static_tables[0]
    assert table.tags == {"nightly": "yes", "on": "off"}
