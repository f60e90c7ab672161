"""SQL Server to destinations of dlt: two tables of each kind, unchanged, changed, damaged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from dltsync_core.cli.app import app
from dltsync_core.run.result import RunResult
from tests.support.delta_tables import unreferenced_files
from tests.support.dlt_shops import (
    DeltaShops,
    DltShops,
    PostgresShops,
    made_delta_shops,
    made_postgres_shops,
    url_for_dlt,
)
from tests.support.postgres_server import empty_postgres_database
from tests.support.server_shop import Server
from tests.support.variants import variants

pytestmark = pytest.mark.xdist_group("postgres")


@dataclass(frozen=True)
class Loaded:
    """Shops after their first run. Every test leaves source, lake and destination equal."""

    shops: DltShops
    first: RunResult


@pytest.fixture(scope="module")
def on_postgres(
    snapshot_server: Server, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[Loaded]:
    with (
        empty_postgres_database(postgres_server) as url,
        made_postgres_shops(snapshot_server, tmp_path_factory.mktemp("postgres"), url) as made,
    ):
        yield Loaded(made, made.run())


@pytest.fixture(scope="module")
def on_delta(snapshot_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    with made_delta_shops(snapshot_server, tmp_path_factory.mktemp("delta")) as made:
        yield Loaded(made, made.run())


BOTH = ["postgres", "delta"]


@pytest.fixture(params=BOTH)
def loaded(request: pytest.FixtureRequest) -> Loaded:
    found: Loaded = request.getfixturevalue(f"on_{request.param}")
    return found


def ended(result: RunResult) -> Counter[tuple[str, str]]:
    assert [unit.error for unit in result.units if unit.error] == []
    return Counter((unit.table.table, unit.status) for unit in result.units)


def assert_valid(shops: DltShops) -> None:
    with shops.pipeline() as pipeline:
        found = pipeline.validate_all_tables(fingerprint="sha256", row_diff=True)
    assert found["valid"], [table["messages"] for table in found["tables"]]
    assert found["valid_tables"] == 6


def test_three_kinds_of_tables_arrive_and_follow_the_source(loaded: Loaded) -> None:
    shops = loaded.shops
    assert ended(loaded.first) == {
        ("Orders", "committed"): 6,
        ("Customers", "committed"): 2,
        ("Countries", "committed"): 2,
    }
    shops.assert_same()
    again = shops.run()
    assert ended(again) == {("Orders", "skipped"): 6, ("Customers", "skipped"): 2, ("Countries", "skipped"): 2}
    assert sum(unit.rows_read for unit in again.units) == 0

    first, second = shops.shops
    first.add_orders(301, "2026-03-09T10:00:00", 3)
    second.execute("DELETE FROM {s}.Orders WHERE OrderNo BETWEEN 101 AND 199")  # one partition is empty now
    for shop in shops.shops:
        shop.add_version(3, "2026-02-01", "Cÿd", "2026-02-01T08:00:00.0000007")
        shop.execute("UPDATE {s}.Countries SET Area = 41290 WHERE Code = 'CH'")
    changed = shops.run()
    assert ended(changed) == {
        ("Orders", "committed"): 2,
        ("Orders", "skipped"): 4,
        ("Customers", "committed"): 2,
        ("Countries", "committed"): 2,
    }
    shops.assert_same()
    assert_valid(shops)
    if isinstance(shops, DeltaShops):
        assert unreferenced_files(shops.root) == []


@pytest.mark.parametrize("loaded", variants(BOTH, often={"postgres"}), indirect=True)
def test_rows_that_are_lost_in_the_destination_are_named_and_filled_again_from_the_lake(loaded: Loaded) -> None:
    shops = loaded.shops
    shops.damage()
    with shops.pipeline() as pipeline:
        found = pipeline.validate_all_tables(row_diff=True)
    assert (found["valid"], found["valid_tables"]) == (False, 4)
    said = " ".join(message for table in found["tables"] for message in table["messages"])
    assert "102" in said or "OrderNo" in said
    filled = shops.run()
    assert ended(filled)["Orders", "committed"] == 1
    assert sum(unit.rows_read for unit in filled.units if unit.table.table == "Orders") == 0
    with shops.pipeline() as pipeline:
        pipeline.run(table_types=["static"], force=True)
    shops.assert_same()
    assert_valid(shops)


@pytest.mark.parametrize("loaded", variants(BOTH, often={"postgres"}), indirect=True)
def test_a_ledger_that_was_lost_is_made_anew_from_lake_and_warehouse(loaded: Loaded) -> None:
    shops = loaded.shops
    for path in [*(shops.root / "state").glob("*.db*"), *(shops.root / "state").glob("*.sqlite*")]:
        path.unlink()
    again = shops.run()
    assert sum(unit.rows_read for unit in again.units) == 0, [unit.reason for unit in again.units]
    shops.assert_same()


def test_a_value_that_postgresql_cannot_hold_stops_its_unit_before_anything_is_published(
    on_postgres: Loaded, postgres_url: str, tmp_path: Path
) -> None:
    postgres_shops = PostgresShops(on_postgres.shops.shops, tmp_path, url_for_dlt(postgres_url))
    first, _ = postgres_shops.shops
    values = postgres_shops.values()
    for table in values["scd_tables"]:
        del table["column_representation"]
    postgres_shops.values = lambda **sections: {**values, **sections}  # type: ignore[method-assign]
    with postgres_shops.pipeline() as pipeline:
        plans = pipeline.plan(table_types=["scd"])
        assert all("seventh digit" in plan.contracts["Changed"]["warehouse"] for plan in plans)
        result = pipeline.run(table_types=["scd"])
    errors = {str(unit.table): unit.error for unit in result.units}
    assert set(errors) == {f"{shop.schema}.Customers" for shop in postgres_shops.shops}
    error = errors[f"{first.schema}.Customers"]
    assert error is not None
    assert "column Changed (datetime2(7)) holds 2026-01-0" in error
    assert "CustomerNo" in error
    assert "column_representation of Changed to `text`" in error
    assert not list((postgres_shops.root / "lake").glob("**/*.parquet"))


def test_every_command_works_on_delta_tables_and_repair_says_that_it_does_not(on_delta: Loaded, tmp_path: Path) -> None:
    delta_shops = DeltaShops(on_delta.shops.shops, tmp_path)
    config = delta_shops.root / "dltsync.yaml"
    config.write_text(yaml.safe_dump(delta_shops.values()), encoding="utf-8")

    def dltsync(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "-c", str(config)])

    plan = dltsync("plan", "--json")
    assert plan.exit_code == 0, plan.output
    assert "Customers" in json.dumps(json.loads(plan.stdout))
    for command in ("run", "status", "validate"):
        answer = dltsync(command)
        assert answer.exit_code == 0, answer.output
    repair = dltsync("repair", f"{delta_shops.shops[0].schema}.Customers")
    assert repair.exit_code != 0
    assert "in a DuckDB file only" in repair.output
    delta_shops.assert_same()
