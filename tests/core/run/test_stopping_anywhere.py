"""A run that dies at any checkpoint costs time and never rows: the next run converges, whatever changed in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dltsync_core import checkpoints
from tests.support.killed import Killed, kill_at
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, ORDERS, MemoryShop, loaded_shop, order, version
from tests.support.variants import crossed, variants


def killed_run(shop: MemoryShop, step: str, kind: str) -> None:
    with checkpoints.watched(kill_at(step)), pytest.raises(Killed):
        shop.run(table_types=[kind], parallel_execution=False)


def change(shop: MemoryShop) -> None:
    """Something new in every table."""
    shop.rows(ORDERS)[11]["Note"] = "edited"
    shop.rows(ORDERS).append(order(17, "late"))
    shop.rows(CUSTOMERS).append(version(3, 8, "Kat"))
    shop.rows(COUNTRIES)[0]["Name"] = "Helvetia"


def change_more(shop: MemoryShop) -> None:
    """And, while the pipeline lies dead, more: an edit back, a deletion, boundaries moved."""
    shop.rows(ORDERS)[11]["Note"] = "x"
    del shop.rows(ORDERS)[0]
    shop.source.tables[ORDERS].boundaries[:] = [10, 15, 20]
    del shop.rows(CUSTOMERS)[0]
    shop.rows(CUSTOMERS).append(version(9, 9, "Zoë"))
    shop.rows(COUNTRIES)[0]["Name"] = "Switzerland"


@pytest.mark.parametrize(
    ("first", "meanwhile"),
    variants(
        crossed(
            {"first run": True, "later run": False},
            {"nothing changed": None, "more changed": change_more},
        ),
        often={"first run-more changed", "later run-nothing changed"},
    ),
)
@pytest.mark.parametrize("step", checkpoints.OF_EVERY_UNIT)
def test_the_run_after_a_stop_converges(
    tmp_path: Path, step: str, first: bool, meanwhile: Callable[[MemoryShop], None] | None
) -> None:
    """A run for each kind of table stops there, and the next one goes on with all of them."""
    shop = MemoryShop(tmp_path) if first else loaded_shop(tmp_path)
    if not first:
        change(shop)
    for kind in ("partition", "scd", "static"):
        killed_run(shop, step, kind)
    if meanwhile is not None:
        meanwhile(shop)
    result = shop.run()
    assert result.success, result["errors"]
    shop.assert_same()
    assert shop.run()["total_records"] == 0


@pytest.mark.parametrize("step", checkpoints.OF_EVERY_UNIT)
def test_a_stop_in_the_middle_of_new_boundaries_converges(tmp_path: Path, step: str) -> None:
    shop = loaded_shop(tmp_path)
    shop.source.tables[ORDERS].boundaries[:] = [5, 15, 20]
    killed_run(shop, step, "partition")
    result = shop.run()
    assert result.success, result["errors"]
    shop.assert_same()


@pytest.mark.parametrize("step", checkpoints.OF_EVERY_UNIT)
def test_a_stop_before_the_commit_leaves_the_committed_state_in_the_ledger(tmp_path: Path, step: str) -> None:
    shop = loaded_shop(tmp_path)
    with shop.pipeline() as pipeline:
        before = pipeline.committed("Countries")
    change(shop)
    killed_run(shop, step, "static")
    with shop.pipeline() as pipeline:
        after = pipeline.committed("Countries")
    assert (before == after) is (step != checkpoints.COMMITTED)


def test_every_checkpoint_is_passed_by_every_kind_in_order(tmp_path: Path) -> None:
    shop = MemoryShop(tmp_path)
    for kind in ("partition", "scd", "static"):
        seen: list[str] = []
        with checkpoints.watched(seen.append):
            shop.run(table_types=[kind], parallel_execution=False)
        of_units = [step for step in seen if step in checkpoints.OF_EVERY_UNIT]
        assert tuple(of_units[: len(checkpoints.OF_EVERY_UNIT)]) == checkpoints.OF_EVERY_UNIT
