"""The demo: its config, its places, and a small run of all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dltsync_core.errors import ConfigError, EnvironmentProblem
from dltsync_dagster.demo.config_file import CONFIG
from dltsync_dagster.demo.dataset import data_directory, read_dataset
from dltsync_dagster.demo.places import Places

ROOT = Path(__file__).resolve().parents[2]
RUN = "from dltsync_core.cli import main; main()"
"""What the command `dltsync` does, in this interpreter."""


def test_the_config_at_the_root_is_the_demos() -> None:
    """`make demo` must work whatever a person did to dltsync.yaml, so the demo carries its own copy."""
    assert (ROOT / "dltsync.yaml").read_text(encoding="utf-8") == CONFIG


def test_every_flight_is_there() -> None:
    rows = read_dataset()
    assert rows["flights"].num_rows == 336_776
    assert rows["weather"].num_rows == 26_115
    assert rows["airlines"].num_rows == 16
    assert rows["airports"].num_rows == 1_458


def test_a_missing_data_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dltsync_dagster.demo.dataset.PACKAGE", "no_such_package_at_all")
    with pytest.raises(EnvironmentProblem, match=r"dltsync\[demo\]"):
        data_directory()


def test_state_of_others_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    places = Places(tmp_path)
    with places.alone(), pytest.raises(ConfigError, match="did not make"):
        places.start_afresh()
    assert (tmp_path / "lake").is_dir()


def test_tables_of_others_beside_the_demos_are_not_removed(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.prepare()
    theirs = tmp_path / "lake" / "dltsync" / "sales_Orders-01234567"
    theirs.mkdir(parents=True)
    with pytest.raises(ConfigError, match="sales_Orders"):
        places.start_afresh()
    assert theirs.is_dir()


def test_the_demo_never_goes_to_another_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLT_SYNC_DATABASE__SERVER", "production.example")
    places = Places(tmp_path)
    places.prepare()
    with pytest.raises(ConfigError, match=r"production\.example"):
        places.load_config(14330)


def test_two_demos_do_not_share_a_place(tmp_path: Path) -> None:
    with Places(tmp_path).alone(), pytest.raises(ConfigError, match="another demo"), Places(tmp_path).alone():
        pass


@pytest.mark.slow
def test_the_demo_ends_equal(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, "demo", "--data", str(tmp_path), "--every", "100", "--json"],
        cwd=tmp_path,
        env={**os.environ, "DLT_SYNC_DEBUG": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["equal"] is True
    read = {(unit["table"], unit["unit"]) for unit in told["second_sync"] if unit["rows_read"]}
    assert read == {
        ("dbo.flights", "[2013-07-01T00:00:00,2013-08-01T00:00:00)"),
        ("dbo.weather", "(2013-09-30,2013-10-31]"),
        ("dbo.aircraft_operator", "all"),
        ("dbo.airports", "all"),
    }
    assert told["source_rows"]["weather"] == 26_115
    assert "Loopback-only-1" not in done.stdout + done.stderr
