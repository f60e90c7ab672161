"""Leases: one holder at a time, ever higher fences, and a loser that finds out."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from dltsync_core.clock import iso, parse_iso, utc_now
from dltsync_core.committed import CommitChange
from dltsync_core.errors import Fenced, LeaseHeld, StateConflict, StateError
from dltsync_core.identity import TableName
from dltsync_core.process import read_identity, this_process
from dltsync_core.state import lease_rows
from dltsync_core.state import leases as leases_module
from dltsync_core.state.lease_rows import verify_lease
from dltsync_core.state.leases import Held, Leases
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.store import Store, store_time
from dltsync_core.state.tables import leases as leases_table

TABLE = TableName("dbo", "Orders")


def held(
    store: Store,
    units: tuple[str, ...] = ("all",),
    *,
    seconds: float = 60,
    at_least: int = 0,
    wait: float = 0,
    holder: str | None = None,
    say: Callable[[str], None] = lambda message: None,
) -> AbstractContextManager[Held]:
    leases = Leases(store, "p", holder=holder or str(this_process()), seconds=seconds)
    return leases.held(TABLE, units, at_least=at_least, wait_seconds=wait, on_wait=say, raise_if_stopped=lambda: None)


def test_fences_grow_with_every_lease_and_stay_above_what_others_have_seen(store: Store) -> None:
    fences = []
    for at_least in (0, 0, 41, 7):
        with held(store, at_least=at_least) as one:
            fences.append(one.lease.fence)
    assert fences == [1, 2, 42, 43]


def test_a_unit_has_one_holder_and_the_other_is_told_whom_to_wait_for_and_since_when(store: Store) -> None:
    said: list[str] = []
    before = utc_now()
    with held(store, say=said.append):
        after = utc_now()
        time.sleep(0.02)
        with pytest.raises(LeaseHeld) as caught, held(store, wait=0.02, say=said.append):
            pass
    who = f"process {os.getpid()} on {platform.node()}, there since "
    assert who in str(caught.value)
    since = parse_iso(str(caught.value.facts["since"]))
    assert before - timedelta(milliseconds=1) <= since <= after
    assert iso(since) in str(caught.value)
    assert caught.value.is_transient
    assert "let that run end, or raise state.lease_wait_seconds" in caught.value.remedy
    assert len(said) == 1
    assert said[0].startswith(f"waiting for dbo.Orders all: {who}{iso(since)}")


def test_other_units_of_the_table_are_free(store: Store) -> None:
    with held(store, ("[1,2)",)) as one, held(store, ("[2,3)",)) as two:
        assert one.lease.fence < two.lease.fence


def test_a_family_is_taken_whole_or_not_at_all(store: Store) -> None:
    with held(store, ("b",)):
        with pytest.raises(LeaseHeld), held(store, ("a", "b", "c")):
            pass
        with held(store, ("a", "c")):
            pass


def test_a_family_of_any_size_is_taken_renewed_kept_and_given_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQL Server takes 2,100 parameters: units are named by so many a statement. The last of them is as safe as the first."""
    monkeypatch.setattr(lease_rows, "KEYS_PER_STATEMENT", 2)
    units = tuple(f"[{n},{n + 1})" for n in range(7))
    with held(store, units) as family:
        for unit in units:
            with pytest.raises(LeaseHeld), held(store, (unit,)):
                pass
        assert Leases(store, "p", holder=family.lease.holder, seconds=60).renew(family.lease)
        assert str(family.lease) == "dbo.Orders [0,1), [1,2), [2,3), [3,4), [4,5) and 2 more"
        with store.writing() as connection:
            verify_lease(connection, family.lease, "p")
            connection.execute(sa.update(leases_table).where(leases_table.c.unit == units[-1]).values(fence=99))
        assert not Leases(store, "p", holder=family.lease.holder, seconds=60).renew(family.lease)
        with store.writing() as connection, pytest.raises(Fenced):
            verify_lease(connection, family.lease, "p")
    for unit in units[:-1]:
        with held(store, (unit,)):
            pass


def test_who_waits_gets_it_when_it_is_given_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "POLL_SECONDS", 0.05)
    got: list[Held] = []
    waiting = threading.Event()
    first = held(store)
    first.__enter__()

    def wait() -> None:
        with held(store, wait=30, say=lambda _: waiting.set()) as later:
            got.append(later)

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(30)
    assert got == []
    first.__exit__(None, None, None)
    thread.join(30)
    assert got[0].lease.fence == 2


def test_a_lease_lives_as_long_as_it_is_renewed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the store is put forward, so that nobody waits for a minute."""
    monkeypatch.setattr(leases_module, "RENEWALS_PER_LEASE", 600)
    ahead = 0
    monkeypatch.setattr(leases_module, "store_time", lambda connection: store_time(connection) + ahead)

    def expiry() -> int:
        with store.reading() as connection:
            return int(connection.execute(sa.select(leases_table.c.expires_at)).scalar_one())

    with held(store, seconds=60) as one:
        first = expiry()
        for ahead in (40_000, 80_000):
            end = time.monotonic() + 30
            while expiry() < first + ahead:
                assert time.monotonic() < end
                time.sleep(0.01)
        one.check()
        with pytest.raises(LeaseHeld), held(store, seconds=60):
            pass


def test_who_does_not_renew_loses_it_and_can_neither_go_on_nor_commit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leases, "_beat", lambda self, held, ended: None)
    ledger = Ledger(store, "p")
    with held(store, seconds=0.1) as one:
        time.sleep(0.15)
        with held(store) as two:
            with pytest.raises(Fenced, match="another run took over"):
                ledger.commit(TABLE, [CommitChange("all", 0, None)], lease=one.lease)
            with pytest.raises(Fenced, match="another run took over"):
                one.check()
            two.check()
            ledger.commit(TABLE, [CommitChange("all", 0, None)], lease=two.lease)


def test_a_lease_may_end_with_the_commit_of_its_units(store: Store) -> None:
    ledger = Ledger(store, "p")
    with held(store) as one:
        ledger.commit(TABLE, [CommitChange("all", 0, None)], lease=one.lease, give_back=True)
        one.given_back = True
        with held(store, holder="another process") as two:
            assert two.lease.fence > one.lease.fence
            with pytest.raises(Fenced):
                ledger.commit(TABLE, [CommitChange("all", 0, None)], lease=one.lease, give_back=True)
            two.renew()
            two.check()


def test_a_commit_that_is_refused_leaves_the_lease_as_it_is(store: Store) -> None:
    ledger = Ledger(store, "p")
    with held(store) as one:
        with pytest.raises(StateConflict):
            ledger.commit(TABLE, [CommitChange("all", 7, None)], lease=one.lease, give_back=True)
        with pytest.raises(LeaseHeld), held(store, holder="another process"):
            pass
        one.renew()
        one.check()


def test_giving_back_what_was_lost_takes_nothing_from_the_next(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Leases, "_beat", lambda self, held, ended: None)
    first = held(store, seconds=0.1)
    first.__enter__()
    time.sleep(0.15)
    with held(store) as two:
        first.__exit__(None, None, None)
        two.check()
        with pytest.raises(LeaseHeld), held(store):
            pass


def test_a_lease_that_ended_while_the_ledger_did_not_answer_is_in_nobodys_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process would have to wait until it expires; a run of the same process knows that it ended."""

    def locked() -> AbstractContextManager[sa.Connection]:
        raise StateError("the ledger stayed locked by another process")

    with monkeypatch.context() as broken, held(store, ("[1,2)", "[2,3)")) as first:
        broken.setattr(store, "writing", locked)
    with held(store, ("[2,3)",)) as second:
        assert second.lease.fence > first.lease.fence
    with held(store, ("[1,2)",)), pytest.raises(LeaseHeld), held(store, ("[1,2)",)):
        pass


def test_only_what_can_be_shown_counts_as_gone() -> None:
    ours = str(this_process())
    machine, boot, namespace, process, started, tail = ours.split("|")
    assert not read_identity(ours).is_gone
    assert read_identity(f"{machine}|{boot}|{namespace}|{process}|1|{tail}").is_gone
    assert not read_identity(f"elsewhere|{boot}|{namespace}|999999|{started}|{tail}").is_gone
    assert not read_identity(f"{machine}|{boot}|pid:[1]|999999|{started}|{tail}").is_gone
    assert not read_identity("anything").is_gone


def test_a_renewal_that_comes_while_another_takes_over_does_not_count(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has to queue behind the taker: else both would believe in the lease until the next renewal."""
    monkeypatch.setattr(Leases, "_beat", lambda self, held, ended: None)
    first = held(store, seconds=0.1)
    old = first.__enter__()
    time.sleep(0.15)
    looked, go_on, taking = threading.Event(), threading.Event(), threading.local()

    def slow(connection: sa.Connection) -> int:
        moment = store_time(connection)
        if getattr(taking, "here", False):
            looked.set()
            assert go_on.wait(60)
        return moment

    monkeypatch.setattr(leases_module, "store_time", slow)
    renewed: list[bool] = []

    def take() -> None:
        taking.here = True
        with held(store, seconds=60, wait=30) as new:
            taking.here = False
            assert new.lease.fence == 2
            late.join(60)

    late = threading.Thread(target=lambda: renewed.append(old._owner.renew(old.lease)))
    taker = threading.Thread(target=take)
    taker.start()
    assert looked.wait(60)
    late.start()
    late.join(0.3)
    assert renewed == []
    go_on.set()
    taker.join(60)
    assert renewed == [False]
    first.__exit__(None, None, None)


def test_many_races_have_one_winner_each(store: Store) -> None:
    inside, most, fences = 0, 0, []
    guard = threading.Lock()

    def race() -> None:
        nonlocal inside, most
        for _ in range(15):
            with held(store, wait=120) as one:
                with guard:
                    inside += 1
                    most = max(most, inside)
                    fences.append(one.lease.fence)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=race) for _ in range(4)]
    poll, leases_module.POLL_SECONDS = leases_module.POLL_SECONDS, 0.001
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        leases_module.POLL_SECONDS = poll
    assert most == 1
    assert len(fences) == 60
    assert fences == sorted(set(fences))
