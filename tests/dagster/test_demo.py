"""The demo: its config, its places, and a small run of all of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import duckdb
import pyodbc
import pytest
import yaml

from dltsync_core.cli import main
from dltsync_core.config import DestinationConfig, StateConfig
from dltsync_core.errors import ConfigError, EnvironmentProblem
from dltsync_dagster.demo.config_file import CONFIG, DIRECTORY, WAREHOUSE_DATABASE
from dltsync_dagster.demo.dataset import TABLES, data_directory, read_dataset
from dltsync_dagster.demo.places import Places
from dltsync_dagster.demo.reader import Seen, reading
from tests.support.sandbox_server import SandboxServer

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


MARKER = "made-by-dltsync-demo"


def _contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _state_of_a_person(directory: Path) -> dict[str, bytes]:
    """A warehouse and a ledger whose lake is in a bucket: nothing of it lies in a local lake. Returns its contents."""
    (directory / "state").mkdir(parents=True)
    (directory / "state" / "ledger.db").write_bytes(b"ledger")
    with duckdb.connect(str(directory / "dltsync.duckdb")) as house:
        house.execute("CREATE SCHEMA sales")
        house.execute("CREATE TABLE sales.orders AS SELECT 1 AS n")
    return _contents(directory)


def test_the_demo_keeps_away_from_where_dltsync_keeps_state() -> None:
    """Both used `.dltsync`: a demo in the directory of a config removed its warehouse and its ledger."""
    config = yaml.safe_load(CONFIG)
    product = {path.parts[0] for path in (StateConfig().state_directory, DestinationConfig().path)}
    kept = {config["state"]["state_directory"], config["state"]["parquet_directory"], config["destination"]["path"]}
    assert product == {".dltsync"}
    assert {Path(path).parts[0] for path in kept} == {DIRECTORY}
    assert DIRECTORY not in product


@pytest.mark.parametrize("options", [[], ["--keep"], ["--ui"], ["--remove"]])
def test_a_directory_that_the_demo_did_not_make_is_refused(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = _state_of_a_person(tmp_path / ".dltsync")
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--data", str(tmp_path / ".dltsync"), *options])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "did not make" in said
    assert "--data" in said
    assert _contents(tmp_path / ".dltsync") == before


def test_an_old_demo_whose_ledger_was_taken_over_is_not_removed(tmp_path: Path) -> None:
    """A demo of before the marker, then the product in the same directory, with its lake in a bucket: the local lake is the
    demo's own, or there is none."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "dltsync.yaml").write_text(CONFIG)
    before = _state_of_a_person(tmp_path)
    places = Places(tmp_path)
    with pytest.raises(ConfigError, match="did not make"):
        places.start_afresh()
    assert _contents(tmp_path) == before


def test_tables_of_others_beside_the_demos_are_not_removed(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.prepare()
    theirs = tmp_path / "lake" / "dltsync" / "sales_Orders-01234567"
    theirs.mkdir(parents=True)
    with pytest.raises(ConfigError, match="sales_Orders"):
        places.start_afresh()
    assert theirs.is_dir()


def test_tables_of_others_in_the_demos_warehouse_are_not_removed(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.prepare()
    before = _state_of_a_person(tmp_path)
    for attempt in (places.start_afresh, places.remove):
        with pytest.raises(ConfigError, match=r"sales\.orders"):
            attempt()
    assert {name: _contents(tmp_path)[name] for name in before} == before


def test_a_warehouse_that_cannot_be_looked_into_is_not_removed(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.prepare()
    places.warehouse.write_bytes(b"no database at all")
    with pytest.raises(ConfigError, match="cannot be opened"):
        places.start_afresh()
    assert places.warehouse.read_bytes() == b"no database at all"


def test_a_demo_starts_afresh_over_its_own_and_leaves_the_rest(tmp_path: Path) -> None:
    places = Places(tmp_path / "demo")
    places.prepare()
    (places.lake / "dltsync" / "dbo_flights").mkdir(parents=True)
    (places.state / "work").mkdir(parents=True)
    with duckdb.connect(str(places.warehouse)) as house:
        for table in TABLES:
            house.execute(f"CREATE TABLE {table.name} AS SELECT 1 AS n")
        house.execute("CREATE SCHEMA _dltsync")
        house.execute("CREATE TABLE _dltsync.markers AS SELECT 1 AS n")
    (places.base / "notes.txt").write_text("mine")
    places.start_afresh()
    assert set(_contents(places.base)) == {MARKER, "notes.txt"}
    assert places.remove() == ["notes.txt"]
    assert (places.base / "notes.txt").read_text() == "mine"
    (places.base / "notes.txt").unlink()
    assert places.remove() == []
    assert not places.base.exists()
    assert places.remove() == []


def _make_clean(directory: Path) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Makefile", directory)
    venv = Path(sys.executable).parent.parent
    return subprocess.run(
        ["make", "--no-print-directory", "clean", f"VENV={venv}"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_clean_removes_the_demo_and_never_the_state_of_a_person(tmp_path: Path) -> None:
    before = _state_of_a_person(tmp_path / ".dltsync")
    Places(tmp_path / DIRECTORY).prepare()
    cleaned = _make_clean(tmp_path)
    assert cleaned.returncode == 0, cleaned.stderr
    assert not (tmp_path / DIRECTORY).exists()
    assert _contents(tmp_path / ".dltsync") == before
    before = _state_of_a_person(tmp_path / DIRECTORY)
    refused = _make_clean(tmp_path)
    assert refused.returncode != 0
    assert "did not make" in refused.stderr
    assert _contents(tmp_path / DIRECTORY) == before


def test_the_demo_never_goes_where_a_person_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to the server nor to the ledger, the lake or the login that the environment names."""
    monkeypatch.setenv("DLT_SYNC_DATABASE__SERVER", "production.example")
    monkeypatch.setenv("DLT_SYNC_INTEGRATED_SECURITY", "true")
    monkeypatch.setenv("DLT_SYNC_PASSWORD", "of-production")
    monkeypatch.setenv("DLT_SYNC_STATE__STATE_URL", "postgresql://production.example/ledger")
    monkeypatch.setenv("DLT_SYNC_STATE__PARQUET_DIRECTORY", "s3://production/lake")
    monkeypatch.setenv("DLT_SYNC_PROCESSING__MAX_WORKERS", "1")
    places = Places(tmp_path)
    places.prepare()
    config = places.load_config(14331)
    assert config.database.address == "127.0.0.1:14331"
    assert config.database.password is not None
    assert config.database.password.get_secret_value() == "Loopback-only-1"
    assert not config.database.integrated_security
    assert config.state.state_url is None
    assert (config.state.state_directory, config.state.parquet_directory) == (places.state, places.lake)
    assert config.destination.path == places.warehouse
    assert config.processing.max_workers == 1
    places.config.write_text(CONFIG.replace("127.0.0.1", "production.example"))
    with pytest.raises(ConfigError, match=r"production\.example"):
        places.load_config(14331)


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
        ("dbo.flights", "[2013-07-01,2013-08-01)"),
        ("dbo.weather", "(2013-09-30,2013-10-31]"),
        ("dbo.aircraft_operator", "all"),
        ("dbo.airports", "all"),
    }
    assert told["source_rows"]["weather"] == 26_115
    assert "Loopback-only-1" not in done.stdout + done.stderr


def test_the_reader_of_the_demo_tells_whole_replacements_from_others(sandbox: SandboxServer) -> None:
    database = sandbox.database_config(database="read_by_the_demo")
    with closing(pyodbc.connect(sandbox.odbc(), autocommit=True)) as control:
        control.execute("CREATE DATABASE read_by_the_demo")
        control.execute("USE read_by_the_demo")
        control.execute(
            "CREATE TABLE dbo.flights (time_hour datetime2(0) NOT NULL, dep_delay int NULL, flight int NOT NULL)"
        )
        insert = (
            "INSERT INTO dbo.flights (time_hour, dep_delay, flight) VALUES ('2013-07-02', 5, 1), ('2013-07-03', 6, 2)"
        )
        control.execute(insert)

        def polled(seen: Seen) -> None:
            polls = sum(seen.states.values())
            while sum(seen.states.values()) < polls + 2:
                time.sleep(0.01)

        with reading(database, "dbo.flights") as whole:
            polled(whole)
            control.execute(f"BEGIN TRANSACTION; DELETE FROM dbo.flights; {insert}, ('2013-07-04', 7, 3); COMMIT")
            polled(whole)
        assert whole.whole
        assert whole.as_dict()["old"] >= 2
        with reading(database, "dbo.flights") as empty:
            control.execute("DELETE FROM dbo.flights")
            polled(empty)
            control.execute(insert)
        assert not empty.whole
        assert empty.others >= 1
        with reading(database, "dbo.flights") as ended:
            control.execute("DROP TABLE dbo.flights")
            while ended.failed is None:
                time.sleep(0.01)
        assert not ended.whole
        assert "208" in str(ended.failed)


def test_the_demo_of_a_sql_server_warehouse_loads_the_stand_in_and_stays_when_it_is_kept(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.prepare("sqlserver")
    connection = places.load_config(14331).destination.connection
    assert connection is not None
    assert (connection.address, connection.database) == ("127.0.0.1:14331", WAREHOUSE_DATABASE)
    places.prepare()
    assert places.load_config(14331).destination.type == "sqlserver"
    elsewhere = places.config.read_text().replace(
        "connection:\n    server: 127.0.0.1", "connection:\n    server: production.example"
    )
    places.config.write_text(elsewhere)
    with pytest.raises(ConfigError, match=r"production\.example"):
        places.load_config(14331)
    places.prepare("duckdb")
    assert places.load_config(14331).destination.type == "duckdb"
