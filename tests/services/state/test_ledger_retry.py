"""A ledger that is away for a moment is waited for, and what was written is written once."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from dltsync_core.clock import utc_now
from dltsync_core.committed import CommitChange
from dltsync_core.errors import Fenced, LedgerUnavailable, StateConflict
from dltsync_core.process import this_process
from dltsync_core.state import leases as leases_module
from dltsync_core.state import sqlite_store as sqlite
from dltsync_core.state.lease_rows import Lease
from dltsync_core.state.leases import Held, Leases
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.ledger_retry import Patience
from dltsync_core.state.records import LoadEvent, LoadStatus
from dltsync_core.state.store import Store
from dltsync_core.state.tables import fences, leases, loads
from tests.services.state.breaking_wire import BreakingWire, Moment
from tests.services.state.rivals import TABLE, committed_unit
from tests.support.postgres_server import PostgresServer

on_postgres = pytest.mark.xdist_group("postgres")


def event(load_id: str, status: LoadStatus = LoadStatus.COMMITTED) -> LoadEvent:
    return LoadEvent(TABLE, "partition", "all", load_id, "r", status, utc_now())


def put(store: Store, key: str, at: Callable[[], None] = lambda: None) -> None:
    """One row, with something that happens in the middle of its transaction."""

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(fences).values(table_key=key, fence=1))
        at()

    store.write(work)


def keys(store: Store) -> list[str]:
    return store.read(lambda connection: sorted(connection.execute(sa.select(fences.c.table_key)).scalars()))


def once(work: Callable[[], None]) -> Callable[[], None]:
    left = [work]
    return lambda: left.pop()() if left else None


def briefly(seconds: float) -> None:
    """The server can be reached at once: only the connection broke."""
    time.sleep(min(seconds, 0.01))


@pytest.fixture
def wire(postgres_server: str) -> Iterator[BreakingWire]:
    wire = BreakingWire(int(postgres_server.rpartition(":")[2]))
    yield wire
    wire.close()


@pytest.fixture
def wired(wire: BreakingWire, postgres_url: str, postgres_server: str, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger behind the wire."""
    store = Store(
        tmp_path,
        postgres_url.replace(postgres_server, f"ledger@127.0.0.1:{wire.port}"),
        patience=Patience(30, sleep=briefly),
    )
    yield Ledger(store, "p")
    store.close()


def stored(ledger: Ledger) -> tuple[dict[str, int], list[str]]:
    """Generations, and the load of each event."""
    told = ledger.store.read(lambda c: list(c.execute(sa.select(loads.c.load_id).order_by(loads.c.id)).scalars()))
    return dict(ledger.committed_units(TABLE).generations), told


@on_postgres
def test_a_server_that_restarts_in_the_middle_of_a_transaction_is_waited_for(
    own_postgres: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:  # the first attempt was cut off, the second found nobody
            own_postgres.start()

    url = f"postgresql+psycopg://{own_postgres.address}/postgres"
    store = Store(tmp_path, url, patience=Patience(60, sleep=sleep))
    put(store, "before")
    with caplog.at_level(logging.WARNING):
        put(store, "inside", once(own_postgres.stop))
    assert keys(store) == ["before", "inside"]
    store.close()
    said = [record.message for record in caplog.records]
    assert any("terminating connection" in text for text in said), said
    assert any("Connection refused" in text for text in said), said


@on_postgres
@pytest.mark.parametrize("breaks", [["before"], ["after"], ["after", "before", "after"]], ids=", ".join)
def test_a_commit_without_an_answer_is_made_once(wired: Ledger, wire: BreakingWire, breaks: list[Moment]) -> None:
    wired.commit(TABLE, [CommitChange("all", 0, committed_unit("all", "first"))], [event("first")])
    wire.breaks[:] = breaks
    wired.commit(TABLE, [CommitChange("all", 1, committed_unit("all", "second"))], [event("second")])
    assert wire.breaks == []
    assert stored(wired) == ({"all": 2}, ["first", "second"])
    wire.breaks[:] = breaks
    wired.commit(TABLE, [CommitChange("all", 2, None)])
    assert wire.breaks == []
    assert wired.committed_units(TABLE).live == {}


@on_postgres
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_commit_without_an_answer_that_ended_its_lease_is_made_once(
    wired: Ledger, wire: BreakingWire, moment: Moment
) -> None:
    """The second attempt finds the lease gone, and that it was the first that ended it."""
    leases = Leases(wired.store, "p", holder=str(this_process()), seconds=60)
    change = CommitChange("all", 0, committed_unit("all", "first"))
    with leases.held(
        TABLE, ["all"], at_least=0, wait_seconds=0, on_wait=lambda message: None, raise_if_stopped=lambda: None
    ) as held:
        wire.breaks[:] = [moment]
        wired.commit(TABLE, [change], [event("first")], lease=held.lease, give_back=True)
        held.given_back = True
    assert wire.breaks == []
    assert stored(wired) == ({"all": 1}, ["first"])


@on_postgres
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_event_without_an_answer_is_recorded_once(wired: Ledger, wire: BreakingWire, moment: Moment) -> None:
    wire.breaks[:] = [moment]
    wired.record(event("one"), event("two"))
    assert (wire.broken, stored(wired)[1]) == (1, ["one", "two"])


@on_postgres
@pytest.mark.parametrize(("moment", "ours"), [("after", True), ("before", False)])
def test_a_commit_without_an_answer_that_others_have_gone_beyond_is_told_from_one_that_never_was(
    wired: Ledger, wire: BreakingWire, postgres_url: str, tmp_path: Path, moment: Moment, ours: bool
) -> None:
    """What ours left in the committed units is gone; what it left among the events is not."""
    other = Ledger(Store(tmp_path, postgres_url), "p")

    def meanwhile(_: float) -> None:
        seen = other.committed_units(TABLE).generation("all")
        other.commit(TABLE, [CommitChange("all", seen, committed_unit("all", "theirs"))], [event("theirs")])

    wired.store.patience = Patience(30, sleep=meanwhile)
    wire.breaks[:] = [moment]
    change = [CommitChange("all", 0, committed_unit("all", "ours"))]
    if ours:
        wired.commit(TABLE, change, [event("ours")])
    else:
        with pytest.raises(StateConflict, match="another run committed it in between"):
            wired.commit(TABLE, change, [event("ours")])
    assert stored(other) == ({"all": 1 + ours}, ["ours", "theirs"] if ours else ["theirs"])
    other.store.close()


def held(store: Store, holder: str, seconds: float = 60) -> Any:
    return Leases(store, "p", holder=holder, seconds=seconds).held(
        TABLE, ["all"], at_least=0, wait_seconds=0, on_wait=lambda _: None, raise_if_stopped=lambda: None
    )


@on_postgres
def test_a_lease_that_may_have_been_taken_over_meanwhile_is_not_believed(
    wired: Ledger, wire: BreakingWire, postgres_url: str, tmp_path: Path
) -> None:
    """The commit was not carried out, and while it was waited for the lease ran out and went to somebody else."""
    other = Store(tmp_path, postgres_url)
    taken: list[Lease] = []

    def meanwhile(_: float) -> None:
        with other.writing() as connection:
            connection.execute(sa.update(leases).values(expires_at=0))
        with held(other, "m|b|n|1|1|other") as one:
            taken.append(one.lease)

    with held(wired.store, "m|b|n|1|1|we") as mine:
        wired.store.patience = Patience(30, sleep=once_called(meanwhile))
        wire.breaks[:] = ["before"]
        with pytest.raises(Fenced):
            wired.commit(
                TABLE, [CommitChange("all", 0, committed_unit("all", "ours"))], [event("ours")], lease=mine.lease
            )
    assert taken[0].fence > mine.lease.fence
    assert stored(wired) == ({}, [])
    other.close()


def once_called(work: Callable[[float], None]) -> Callable[[float], None]:
    left = [work]
    return lambda seconds: left.pop()(seconds) if left else None


@on_postgres
@pytest.mark.parametrize("moment", ["before", "after"])
def test_leases_are_taken_renewed_and_given_back_over_commits_without_an_answer(
    wired: Ledger, wire: BreakingWire, postgres_url: str, tmp_path: Path, moment: Moment
) -> None:
    wire.breaks[:] = [moment]
    with held(wired.store, "m|b|n|1|1|we") as one:
        wire.breaks[:] = [moment]
        one.renew()
        one.check()
        wire.breaks[:] = [moment]
    assert wire.broken == 3
    with held(wired.store, "m|b|n|1|1|other") as next_one:
        assert next_one.lease.fence > one.lease.fence


@on_postgres
def test_a_renewal_that_failed_is_tried_again_soon(
    own_postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beat is a third of the lease: two failed ones and the lease would hang by a thread."""
    store = Store(tmp_path, f"postgresql+psycopg://{own_postgres.address}/postgres", patience=Patience(30))
    pauses: list[float | None] = []
    stopped, renewed = threading.Event(), threading.Event()

    class Pauses(threading.Event):
        """Those between the beats, which nobody waits for."""

        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            if len(pauses) == 1:
                return not stopped.wait(60)  # the first renewal finds nobody
            if len(pauses) == 2:
                own_postgres.start()
                return False
            renewed.set()
            return super().wait(60)

    def expiry() -> int:
        return store.read(lambda connection: int(connection.execute(sa.select(leases.c.expires_at)).scalar_one()))

    faster = SimpleNamespace(Event=Pauses, Thread=threading.Thread, Lock=threading.Lock)
    monkeypatch.setattr(leases_module, "threading", faster)
    with held(store, "m|b|n|1|1|we", seconds=12):
        first = expiry()
        own_postgres.stop()
        stopped.set()
        assert renewed.wait(60)
        assert expiry() > first
        assert pauses == [4, 1, 4]
    store.close()


@on_postgres
def test_once_waiting_was_in_vain_everything_is_tried_once_until_something_succeeds(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    store = Store(
        tmp_path, f"postgresql+psycopg://{own_postgres.address}/postgres", patience=Patience(0.8, sleep=sleep)
    )
    own_postgres.stop()
    began = time.monotonic()
    with pytest.raises(LedgerUnavailable, match=r"(?s)cannot be used for now.*Connection refused.*database is up"):
        put(store, "first")
    assert len(slept) >= 1
    assert time.monotonic() - began < 5
    slept.clear()
    with pytest.raises(LedgerUnavailable):
        put(store, "second")
    assert slept == []
    own_postgres.start()
    put(store, "third")
    put(store, "fourth", once(lambda: own_postgres.cut_connections("postgres")))
    assert slept != []
    assert keys(store) == ["fourth", "third"]
    store.close()


def test_an_sqlite_ledger_that_is_locked_for_longer_than_sqlite_waits_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    store = Store(tmp_path)
    somebody = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")

    def end(_: float) -> None:
        somebody.execute("ROLLBACK")

    store.patience = Patience(30, sleep=once_called(end))
    put(store, "waited")
    somebody.close()
    assert keys(store) == ["waited"]
    store.close()


def test_a_lease_is_given_up_even_when_the_waiting_for_the_store_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is told to stop while the ledger is away: the next run of this process need not wait for the lease."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)

    class Stop(Exception):
        pass

    def stop(_: float) -> None:
        raise Stop

    store = Store(tmp_path, patience=Patience(30, sleep=stop))
    somebody = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    one: Held
    with pytest.raises(Stop), held(store, "m|b|n|1|1|we") as one:
        somebody.execute("BEGIN IMMEDIATE")
    somebody.execute("ROLLBACK")
    somebody.close()
    with held(store, "m|b|n|1|1|other") as other:
        assert other.lease.fence > one.lease.fence
    store.close()
