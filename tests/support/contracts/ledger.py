"""The ledger remembers every load, and a commit only replaces what the committer had seen."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from dltsync_core.committed import CommitChange, CommittedUnit, LoadIdentity, Probe
from dltsync_core.errors import StateConflict, StateError
from dltsync_core.identity import TableName
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.records import LoadEvent, LoadStatus
from dltsync_core.state.store import Store

ORDERS = TableName("sales", "Orders")
NOON = datetime(2026, 1, 15, 12, 0, 0, 123456, tzinfo=timezone.utc)


def committed_unit(unit: str = "[10,20)", load_id: str = "load-1", rows: int = 3) -> CommittedUnit:
    return CommittedUnit(
        identity=LoadIdentity("dltsync", "server/db", ORDERS, "partition", unit, load_id, "run-1", "d1"),
        generation=0,
        probe=Probe("fingerprint", rows, "3:17:4", None),
        rows=rows,
        warehouse_rows=rows,
        lake="1234",
        committed_at=NOON,
        watermark="2026-01-15T11:59:59.9999999",
    )


def unit_of(table: TableName, unit: str) -> CommittedUnit:
    found = committed_unit(unit)
    return replace(found, identity=replace(found.identity, table=table))


def event(
    load_id: str, status: LoadStatus, *, at: datetime = NOON, unit: str = "[10,20)", detail: str = ""
) -> LoadEvent:
    return LoadEvent(ORDERS, "partition", unit, load_id, "run-1", status, at, 3, detail)


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store, "dltsync")


def test_a_committed_head_comes_back_as_it_was_with_the_first_generation(ledger: Ledger) -> None:
    ledger.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit())])
    assert ledger.committed_units(ORDERS).live == {"[10,20)": replace(committed_unit(), generation=1)}


def test_a_commit_from_what_was_seen_replaces_it(ledger: Ledger) -> None:
    ledger.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit())])
    ledger.commit(ORDERS, [CommitChange("[10,20)", 1, committed_unit(load_id="load-2", rows=5))])
    found = ledger.committed_units(ORDERS).live["[10,20)"]
    assert (found.generation, found.load_id, found.rows) == (2, "load-2", 5)


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_commit_from_anything_else_is_a_conflict_and_changes_nothing(ledger: Ledger, expected: int) -> None:
    ledger.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit())])
    ledger.commit(ORDERS, [CommitChange("[10,20)", 1, committed_unit(load_id="load-2"))])
    with pytest.raises(StateConflict, match=r"sales.Orders \[10,20\): another run committed it"):
        ledger.commit(ORDERS, [CommitChange("[10,20)", expected, committed_unit(load_id="late"))])
    assert ledger.committed_units(ORDERS).live["[10,20)"].load_id == "load-2"


def test_all_changes_of_a_commit_happen_or_none(ledger: Ledger) -> None:
    ledger.commit(ORDERS, [CommitChange("[10,30)", 0, committed_unit("[10,30)"))])
    with pytest.raises(StateConflict):
        ledger.commit(
            ORDERS,
            [
                CommitChange("[10,20)", 0, committed_unit("[10,20)", "load-2")),
                CommitChange("[20,30)", 7, committed_unit("[20,30)", "load-3")),
                CommitChange("[10,30)", 1, None),
            ],
            [event("load-2", LoadStatus.COMMITTED)],
        )
    assert set(ledger.committed_units(ORDERS).live) == {"[10,30)"}
    assert ledger.events("load-2") == ()


def test_a_split_puts_two_heads_and_removes_one(ledger: Ledger) -> None:
    ledger.commit(ORDERS, [CommitChange("[10,30)", 0, committed_unit("[10,30)"))])
    ledger.commit(
        ORDERS,
        [
            CommitChange("[10,20)", 0, committed_unit("[10,20)", "load-2")),
            CommitChange("[20,30)", 0, committed_unit("[20,30)", "load-3")),
            CommitChange("[10,30)", 1, None),
        ],
    )
    assert set(ledger.committed_units(ORDERS).live) == {"[10,20)", "[20,30)"}


def test_a_unit_that_comes_back_never_gets_an_old_generation(ledger: Ledger) -> None:
    """Else a run that slept through removal and return would pass its compare-and-set."""
    ledger.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit())])
    ledger.commit(ORDERS, [CommitChange("[10,20)", 1, None)])
    assert ledger.committed_units(ORDERS).live == {}
    assert ledger.committed_units(ORDERS).generation("[10,20)") == 2
    with pytest.raises(StateConflict):
        ledger.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit(load_id="sleeper"))])
    ledger.commit(ORDERS, [CommitChange("[10,20)", 2, committed_unit(load_id="load-3"))])
    assert ledger.committed_units(ORDERS).live["[10,20)"].generation == 3


def test_of_many_writers_with_one_expectation_exactly_one_wins(tmp_path: Path, store_url: str | None) -> None:
    """On a server the eight also find no tables, and make them."""
    outcomes: list[str] = []

    def commit(number: int) -> None:
        with Ledger(Store(tmp_path, store_url), "dltsync") as mine:
            try:
                mine.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit(load_id=f"load-{number}"))])
                outcomes.append("won")
            except StateConflict:
                outcomes.append("lost")

    threads = [threading.Thread(target=commit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost"] * 7 + ["won"]
    with Ledger(Store(tmp_path, store_url), "dltsync") as mine:
        assert mine.committed_units(ORDERS).generations == {"[10,20)": 1}


def test_events_are_kept_in_order_and_the_last_one_of_each_unit_is_found(ledger: Ledger) -> None:
    ledger.record(event("load-1", LoadStatus.PLANNED), event("load-1", LoadStatus.EXTRACTED))
    ledger.record(event("load-1", LoadStatus.FAILED, detail="ValidationFailed: 3 rows, not 4"))
    ledger.record(event("load-2", LoadStatus.PUBLISHED, unit="[20,30)"))
    assert [e.status.value for e in ledger.events("load-1")] == ["planned", "extracted", "failed"]
    last = ledger.last_events(ORDERS)
    assert {unit: e.status.value for unit, e in last.items()} == {"[10,20)": "failed", "[20,30)": "published"}
    assert last["[10,20)"].detail == "ValidationFailed: 3 rows, not 4"
    assert last["[10,20)"].at == NOON


def test_old_events_are_forgotten_unless_a_head_stands_on_them(ledger: Ledger) -> None:
    ledger.record(event("load-1", LoadStatus.FAILED), event("load-2", LoadStatus.COMMITTED))
    ledger.record(event("load-3", LoadStatus.FAILED, at=NOON + timedelta(days=80)))
    ledger.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit(load_id="load-2"))])
    assert ledger.prune(NOON + timedelta(days=30)) == 1
    assert ledger.events("load-1") == ()
    assert len(ledger.events("load-2")) == 1
    assert len(ledger.events("load-3")) == 1


def test_pipelines_in_one_store_do_not_see_each_other(tmp_path: Path, store_url: str | None) -> None:
    with Ledger(Store(tmp_path, store_url), "one") as one, Ledger(Store(tmp_path, store_url), "two") as two:
        one.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit())])
        assert two.committed_units(ORDERS).live == {}
        assert two.tables() == ()
        two.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit(load_id="other"))])
        assert one.committed_units(ORDERS).live["[10,20)"].load_id == "load-1"


def test_a_table_is_found_whatever_the_case_of_its_name(ledger: Ledger) -> None:
    ledger.commit(ORDERS, [CommitChange("[10,20)", 0, committed_unit())])
    assert ledger.find_table(TableName("SALES", "orders")) == ORDERS
    assert ledger.find_table(TableName("dbo", "Orders")) == TableName("dbo", "Orders")


def test_names_and_keys_of_any_text_survive(ledger: Ledger) -> None:
    odd = TableName("we]ird \"s'ch;ema", "täble\n🚲--" + "x" * 110)
    unit = "[" + "%5B" * 3000 + ",+inf)"
    ledger.commit(odd, [CommitChange(unit, 0, replace(unit_of(odd, unit), watermark="'; DROP TABLE x;--"))])
    found = ledger.committed_units(odd).live[unit]
    assert (found.table, found.unit, found.watermark) == (odd, unit, "'; DROP TABLE x;--")


def test_a_ledger_opened_for_planning_refuses_to_write(tmp_path: Path, store_url: str | None) -> None:
    with Ledger(Store(tmp_path, store_url), "dltsync"):
        pass
    with (
        Ledger(Store(tmp_path, store_url, writable=False), "dltsync") as planning,
        pytest.raises(StateError, match="opened for planning"),
    ):
        planning.record(event("load-1", LoadStatus.PLANNED))


def test_generations_are_told_of_the_units_asked_for(ledger: Ledger) -> None:
    """A unit is asked for before each of its loads: the answer must not be all 15,000 of its table."""
    units = [f"[{n},{n + 1})" for n in range(1_100)]
    ledger.commit(ORDERS, [CommitChange(unit, 0, committed_unit(unit)) for unit in units])
    ledger.commit(ORDERS, [CommitChange(units[1], 1, None)])
    assert ledger.generations(ORDERS, [units[0], units[1], "[0,x)"]) == {units[0]: 1, units[1]: 2}
    assert ledger.generations(ORDERS, units) == ledger.committed_units(ORDERS).generations
    assert ledger.generations(TableName("sales", "Other"), units) == {}
