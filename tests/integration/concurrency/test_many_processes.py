"""Many processes over one config: every row once, and nobody fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.server_shop import ServerShop

ON_POSTGRES = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]


def write_config(shop: ServerShop, state_url: str | None) -> Path:
    server = shop.server
    path = shop.root / "dltsync.yaml"
    config = {
        "database": {
            "server": server.host,
            "port": server.port,
            "database": server.database,
            "username": server.username,
            "password": server.password,
            "trust_server_certificate": True,
        },
        "state": {"state_directory": "state", "parquet_directory": "lake", "state_url": state_url},
        "destination": {"path": "house.duckdb"},
        "partition_tables": [{"schema_name": shop.schema, "table_name": "Orders"}],
        "scd_tables": [{"schema_name": shop.schema, "table_name": "Customers", "last_modified_column": "Changed"}],
        "static_tables": [{"schema_name": shop.schema, "table_name": "Countries"}],
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.mark.survives(
    "rivals",
    "eight processes run the same config at the same moment",
    "they take turns; later ones report that the units are up to date",
    "every row is in lake and warehouse once, and every unit was loaded by one of them",
)
@pytest.mark.parametrize(
    ("ledger", "processes"),
    [
        ("sqlite", 3),
        pytest.param("sqlite", 8, marks=pytest.mark.slow),
        pytest.param("postgres", 8, marks=ON_POSTGRES),
    ],
)
def test_processes_over_one_config_bring_every_row_once(
    shop: ServerShop, ledger: str, processes: int, request: pytest.FixtureRequest
) -> None:
    config = write_config(shop, request.getfixturevalue("postgres_url") if ledger == "postgres" else None)
    command = [sys.executable, "-m", "dltsync_core.cli", "run", "--config", str(config), "--json"]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    answers = [process.communicate() for process in running]
    for process, (out, errors) in zip(running, answers, strict=True):
        failed = [(u["unit"], u["error"]) for u in json.loads(out).get("units", ()) if u["status"] == "failed"]
        assert process.returncode == 0, (failed, errors[-2000:])
    shop.assert_same()
    loaded = [
        (unit["table"], unit["unit"])
        for out, _ in answers
        for unit in json.loads(out)["units"]
        if unit["status"] == "committed"
    ]
    assert len(loaded) == len(set(loaded)) == 5
