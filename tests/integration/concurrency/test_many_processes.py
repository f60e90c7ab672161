"""Many processes over one config: every row once, and nobody fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.support.forks import Forks
from tests.support.server_shop import ServerShop

ON_POSTGRES = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]


def write_config(shop: ServerShop, state_url: str | None) -> Path:
    path = shop.root / "dltsync.yaml"
    config = {
        "database": shop.server.database_section,
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
        pytest.param("sqlite", 2, marks=pytest.mark.xdist_group("forks")),
        pytest.param("sqlite", 8, marks=pytest.mark.slow),
        pytest.param("postgres", 8, marks=ON_POSTGRES),
    ],
)
def test_processes_over_one_config_bring_every_row_once(
    shop: ServerShop, forks: Forks, ledger: str, processes: int, request: pytest.FixtureRequest
) -> None:
    config = write_config(shop, request.getfixturevalue("postgres_url") if ledger == "postgres" else None)
    command = {"arguments": ["run", "--config", str(config), "--json"]}
    answers = forks.run_all("tests.support.cli_command:call", [command] * processes, directory=shop.root)
    for ended in answers:
        failed = [(u["unit"], u["error"]) for u in json.loads(ended.stdout).get("units", ()) if u["status"] == "failed"]
        assert ended.status == 0, (failed, ended.stderr[-2000:])
    shop.assert_same()
    loaded = [
        (unit["table"], unit["unit"])
        for ended in answers
        for unit in json.loads(ended.stdout)["units"]
        if unit["status"] == "committed"
    ]
    assert len(loaded) == len(set(loaded)) == 5
