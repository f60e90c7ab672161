"""dlt as we use it and as somebody else does, in one process: neither changes the other, and nothing piles up or is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dlt
import duckdb
import pytest

from tests.support.local_warehouse import TARGET, LocalWarehouse, orders, slot

TELLS = "from dlt.common.runtime import anon_tracker; print(anon_tracker._ANON_TRACKER_ENDPOINT)"
"""The end of a script: says whom dlt reports to."""


def said_by(script: str, *arguments: str, directory: Path | None = None) -> str:
    """What a Python of its own prints that nobody told about reports."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RUNTIME__")}
    environment["PYTHONPATH"] = str(Path.cwd())
    call = [sys.executable, "-c", script, *arguments]
    said = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True, cwd=directory, env=environment)
    return said.stdout.strip()


def test_dlt_keeps_nothing_in_the_warehouse(house: LocalWarehouse) -> None:
    for number in range(3):
        house.load(TARGET, orders({number: "a"}), how=slot(f"[{number},{number + 1})"))
    assert house.query("SELECT DISTINCT schema_name, table_name FROM duckdb_tables()") == [("sales", "Orders")]


HOSTILE = """
[schema]
naming = "snake_case"
[normalize.parquet_normalizer]
add_dlt_id = true
add_dlt_load_id = true
[load]
workers = 7
[pipelines]
dataset_name_layout = "mine_%s"
dev_mode = true
[data_writer]
version = "1.0"
[destination]
replace_strategy = "truncate-and-insert"
"""


def test_somebody_elses_dlt_settings_change_nothing(house: LocalWarehouse, tmp_path: Path) -> None:
    """A .dlt/config.toml in the directory the process was started in, as any dlt project has one. And dlt's vendor is told
    nothing when the first pipeline of a process is ours, made among our settings."""
    settings = tmp_path / "project" / ".dlt"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text(HOSTILE)
    script = (
        "import sys; from pathlib import Path; from tests.support.local_warehouse import LocalWarehouse, orders;"
        "import pyarrow as pa; t = orders({1: 'a'}).append_column('Order No', pa.array([1_000_000_000_000_000_001])"
        ".cast(pa.timestamp('ns')));"
        "LocalWarehouse(Path(sys.argv[1])).load(('sales', 'Orders'), t);" + TELLS
    )
    assert said_by(script, str(house.root), directory=settings.parent) == "None"
    assert house.types(TARGET) == {"No": "INTEGER", "Note": "VARCHAR", "Order No": "TIMESTAMP_NS"}


def test_our_settings_do_not_reach_somebody_elses_pipeline(house: LocalWarehouse, tmp_path: Path) -> None:
    house.load(TARGET, orders({1: "a"}))
    with duckdb.connect(str(tmp_path / "theirs.duckdb")) as connection:
        theirs = dlt.pipeline(
            "theirs",
            pipelines_dir=str(tmp_path / "dlt"),
            destination=dlt.destinations.duckdb(connection),
            dataset_name="d",
        )
        theirs.run([{"OrderNo": 1}], table_name="MyOrders")
        theirs.deactivate()
        assert connection.execute("SELECT order_no FROM d.my_orders").fetchall() == [(1,)]


def test_nothing_is_told_to_anybody() -> None:
    """dlt reports runs to its vendor unless it is told not to before its first pipeline."""
    script = (
        "import dltsync_core.warehouse.duckdb.warehouse, dlt, tempfile;"
        "dlt.pipeline('p', pipelines_dir=tempfile.mkdtemp());" + TELLS
    )
    assert said_by(script) == "None"


def test_a_load_says_nothing_on_its_own(house: LocalWarehouse, capfd: pytest.CaptureFixture[str]) -> None:
    house.load(TARGET, orders({1: "a"}))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
