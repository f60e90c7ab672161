"""A run finds the places as a person left them: what is in doubt is read, what is not is not; a question stops one table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dltsync_core.errors import WarehouseBusy
from dltsync_core.lake import file_reader as reading
from dltsync_core.plan.steps import Action
from dltsync_core.testing import FakeWarehouse
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, ORDERS, MemoryShop, outcomes, version


def lose_ledger(shop: MemoryShop) -> None:
    shutil.rmtree(shop.root / "state")


def test_plan_says_what_comes_from_the_lake_and_changes_nothing(tmp_path: Path) -> None:
    shop = MemoryShop(tmp_path)
    shop.run()
    lose_ledger(shop)
    shop.warehouse.tables.clear()
    with shop.pipeline() as pipeline:
        plans = pipeline.plan()
    steps = [step for plan in plans for step in plan.steps]
    assert {step.action for step in steps} == {Action.RELOAD}
    assert all("taken from the lake" in step.reason for step in steps)
    assert not shop.warehouse.tables
    assert not (tmp_path / "state" / "ledger.db").exists()


def test_a_run_that_has_nothing_to_load_removes_what_a_killed_load_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A load killed just after it filled a lost warehouse again leaves everything up to date: no other load comes by."""
    shop = MemoryShop(tmp_path)
    shop.run()
    shop.warehouse.cleanups = 0
    assert {unit.status for unit in shop.run().units} == {"skipped"}
    assert shop.warehouse.cleanups == 1
    shop.warehouse.cleanup_fails = WarehouseBusy("a notebook has it")
    assert shop.run().success
    assert "could not be removed: a notebook has it" in caplog.text
    shop.warehouse.cleanup_fails = None
    with shop.pipeline() as pipeline:
        pipeline.recover(dry_run=True)
        assert shop.warehouse.cleanups == 2
        pipeline.recover()
        assert shop.warehouse.cleanups == 3


def test_a_file_damaged_without_changing_its_size_is_read_from_the_source_when_it_is_needed(tmp_path: Path) -> None:
    shop = MemoryShop(tmp_path)
    shop.run()
    file = next((tmp_path / "lake").glob("*/dbo_Countries*/data/*.parquet"))
    content = bytearray(file.read_bytes())
    content[20] ^= 0xFF
    file.write_bytes(bytes(content))
    shop.warehouse.tables.clear()
    shop.source.extracts()
    assert shop.run().success
    assert shop.source.extracts() == ["dbo.Countries all"]
    shop.assert_same()


def test_deep_finds_a_file_damaged_without_changing_its_size(tmp_path: Path) -> None:
    shop = MemoryShop(tmp_path)
    shop.run()
    file = next((tmp_path / "lake").glob("*/dbo_Countries*/data/*.parquet"))
    content = bytearray(file.read_bytes())
    content[20] ^= 0xFF
    file.write_bytes(bytes(content))
    with shop.pipeline() as pipeline:
        assert pipeline.recover(dry_run=True)["agreed"]
        report = pipeline.recover(table_names=["Countries"], deep=True)
    assert report["rows_to_read"] == 3
    assert shop.run()["total_records"] == 3
    shop.assert_same()


def test_nothing_is_opened_in_a_lake_that_nobody_doubts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = MemoryShop(tmp_path)
    shop.run()
    opened: list[object] = []
    monkeypatch.setattr(pq, "read_metadata", lambda path: opened.append(path))
    monkeypatch.setattr(reading, "read_footer", lambda storage, key: opened.append(key))
    assert {unit.status for unit in shop.run().units} == {"skipped"}
    assert opened == []


def test_rows_that_only_the_warehouse_had_are_a_question_and_other_tables_go_on(tmp_path: Path) -> None:
    shop = MemoryShop(tmp_path)
    shop.static = {"load_strategy": "upsert"}
    shop.run()
    del shop.rows(COUNTRIES)[0]
    shop.run()
    assert len(shop.warehouse_rows(COUNTRIES)) == 3
    shop.warehouse.tables.clear()
    result = shop.run()
    assert [(u.table, u.error_type) for u in result.failed] == [(COUNTRIES, "NeedsAnswer")]
    assert "--answer accept-loss" in str(result.failed[0].error)
    shop.assert_same([ORDERS, CUSTOMERS])
    with shop.pipeline() as pipeline:
        assert pipeline.recover(dry_run=True)["questions"]
        pipeline.recover(table_names=["Countries"], answer="accept-loss")
    assert shop.run()["total_records"] == 0
    shop.assert_same()


def test_with_healing_off_a_lost_ledger_names_the_command(tmp_path: Path) -> None:
    shop = MemoryShop(tmp_path, enable_self_healing=False)
    shop.run()
    lose_ledger(shop)
    result = shop.run()
    assert {unit.status for unit in result.units} == {"failed"}
    assert all("dltsync recover --tables" in str(unit.error) for unit in result.units)


def test_a_lost_increment_is_noticed_without_a_ledger(tmp_path: Path) -> None:
    """The last increment names what it was added to: a gap before it is not taken for the whole table."""
    shop = MemoryShop(tmp_path)
    for day in (8, 9):
        shop.run()
        shop.rows(CUSTOMERS).append(version(3, day, "Kat"))
    shop.run()
    loads = sorted((tmp_path / "lake").glob("*/sales_Customers*/_manifests/*.json"))
    assert len(loads) == 3
    loads[1].unlink()
    lose_ledger(shop)
    assert shop.run(table_names=["Customers"])["total_records"] == 6
    shop.assert_same([CUSTOMERS])


def test_a_manifest_of_a_newer_program_is_a_question(tmp_path: Path) -> None:
    shop = MemoryShop(tmp_path)
    shop.run()
    manifest = next((tmp_path / "lake").glob("*/dbo_Countries*/_manifests/*.json"))
    facts = {**json.loads(manifest.read_text(encoding="utf-8")), "manifest_version": 99}
    manifest.write_text(json.dumps(facts), encoding="utf-8")
    result = shop.run()
    assert [(u.table, u.error_type) for u in result.failed] == [(COUNTRIES, "NeedsAnswer")]
    assert manifest.exists()


@contextmanager
def marked(tmp_path: Path) -> Iterator[tuple[MemoryShop, FakeWarehouse]]:
    shop = MemoryShop(tmp_path)
    assert shop.run().success
    yield shop, shop.warehouse


def test_a_lost_ledger_is_adopted_without_touching_the_warehouse(tmp_path: Path) -> None:
    with marked(tmp_path) as (shop, warehouse):
        with shop.pipeline() as pipeline:
            before = {name: pipeline.committed(name) for name in ("Orders", "Customers", "Countries")}
        lose_ledger(shop)
        warehouse.loads.clear()
        assert set(outcomes(shop.run()).values()) == {"skipped"}
        assert warehouse.loads == []
        with shop.pipeline() as pipeline:
            for name, committed_units in before.items():
                again = pipeline.committed(name)
                assert {u: (h.probe, h.lake, h.rows, h.watermark) for u, h in again.items()} == {
                    u: (h.probe, h.lake, h.rows, h.watermark) for u, h in committed_units.items()
                }


def test_an_adopted_table_of_versions_goes_on_with_its_increments(tmp_path: Path) -> None:
    with marked(tmp_path) as (shop, _):
        lose_ledger(shop)
        shop.rows(CUSTOMERS).append(version(4, 20, "Dan"))
        shop.source.extracts()
        assert shop.run().success
        assert shop.source.extracts() == ["sales.Customers changes"]
        shop.assert_same()


def test_a_stale_warehouse_with_equal_counts_is_filled_from_the_lake(tmp_path: Path) -> None:
    with marked(tmp_path) as (shop, warehouse):
        rows = {target: list(held) for target, held in warehouse.tables.items()}
        marks = dict(warehouse.marks)
        shop.rows(COUNTRIES)[0]["Name"] = "Helvetia"
        assert shop.run().success
        warehouse.tables, warehouse.marks = rows, marks
        shop.source.extracts()
        result = shop.run()
        assert result.success
        assert shop.source.extracts() == []
        shop.assert_same()


def test_recovering_where_all_agrees_commits_nothing(tmp_path: Path) -> None:
    with marked(tmp_path) as (shop, _), shop.pipeline() as pipeline:
        generation = pipeline.committed("Countries")["all"].generation
        pipeline.recover()
        assert pipeline.committed("Countries")["all"].generation == generation
