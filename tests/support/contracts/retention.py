"""A run forgets old events of its ledger, wherever the ledger is. `state_url` is a fixture of the test module's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dltsync_core.clock import iso, utc_now
from dltsync_core.state.store import Store
from dltsync_core.state.tables import loads
from tests.support.memory_shop import COUNTRIES, MemoryShop, outcomes


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
