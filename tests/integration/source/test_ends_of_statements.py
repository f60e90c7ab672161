"""How a statement that takes too long ends: by its limit, by that of its wait for a lock, by another thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from dltsync_core.connect.control import control_session
from dltsync_core.connect.data import open_data_session
from dltsync_core.connect.error_numbers import RetryKind
from dltsync_core.connect.retry import retry_kind_of
from dltsync_core.errors import QueryError
from tests.integration.source.source_tables import SourceTables
from tests.support.cancelling import cancelled_after

SLOW = "SELECT COUNT_BIG(*) AS n FROM {t} AS a CROSS JOIN {t} AS b CROSS JOIN {t} AS c WHERE a.id + b.id + c.id < 10"
"""Takes minutes."""


def test_a_statement_is_cancelled_after_command_timeout(tables: SourceTables) -> None:
    """By both drivers, at the same time."""
    tables.table("t", "id int NOT NULL")
    database = tables.database(command_timeout=1)
    locked = f"SELECT COUNT_BIG(*) AS n FROM {tables.schema}.t WITH (TABLOCKX)"
    started = time.monotonic()

    def ask_for_data() -> None:
        data = open_data_session(database)
        data.execute("SET LOCK_TIMEOUT -1;", "testing")  # else the wait for the lock ends before that
        with closing(data), pytest.raises(QueryError, match=r"waiting: cancelled after 1 second \(command_timeout\)"):
            data.fetch(locked, (), "waiting")

    def ask_for_control() -> None:
        with control_session(database) as control:
            control.execute("SET LOCK_TIMEOUT -1;")
            with pytest.raises(QueryError, match=r"cancelled after 1 second \(command_timeout\)"):
                control.query(locked)

    with _holding(tables, locked), ThreadPoolExecutor() as threads:
        for asked in [threads.submit(ask) for ask in (ask_for_data, ask_for_control)]:
            asked.result()
    assert time.monotonic() - started < 20


def test_who_waits_for_a_lock_until_command_timeout_reads_that(tables: SourceTables) -> None:
    """The statement is not cancelled: the connection is used again."""
    tables.table("t", "id int NOT NULL")
    database = tables.database(command_timeout=1)
    locked = f"SELECT COUNT_BIG(*) AS n FROM {tables.schema}.t WITH (TABLOCKX)"
    with closing(open_data_session(database)) as data, control_session(database) as control:
        with _holding(tables, locked):
            for ask in (lambda: data.fetch(locked, (), "waiting"), lambda: control.query(locked, (), "waiting")):
                with pytest.raises(QueryError, match=r"waiting: .*Lock request time out period exceeded") as caught:
                    ask()
                assert retry_kind_of(caught.value) is RetryKind.SAME_CONNECTION
        assert data.fetch(locked, (), "counting")[0][0] == control.query(locked)[0]["n"] == 0


@contextmanager
def _holding(tables: SourceTables, locked: str) -> Iterator[None]:
    """Another connection has the lock while the block runs."""
    with closing(tables.server.connect()) as holder:
        holder.autocommit = False
        holder.execute(locked).fetchall()
        yield


def test_a_statement_under_way_can_be_cancelled_from_another_thread(tables: SourceTables) -> None:
    tables.numbered("t", 20_000)
    session = open_data_session(tables.database())
    rows = session.rows(SLOW.replace("{t}", f"{tables.schema}.t"), (), "waiting")
    started = time.monotonic()
    with pytest.raises(QueryError, match="waiting: cancelled"), cancelled_after(0.5, rows.cancel):
        rows.next_batch(1)
    assert time.monotonic() - started < 20
    rows.close()
    assert session.fetch("SELECT 1 AS one", (), "looking") == [(1,)], "the session can still be used"
    session.close()


def test_a_statement_cancelled_before_it_was_sent_is_not_sent(tables: SourceTables) -> None:
    """A reader that is stopped between two statements must not wait for the second."""
    tables.numbered("t", 20_000)
    session = open_data_session(tables.database())
    rows = session.rows(SLOW.replace("{t}", f"{tables.schema}.t"), (), "waiting")
    rows.cancel()
    with pytest.raises(QueryError, match="waiting: cancelled"):
        rows.next_batch(1)
    rows.close()
    rows.cancel()
    assert session.fetch("SELECT 1 AS one", (), "looking") == [(1,)], "the session can still be used"
    session.close()
