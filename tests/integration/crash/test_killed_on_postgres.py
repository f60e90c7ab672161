"""A run that is killed while it loads PostgreSQL: the next one makes the warehouse right, and adopts what got through."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from dltsync_core import checkpoints
from tests.support.dlt_shops import PostgresShops, made_postgres_shops
from tests.support.forks import Ended, Forks
from tests.support.server_shop import Server

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def shops(snapshot_server: Server, tmp_path: Path, postgres_url: str) -> Iterator[PostgresShops]:
    with made_postgres_shops(snapshot_server, tmp_path, postgres_url) as made:
        yield made


def run(forks: Forks, config: Path, **stop: Any) -> Ended:
    payload = {"arguments": ["run", "--config", str(config), "--json"], **stop}
    return forks.run("tests.support.cli_command:call", payload, directory=config.parent)


@pytest.mark.survives(
    "crash",
    "kill -9 while a group of units goes into a PostgreSQL warehouse: before the commit, and right after it",
    "the next run loads what did not get through, and adopts what did",
    "every row is in PostgreSQL once; no landing schema stays",
)
@pytest.mark.parametrize(
    "moment",
    [
        checkpoints.WAREHOUSE_STATEMENT,
        checkpoints.WAREHOUSE_WRITTEN,
        checkpoints.WAREHOUSE_COMMITTED,
        checkpoints.LOADED,
    ],
)
def test_a_run_killed_while_it_loads_postgresql_is_made_right_by_the_next(
    shops: PostgresShops, forks: Forks, moment: str
) -> None:
    config = shops.root / "dltsync.yaml"
    config.write_text(yaml.safe_dump(shops.values()), encoding="utf-8")
    assert run(forks, config, stop=moment, signal="SIGKILL").status == -signal.SIGKILL
    again = run(forks, config)
    assert again.status == 0, again.stderr[-3000:]
    units = json.loads(again.stdout)["units"]
    assert {unit["status"] for unit in units} <= {"committed", "skipped"}
    shops.assert_same()
    with psycopg.connect(shops.url) as connection:
        left = connection.execute(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '%landing%'"
        )
        assert left.fetchall() == []
        markers = connection.execute("SELECT count(*), sum(rows) FROM _dltsync.markers").fetchone()
    assert markers is not None
    assert markers[0] == 10
    assert int(markers[1]) == 2 * (24 + 3 + 3)
