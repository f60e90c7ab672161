"""What `state_retention_days`, `validate_state_consistency` and `backup_state_before_run` do in a run."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dltsync_core.clock import iso, utc_now
from dltsync_core.state.store import Store
from dltsync_core.state.tables import loads
from tests.support.memory_shop import COUNTRIES, ORDERS, MemoryShop, outcomes


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def state_url(request: pytest.FixtureRequest) -> str | None:
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else None


def age(place: MemoryShop, days: int) -> None:
    """As if everything so far had happened so long ago."""
    url = place.config().state.state_url
    store = Store(place.root / "state", url.get_secret_value() if url is not None else None)
    with store.writing() as connection:
        connection.execute(sa.update(loads).values(at=iso(utc_now() - timedelta(days=days))))
    store.close()


def told_loads(place: MemoryShop) -> set[str]:
    """Loads of which the ledger still tells something."""
    url = place.config().state.state_url
    store = Store(place.root / "state", url.get_secret_value() if url is not None else None)
    with store.reading() as connection:
        found = {str(row.load_id) for row in connection.execute(sa.select(loads.c.load_id).distinct())}
    store.close()
    return found


def committed(place: MemoryShop, table: str) -> str:
    with place.pipeline() as pipeline:
        (committed_unit,) = pipeline.committed(table).values()
    return committed_unit.load_id


@pytest.mark.parametrize(("kept_days", "forgotten"), [(90, True), (365, False)])
def test_events_older_than_the_retention_are_forgotten_but_no_state(
    tmp_path: Path, state_url: str | None, kept_days: int, forgotten: bool
) -> None:
    place = MemoryShop(tmp_path, state_url=state_url, state_retention_days=kept_days)
    place.run()
    replaced, standing = committed(place, "Countries"), committed(place, "Customers")
    place.rows(COUNTRIES).pop()
    place.run()
    age(place, 100)
    result = place.run()
    assert set(outcomes(result).values()) == {"skipped"}
    told = told_loads(place)
    assert standing in told
    assert (replaced not in told) is forgotten
    place.assert_same()


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


@pytest.mark.xdist_group("postgres")
def test_a_ledger_on_a_server_is_left_to_its_administrator(tmp_path: Path, postgres_url: str) -> None:
    place = MemoryShop(tmp_path, state_url=postgres_url, backup_state_before_run=True)
    assert place.run().success
    place.assert_same()
    assert not (tmp_path / "state" / "backups").exists()


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
