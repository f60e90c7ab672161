"""What `state_retention_days`, `validate_state_consistency` and `backup_state_before_run` do in a run."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from dltsync_core.clock import utc_now
from tests.support.contracts.retention import *  # noqa: F403
from tests.support.contracts.retention import age, committed, told_loads
from tests.support.memory_shop import COUNTRIES, ORDERS, MemoryShop, outcomes


@pytest.fixture
def state_url() -> str | None:
    """The SQLite file in the state directory."""
    return None


def test_what_a_run_forgets_is_in_the_copy_it_made_before(tmp_path: Path) -> None:
    place = MemoryShop(tmp_path)
    place.run()
    replaced = committed(place, "Countries")
    place.rows(COUNTRIES).pop()
    place.run()
    age(place, 100)
    place.run()
    assert replaced not in told_loads(place)
    newest = max((tmp_path / "state" / "backups").iterdir())
    raw = sqlite3.connect(newest)
    assert raw.execute("SELECT count(*) FROM dltsync_loads WHERE load_id = ?", (replaced,)).fetchone()[0] > 0
    raw.close()


@pytest.mark.parametrize(("kept_days", "left"), [(90, 10), (365, 13)])
def test_copies_older_than_the_retention_go_with_the_next_run(tmp_path: Path, kept_days: int, left: int) -> None:
    place = MemoryShop(tmp_path, state_retention_days=kept_days)
    copies = tmp_path / "state" / "backups"
    copies.mkdir(parents=True)
    for days in range(100, 112):
        (copies / f"ledger-{utc_now() - timedelta(days=days):%Y%m%dT%H%M%S%f}Z.db").touch()
    place.run()
    assert len(list(copies.iterdir())) == left


def lose_warehouse_rows(place: MemoryShop) -> None:
    place.warehouse.tables[("warehouse", "Orders")].clear()


def lose_lake_table(place: MemoryShop) -> None:
    (directory,) = (place.root / "lake").glob("*/sales_Orders*")
    shutil.rmtree(directory)


@pytest.mark.parametrize("lose", [lose_warehouse_rows, lose_lake_table])
def test_losses_are_seen_by_the_comparison_and_by_nothing_else(tmp_path: Path, lose: object) -> None:
    """Off: the ledger is believed, so nothing is to be done. On again: the next run makes good what is missing."""
    believing, comparing = MemoryShop(tmp_path, validate_state_consistency=False), MemoryShop(tmp_path)
    comparing.source, comparing.warehouse = believing.source, believing.warehouse
    believing.run()
    assert callable(lose)
    lose(believing)
    assert set(outcomes(believing.run()).values()) == {"skipped"}
    with pytest.raises(AssertionError):
        believing.assert_same((ORDERS,))
    result = comparing.run()
    assert {unit.table for unit in result.units if unit.status == "committed"} == {ORDERS}
    comparing.assert_same()
