"""Two machines over one source: each has a state directory of its own; ledger and warehouse are a PostgreSQL server, the lake
is a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.dlt_shops import PostgresShops, made_postgres_shops
from tests.support.forks import Ended, Forks
from tests.support.object_stores import Bucket
from tests.support.server_shop import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

MACHINES = ("first", "second")


@pytest.fixture
def shops(snapshot_server: Server, tmp_path: Path, postgres_url: str) -> Iterator[PostgresShops]:
    with made_postgres_shops(snapshot_server, tmp_path, postgres_url) as made:
        yield made


def config_of(machine: str, shops: PostgresShops, bucket: Bucket, ledger: str) -> Path:
    state = {
        "state_directory": str(shops.root / machine / "state"),
        "parquet_directory": bucket.url,
        "storage_options": bucket.options,
        "state_url": ledger,
    }
    path = shops.root / machine / "dltsync.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(shops.values(state=state)), encoding="utf-8")
    return path


def run_both(forks: Forks, configs: list[Path]) -> list[tuple[str, str]]:
    """Both machines run at once. The units that were committed, each as often as it was."""
    commands = [{"arguments": ["run", "--config", str(config), "--json"]} for config in configs]
    answers: list[Ended] = forks.run_all("tests.support.cli_command:call", commands, directory=configs[0].parent)
    committed = []
    for ended in answers:
        units = json.loads(ended.stdout).get("units", ()) if ended.stdout else ()
        failed = [(unit["unit"], unit["error"]) for unit in units if unit["status"] == "failed"]
        assert ended.status == 0, (failed, ended.stderr[-3000:])
        committed += [(unit["table"], unit["unit"]) for unit in units if unit["status"] == "committed"]
    return committed


@pytest.mark.survives(
    "rivals",
    "two machines, each with a state directory of its own, load one PostgreSQL warehouse at the same moment",
    "they take turns at the units; each unit is loaded by one of them",
    "every row is in the warehouse once, after changes at the source too",
)
def test_two_machines_bring_every_row_into_postgresql_once(
    shops: PostgresShops, s3_bucket: Bucket, forks: Forks, postgres_url: str
) -> None:
    configs = [config_of(machine, shops, s3_bucket, postgres_url) for machine in MACHINES]
    committed = run_both(forks, configs)
    assert len(committed) == len(set(committed)) == 10
    shops.assert_same()

    for shop in shops.shops:
        shop.add_orders(301, "2026-03-09T10:00:00", 3)
        shop.add_version(3, "2026-02-01", "Cyd", "2026-02-01T08:00:00")
    committed = run_both(forks, configs)
    assert len(committed) == len(set(committed)) == 4
    shops.assert_same()
    assert all((shops.root / machine / "state").is_dir() for machine in MACHINES)
