"""SQL Server to Delta tables: two tables of each kind, unchanged, changed, damaged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from dltsync_core.cli.app import app
from dltsync_core.run.result import RunResult
from tests.support.delta_shop import DeltaShops, made_delta_shops
from tests.support.delta_tables import unreferenced_files
from tests.support.server_shop import Server


@pytest.fixture
def shops(snapshot_server: Server, tmp_path: Path) -> Iterator[DeltaShops]:
    with made_delta_shops(snapshot_server, tmp_path) as made:
        yield made


def ended(result: RunResult) -> Counter[tuple[str, str]]:
    assert [unit.error for unit in result.units if unit.error] == []
    return Counter((unit.table.table, unit.status) for unit in result.units)


def assert_valid(shops: DeltaShops) -> None:
    with shops.pipeline() as pipeline:
        found = pipeline.validate_all_tables(fingerprint="sha256", row_diff=True)
    assert found["valid"], [table["messages"] for table in found["tables"]]
    assert found["valid_tables"] == 6


def test_three_kinds_of_tables_reach_delta_tables_and_follow_the_source(shops: DeltaShops) -> None:
    assert ended(shops.run()) == {
        ("Orders", "committed"): 6,
        ("Customers", "committed"): 2,
        ("Countries", "committed"): 2,
    }
    shops.assert_same()
    again = shops.run()
    assert ended(again) == {("Orders", "skipped"): 6, ("Customers", "skipped"): 2, ("Countries", "skipped"): 2}
    assert sum(unit.rows_read for unit in again.units) == 0
    assert_valid(shops)

    first, second = shops.shops
    first.add_orders(301, "2026-03-09T10:00:00", 3)
    second.execute("DELETE FROM {s}.Orders WHERE OrderNo BETWEEN 101 AND 199")  # one partition is empty now
    for shop in shops.shops:
        shop.add_version(3, "2026-02-01", "Cÿd", "2026-02-01T08:00:00.0000007")
        shop.execute("UPDATE {s}.Countries SET Area = 41290 WHERE Code = 'CH'")
    assert ended(shops.run()) == {
        ("Orders", "committed"): 2,
        ("Orders", "skipped"): 4,
        ("Customers", "committed"): 2,
        ("Countries", "committed"): 2,
    }
    shops.assert_same()
    assert_valid(shops)
    assert unreferenced_files(shops.root) == []


def test_rows_that_are_lost_in_a_delta_table_are_named_and_filled_again_from_the_lake(shops: DeltaShops) -> None:
    shops.run()
    shops.table("Orders").delete('"OrderNo" = 102')
    shops.table("Countries").update(updates={"Area": "1"}, predicate="\"Code\" = 'CH'")
    with shops.pipeline() as pipeline:
        found = pipeline.validate_all_tables(row_diff=True)
    assert (found["valid"], found["valid_tables"]) == (False, 4)
    filled = shops.run()
    assert ended(filled)["Orders", "committed"] == 1
    assert sum(unit.rows_read for unit in filled.units if unit.table.table == "Orders") == 0
    with shops.pipeline() as pipeline:
        pipeline.run(table_types=["static"], force=True)
    shops.assert_same()
    assert_valid(shops)


def test_a_ledger_that_was_lost_is_made_anew_from_lake_and_delta_tables(shops: DeltaShops) -> None:
    shops.run()
    for path in [*(shops.root / "state").glob("*.db*"), *(shops.root / "state").glob("*.sqlite*")]:
        path.unlink()
    again = shops.run()
    assert sum(unit.rows_read for unit in again.units) == 0, [unit.reason for unit in again.units]
    shops.assert_same()


def test_every_command_works_on_delta_tables_and_repair_says_that_it_does_not(shops: DeltaShops) -> None:
    config = shops.root / "dltsync.yaml"
    config.write_text(yaml.safe_dump(shops.values()), encoding="utf-8")

    def dltsync(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "-c", str(config)])

    plan = dltsync("plan", "--json")
    assert plan.exit_code == 0, plan.output
    assert "Customers" in json.dumps(json.loads(plan.stdout))
    for command in ("run", "status", "validate"):
        answer = dltsync(command)
        assert answer.exit_code == 0, answer.output
    repair = dltsync("repair", f"{shops.shops[0].schema}.Customers")
    assert repair.exit_code != 0
    assert "in a DuckDB file only" in repair.output
    shops.assert_same()
