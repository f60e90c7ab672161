"""Source and warehouse on two servers; and two pipelines that load one warehouse at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.config import StaticTableConfig
from dltsync_core.run.result import RunResult
from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import COLUMNS, Server
from tests.support.sqlserver_shop import SqlServerShop, made_database, made_sqlserver_shop


@pytest.fixture
def apart(snapshot_server: Server, other_server: Server, tmp_path: Path) -> Iterator[SqlServerShop]:
    with made_sqlserver_shop(snapshot_server, tmp_path, other_server) as made:
        yield made


def test_rows_go_from_one_server_to_another_and_a_lost_warehouse_is_filled_from_the_lake(
    apart: SqlServerShop, own_sandbox: SandboxServer
) -> None:
    assert apart.methods() == dict.fromkeys(COLUMNS, "switch")
    apart.assert_same()
    apart.execute("UPDATE {s}.Orders SET Amount = Amount + 1")
    own_sandbox.stop()
    result = apart.run()
    assert not result.success
    own_sandbox.start()
    result = apart.run()
    assert result.success, result["errors"]
    apart.assert_same()
    apart.target = made_database(apart.target)
    result = apart.run()
    assert (result.success, result["total_records"]) == (True, 0)
    apart.assert_same()


def test_two_pipelines_load_tables_of_one_warehouse_at_the_same_time(
    house: SqlServerShop, snapshot_server: Server, target: Server, tmp_path: Path
) -> None:
    """Each has its own tables, but markers and staging are shared. Neither stops the other."""
    with made_sqlserver_shop(snapshot_server, tmp_path / "second", target) as second:
        second.overrides = {
            "partition_tables": [],
            "scd_tables": [],
            "static_tables": [
                StaticTableConfig(table_name="Countries", schema_name=second.schema, target_table="Lands"),
                StaticTableConfig(table_name="Orders", schema_name=second.schema, target_table="Purchases"),
            ],
        }
        results: list[RunResult] = []
        threads = [threading.Thread(target=lambda shop=shop: results.append(shop.run())) for shop in (house, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [result["errors"] for result in results] == [[], []]
        house.assert_same()
        assert house.target_query("SELECT COUNT(*) FROM warehouse.Purchases") == [(24,)]
        assert house.leftovers() == []
        assert {unit.status for unit in second.run().units} == {"skipped"}
