"""Which tables a tick probes, and what it says of those that it does not."""

from __future__ import annotations

import dagster as dg
import pytest

from dltsync_core.config import StaticTableConfig
from dltsync_core.errors import CatalogError, ServerUnreachable, StatementTimeout
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster import LocationSettings, build_definitions, check_schedule
from tests.dagster.conftest import BOUNDARIES, COUNTRIES, CURRENCIES, HASHES, FakeLocation, shop_config, skip_reason
from tests.dagster.fakes import FakeTable


def many(shop: FakeLocation, count: int, **options: object) -> list[str]:
    """So many static tables in place of the shop's."""
    names = [f"dbo.T{number}" for number in range(count)]
    shop.world.tables = {name: FakeTable({WHOLE_TABLE: 1}) for name in names}
    static = tuple(StaticTableConfig(table_name=name.removeprefix("dbo."), **options) for name in names)
    config = shop_config().model_copy(update={"partition_tables": (), "scd_tables": (), "static_tables": static})
    shop.definitions = build_definitions(config, settings=LocationSettings(), open_pipeline=shop.world.open)
    with shop.world.open(config) as pipeline:
        pipeline.run()
    return names


def test_what_a_tick_did_not_reach_comes_first_at_the_next(shop: FakeLocation) -> None:
    names = many(shop, 5)
    shop.world.not_reached = set(names[2:])
    found = shop.look(HASHES)
    shop.world.not_reached = set()
    again = shop.look(HASHES, found.cursor)
    assert shop.world.probed == [tuple(names), (*names[2:], *names[:2])]
    assert [e.asset_key.path[-1] for e in found.asset_events] == [name.removeprefix("dbo.") for name in names]
    assert "no time left" not in skip_reason(again)


def test_a_table_that_is_not_due_is_not_probed(shop: FakeLocation) -> None:
    names = many(shop, 3, check_every="1h")
    shop.world.tables[names[0]].change()
    found = shop.look(HASHES, shop.tick(HASHES).cursor)
    assert shop.world.probed == [tuple(names), ("dbo.T0",)], "what changed and is not loaded yet is probed again"
    assert [request.asset_selection for request in found.run_requests or []] == [
        [dg.AssetKey(["Shop", "warehouse", "T0"])]
    ]
    shop.execute((found.run_requests or [])[0])
    again = shop.look(HASHES, found.cursor)
    assert shop.world.probed[-1] == ()
    assert "3 tables are not due before" in skip_reason(again)


def test_an_expensive_table_is_probed_more_rarely_than_a_cheap_one(shop: FakeLocation) -> None:
    names = many(shop, 3)
    shop.world.seconds = {names[1]: 20.0}
    shop.look(HASHES, shop.look(HASHES).cursor)
    assert shop.world.probed == [tuple(names), (names[0], names[2])]


def test_a_stalled_table_is_left_out_for_a_while_and_then_probed_alone(
    shop: FakeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.world.broken["dbo.Currencies"] = StatementTimeout("the probe did not end within 8 s", remedy="find its lock")
    (request,) = (first := shop.look(HASHES)).run_requests or []
    assert request.asset_selection == [COUNTRIES]
    assert shop.execute(request).success
    second = shop.look(HASHES, first.cursor)
    assert shop.world.probed[-1] == ("dbo.Countries",)
    assert "probed again later, after a failure: dbo.Currencies" in skip_reason(second)
    later = {
        key: check_schedule.TableState(failures=s.failures)
        for key, s in check_schedule.read_cursor(second.cursor).items()
    }
    del shop.world.broken["dbo.Currencies"]
    third = shop.look(
        HASHES, check_schedule.write_cursor(later, [t for t in shop_config().tables if t.kind == "static"])
    )
    assert shop.world.alone[-1] == ("dbo.Currencies",)
    assert [request.asset_selection for request in third.run_requests or []] == [[CURRENCIES]]


def test_what_a_red_tick_found_out_is_not_forgotten(shop: FakeLocation) -> None:
    """Dagster stores no cursor of a tick that failed: the tables beside the broken one would be due at every tick."""
    names = many(shop, 3, check_every="1h")
    shop.tick(HASHES)
    shop.world.broken[names[1]] = CatalogError("T1 is gone", remedy="look for it")
    with pytest.raises(dg.Failure, match="T1 is gone"):
        shop.look(HASHES)
    found = shop.look(HASHES)
    assert shop.world.probed[1:] == [tuple(names), ()]
    assert f"probed again later, after a failure: {names[1]}" in skip_reason(found)


def test_an_outage_is_one_sentence_and_moves_no_table(shop: FakeLocation) -> None:
    first = shop.look(BOUNDARIES)
    shop.world.down = ServerUnreachable("nobody answers at db.example:1433", remedy="start it")
    found = shop.look(BOUNDARIES, first.cursor)
    assert skip_reason(found).count("nobody answers") == 1
    shop.world.down = None
    assert len(shop.look(BOUNDARIES, found.cursor).run_requests or []) == 2


def test_a_run_that_failed_is_asked_for_again_although_its_table_is_not_due(shop: FakeLocation) -> None:
    (name,) = many(shop, 1, check_every="6h")
    shop.world.tables[name].change()
    found = shop.look(HASHES)
    assert len(found.run_requests or []) == 1
    assert len(shop.look(HASHES, found.cursor).run_requests or []) == 1


def test_the_names_of_many_unchanged_tables_are_counted(shop: FakeLocation) -> None:
    names = many(shop, 40)
    shop.look(HASHES)
    found = shop.tick(HASHES)
    shop.tick(HASHES)
    assert skip_reason(shop.look(HASHES, found.cursor)) == f"unchanged: {', '.join(names[:5])} and 35 more"
