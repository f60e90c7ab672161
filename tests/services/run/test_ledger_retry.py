"""A run whose ledger goes away in the middle goes on when it is back, and every row is there once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from dltsync_core import checkpoints
from dltsync_core.run import context
from dltsync_core.run.events import Event
from dltsync_core.run.load import schedule
from dltsync_core.state.store import Store
from dltsync_core.state.tables import committed_units, leases, loads
from tests.support.memory_shop import COUNTRIES, CUSTOMERS, EVERYTHING, ORDERS, MemoryShop, order, outcomes, version
from tests.support.postgres_server import PostgresServer, cut_connections

pytestmark = pytest.mark.xdist_group("postgres")


MOMENTS = (
    checkpoints.LEDGER_WRITING,
    checkpoints.EXTRACTED,
    checkpoints.LEASED,
    checkpoints.LOADED,
    checkpoints.VALIDATED,
)


def change(shop: MemoryShop) -> None:
    """Something new in every table."""
    shop.rows(ORDERS)[11]["Note"] = "edited"
    shop.rows(ORDERS).append(order(17, "late"))
    shop.rows(CUSTOMERS).append(version(3, 8, "Kat"))
    shop.rows(COUNTRIES)[0]["Name"] = "Helvetia"


def assert_whole(shop: MemoryShop, url: str, *, commits: int) -> None:
    """Rows once in every place; each commit once in the ledger, nothing left leased, nothing failed."""
    shop.assert_same()
    store = Store(shop.root / "state", url)

    def looked(connection: sa.Connection) -> None:
        told = connection.execute(sa.select(loads)).all()
        doubled = {key: n for key, n in Counter((row.load_id, row.status, row.at) for row in told).items() if n > 1}
        assert doubled == {}
        statuses = Counter(row.status for row in told)
        assert (statuses["committed"], statuses["failed"]) == (commits, 0)
        generations = connection.execute(sa.select(sa.func.sum(committed_units.c.generation))).scalar_one()
        assert generations == commits
        assert connection.execute(sa.select(leases.c.holder).distinct()).scalars().all() == [""]

    store.read(looked)
    store.close()
    assert set(outcomes(shop.run()).values()) == {"skipped"}


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt comes at once: only the connection was cut, and the server can be reached."""
    monkeypatch.setattr(context, "wait_unless_stopped", lambda stop, seconds: time.sleep(min(seconds, 0.01)))


@contextmanager
def at_checkpoints(happens: Callable[[str, int], None]) -> Iterator[list[str]]:
    """`happens` hears the name and the number of every moment of the run. The list tells which there were."""
    reached: list[str] = []
    guard = threading.Lock()

    def handler(name: str) -> None:
        with guard:
            reached.append(name)
            number = len(reached)
        happens(name, number)

    with checkpoints.watched(handler):
        yield reached


@pytest.mark.survives(
    "state",
    "a PostgreSQL ledger is restarted five times in the middle of a run: in a transaction, while units are read and loaded",
    "warnings: the ledger is away, trying again in so many seconds",
    "the same run finishes; every row and every commit once, no lease is left",
)
@pytest.mark.parametrize("parallel", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_run_goes_on_after_restarts_of_the_ledger_s_server(
    own_postgres: PostgresServer, tmp_path: Path, parallel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So many units at once that one is leased while others are read and loaded, not all of them at the beginning.
    monkeypatch.setattr(schedule, "WAITING_LOADS", 0)
    url = f"postgresql+psycopg://{own_postgres.address}/postgres"
    shop = MemoryShop(tmp_path, state_url=url)
    names = iter(
        [
            checkpoints.LEDGER_WRITING,
            checkpoints.EXTRACTED,
            checkpoints.LEASED,
            checkpoints.LOADED,
            checkpoints.VALIDATED,
        ]
    )
    awaited = [next(names)]
    restarts: list[threading.Timer] = []
    guard = threading.Lock()

    def restart(name: str, _: int) -> None:
        with guard:
            if awaited != [name]:
                return
            awaited[:] = [next(names, "")]
            if restarts:
                restarts[-1].join()  # the moments of a run can follow one another faster than a server starts
            own_postgres.stop()
            restarts.append(threading.Timer(0.7, own_postgres.start))
            restarts[-1].start()

    events: list[Event] = []
    with at_checkpoints(restart):
        result = shop.run(parallel_execution=parallel, on_event=events.append)
    for timer in restarts:
        timer.join()
    assert outcomes(result) == EVERYTHING, result["errors"]
    assert len(restarts) == 5
    assert any("the ledger is away: attempt 1 failed, trying again" in event.message for event in events)
    assert_whole(shop, url, commits=5)


@pytest.mark.survives(
    "state",
    "every connection to a PostgreSQL ledger is cut at every checkpoint of a run, in and between its transactions",
    "warnings: the ledger is away, trying again",
    "the same run finishes; every row and every commit once, no lease is left",
)
@pytest.mark.parametrize("first", [True, False], ids=["first run", "later run"])
def test_a_run_goes_on_when_the_ledger_s_connections_are_cut_at_every_moment(
    postgres_url: str, tmp_path: Path, first: bool, short_waits: None
) -> None:
    shop = MemoryShop(tmp_path, state_url=postgres_url)
    if not first:
        assert shop.run().success
        change(shop)
    writing = 0

    def cut(name: str, _: int) -> None:
        nonlocal writing
        if name == checkpoints.LEDGER_WRITING:
            writing += 1
            if writing % 2 == 0:  # the second attempt succeeds
                return
        cut_connections(postgres_url)

    with at_checkpoints(cut) as reached:
        result = shop.run(parallel_execution=False)
    assert set(outcomes(result).values()) <= {"committed", "skipped"}, result["errors"]
    assert {checkpoints.LEDGER_WRITING, checkpoints.LEDGER_WRITTEN, checkpoints.COMMITTED} < set(reached)
    assert writing > 15, "three transactions a unit, each of them tried twice"
    assert_whole(shop, postgres_url, commits=5 if first else 8)


@pytest.mark.survives(
    "state",
    "the connections to a PostgreSQL ledger are cut every few milliseconds while four workers load",
    "warnings: the ledger is away, trying again",
    "the same run finishes; every row and every commit once, no lease is left",
)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
def test_a_run_goes_on_while_the_ledger_s_connections_are_cut_at_random(
    postgres_url: str, tmp_path: Path, seed: int
) -> None:
    shop = MemoryShop(tmp_path, state_url=postgres_url)
    dice, ended, cuts = random.Random(seed), threading.Event(), 0

    def cut() -> None:
        nonlocal cuts
        while cuts < 60 and not ended.wait(dice.uniform(0.01, 0.15)):
            cut_connections(postgres_url)
            cuts += 1

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        first = shop.run()
        change(shop)
        second = shop.run()
    finally:
        ended.set()
        cutter.join()
    for result in (first, second):
        assert set(outcomes(result).values()) <= {"committed", "skipped"}, result["errors"]
    assert cuts > 1
    assert_whole(shop, postgres_url, commits=8)


@pytest.mark.survives(
    "state",
    "a PostgreSQL ledger goes away in the middle of a run for longer than `ledger_retry_seconds`",
    "the units that failed and the driver's message, after one wait for all of them; exit code 10",
    "committed units stay committed, the next run finishes; every row once",
)
def test_a_ledger_that_stays_away_is_waited_for_once(own_postgres: PostgresServer, tmp_path: Path) -> None:
    url = f"postgresql+psycopg://{own_postgres.address}/postgres"
    shop = MemoryShop(tmp_path, state_url=url, ledger_retry_seconds=1)
    away = 0.0

    def stop(name: str, _: int) -> None:
        nonlocal away
        if name == checkpoints.COMMITTED and not away:
            away = time.monotonic()
            own_postgres.stop()

    with at_checkpoints(stop):
        result = shop.run(parallel_execution=False)
    assert Counter(outcomes(result).values()) == {"committed": 1, "failed": 4}
    assert {(unit.exit_code, unit.error_type) for unit in result.failed} == {(10, "LedgerUnavailable")}
    assert time.monotonic() - away < 8
    own_postgres.start()
    again = shop.run()
    assert Counter(outcomes(again).values()) == {"committed": 4, "skipped": 1}
    shop.assert_same()
