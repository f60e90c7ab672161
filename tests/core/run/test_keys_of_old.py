"""Partitions whose keys are written in a form that is no longer read: their rows are neither lost nor doubled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dltsync_core.ranges import PartitionRange
from tests.support.memory_shop import ORDERS, MemoryShop


def closed_key(range_: PartitionRange) -> str:
    """As an unreleased dltsync wrote it: with a bracket at an infinite end."""
    lower = "-inf" if range_.lower is None else range_.lower.text
    upper = "+inf" if range_.upper is None else range_.upper.text
    return f"[{lower},{upper})" if range_.side == "right" else f"({lower},{upper}]"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryShop:
    """Its orders were loaded under the old keys."""
    made = MemoryShop(tmp_path)
    with monkeypatch.context() as old:
        old.setattr(PartitionRange, "key", property(closed_key))
        units = {unit.unit for unit in made.run(table_names=["sales.Orders"]).units}
    assert "[-inf,10)" in units
    return made


@pytest.mark.parametrize("boundaries", [[10, 20], [15], [], [5, 10, 20]], ids=str)
@pytest.mark.parametrize("lost", ["nothing", "the ledger"])
def test_the_slots_of_now_take_over_what_lies_under_old_keys(
    shop: MemoryShop, boundaries: list[int], lost: str
) -> None:
    shop.source.tables[ORDERS].boundaries[:] = boundaries
    if lost == "the ledger":
        shutil.rmtree(shop.root / "state")
    planned = shop.run(table_names=["sales.Orders"])
    assert planned.success, planned["errors"]
    shop.assert_same([ORDERS])
    with shop.pipeline() as pipeline:
        assert pipeline.validate_all_tables(["sales.Orders"])["valid"]
        assert "[-inf,10)" not in pipeline.committed("sales.Orders")
    again = shop.run(table_names=["sales.Orders"])
    assert {unit.status for unit in again.units} == {"skipped"}
