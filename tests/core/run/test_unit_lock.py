"""What writes outside of a run keeps runs away, and waits for them: answers to recovery, and repairs of a history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dltsync_core.errors import LeaseHeld
from dltsync_core.history.repair import RepairPlan
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.process import this_process
from dltsync_core.state.leases import Leases
from dltsync_core.state.store import Store
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, MemoryShop


@contextmanager
def somebody_at(shop: MemoryShop, table: TableName) -> Iterator[None]:
    """Another run of the same pipeline is at the table."""
    with closing(Store(shop.root / "state", None, writable=True)) as store:
        leases = Leases(store, shop.config().pipeline_name, holder=str(this_process()), seconds=60)
        with leases.held(
            table, [WHOLE_TABLE], at_least=0, wait_seconds=0, on_wait=lambda said: None, raise_if_stopped=lambda: None
        ):
            yield


def test_an_answer_waits_for_the_run_that_is_at_the_table(tmp_path: Path) -> None:
    shop = MemoryShop(tmp_path, lease_wait_seconds=0)
    shop.static = {"load_strategy": "upsert"}
    shop.run()
    del shop.rows(COUNTRIES)[0]
    shop.run()
    shop.warehouse.tables.clear()
    with shop.pipeline() as pipeline:
        with somebody_at(shop, COUNTRIES):
            held = pipeline.recover(table_names=["Countries"], answer="accept-loss")
        assert "is at it" in held["tables"][0]["error"]
        assert pipeline.recover(table_names=["Countries"], dry_run=True)["questions"], "the answer was not carried out"
        assert not pipeline.recover(table_names=["Countries"], answer="accept-loss")["questions"]
    assert shop.run().success
    shop.assert_same()


def test_a_repair_waits_for_the_run_that_is_at_the_table_and_a_look_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = MemoryShop(tmp_path, lease_wait_seconds=0)
    shop.scd = {"business_key_columns": ["CustomerNo"]}
    shop.run()
    kept_out: list[bool] = []

    def revise_versions(target: object, columns: object, decide: object, *, apply: bool) -> RepairPlan:
        try:
            with somebody_at(shop, CUSTOMERS):
                kept_out.append(False)
        except LeaseHeld:
            kept_out.append(True)
        return RepairPlan()

    monkeypatch.setattr(shop.warehouse, "revise_versions", revise_versions)
    with shop.pipeline() as pipeline:
        assert pipeline.scd_handler.repair_scd_integrity("Customers")["valid"]
        with somebody_at(shop, CUSTOMERS), pytest.raises(LeaseHeld):
            pipeline.scd_handler.repair_scd_integrity("Customers", dry_run=False)
        assert kept_out == [False], "a look keeps nobody away, and the repair that had to wait did not begin"
        pipeline.scd_handler.repair_scd_integrity("Customers", dry_run=False)
    assert kept_out == [False, True]
