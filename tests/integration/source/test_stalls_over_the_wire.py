"""Faults by the hundred: every view ends, and no thread or socket is left behind."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import StaticTableConfig
from dltsync_core.connect.retry import retry_kind_of
from dltsync_core.errors import SyncError
from dltsync_core.extract import read_view as views
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE
from sqlserver_sandbox.faults.plan import Drop, Fail, Fault, RefuseLogin, ResetAtAccept, Stall
from tests.integration.source.faulty_tables import AT_ROWS, ROWS
from tests.integration.source.source_tables import SourceTables
from tests.support.fault_control import FaultControl

FAULTS = 200
SOME = 40
"""Every kind of fault five times: a thread or a socket that a kind leaves behind shows with the first."""


def _read(source: SqlServerSource, facts: TableFacts, config: StaticTableConfig) -> int:
    rows: list[int] = []

    def write(batch: pa.RecordBatch) -> None:
        rows.append(batch.num_rows)

    with source.read_view() as view:
        view.extract(facts, source.map_columns(facts, config), WHOLE, write)
    return sum(rows)


def _sockets() -> int:
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += str(descriptor.readlink()).startswith("socket:")
    return found


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dltsync")]


def _settled(what: Any, within: float = 30.0) -> bool:
    """Threads that were told to end do so in a moment of their own."""
    deadline = time.monotonic() + within
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


PLANS = [
    Fault(Drop(rows=100), AT_ROWS),
    Fault(Fail(1205, rows=120), AT_ROWS),
    Fault(Drop(when="before"), AT_ROWS),
    Fault(Fail(1222), AT_ROWS),
    Fault(RefuseLogin(40613)),
    Fault(
        Fail(596, "Cannot continue the execution because the session is in the kill state.", severity=21, rows=30),
        AT_ROWS,
    ),
    Fault(Drop(rows=10, how="close"), AT_ROWS),
    Fault(ResetAtAccept()),
]


@pytest.mark.survives(
    "network",
    "two hundred faults one after the other: connections reset before, in and after rows, killed sessions, deadlocks, lock "
    "time-outs, refused logins",
    "each ends one read with a transient error; the next read has every row",
    "no thread and no socket is left",
)
@pytest.mark.parametrize("count", [SOME, pytest.param(FAULTS, marks=pytest.mark.slow)])
def test_two_hundred_faults_leave_no_thread_and_no_socket(
    faults: FaultControl, faulty_tables: SourceTables, count: int
) -> None:
    """Each fault ends one view with an error that may pass (or is got past within it); the next view reads every row."""
    config = StaticTableConfig(table_name="t", schema_name=faulty_tables.schema)
    source = faulty_tables.source(statement_rows_limit=150, batch_size=60, retry_attempts=1)
    facts = source.read_tables([config])[config.name]
    assert _read(source, facts, config) == ROWS
    assert _settled(lambda: not _threads())
    before = _sockets()
    failures: list[SyncError] = []
    for number in range(count):
        faults.plan(PLANS[number % len(PLANS)])
        try:
            assert _read(source, facts, config) == ROWS
        except SyncError as error:
            failures.append(error)
    faults.clear()
    assert len(failures) > count // 2
    assert [error for error in failures if retry_kind_of(error) is None] == []
    assert _settled(lambda: not _threads()), _threads()
    assert _settled(lambda: _sockets() <= before), f"{before} sockets before, {_sockets()} after"
    assert _read(source, facts, config) == ROWS


@pytest.mark.parametrize(
    "deaf",
    [
        pytest.param(
            False,
            marks=pytest.mark.survives(
                "network",
                "the server stalls in the middle of rows",
                "cancelled after command_timeout; retried on a new connection",
                "the next read has every row; no thread is left",
            ),
        ),
        pytest.param(
            True,
            marks=pytest.mark.survives(
                "network",
                "the server stalls in the middle of rows and ignores the cancel",
                "the run goes on without waiting for it; retried on a new connection",
                "the next read has every row; the abandoned reader ends with its connection",
            ),
        ),
    ],
)
def test_a_read_that_hangs_ends_and_may_pass(
    faults: FaultControl, faulty_tables: SourceTables, monkeypatch: pytest.MonkeyPatch, deaf: bool
) -> None:
    """A server that stalls in the middle of rows: one that hears the cancel after command_timeout, and one that does not."""
    monkeypatch.setattr(views, "STOP_WITHIN_SECONDS", 0.5)
    config = StaticTableConfig(table_name="t", schema_name=faulty_tables.schema)
    source = SqlServerSource(
        faulty_tables.database(command_timeout=1), faulty_tables.source(batch_size=60, retry_attempts=1).processing
    )
    facts = source.read_tables([config])[config.name]
    assert _read(source, facts, config) == ROWS
    faults.plan(Fault(Stall(seconds=15, deaf=deaf, rows=100), AT_ROWS))
    started = time.monotonic()
    with pytest.raises(SyncError) as caught:
        _read(source, facts, config)
    assert retry_kind_of(caught.value) is not None, caught.value
    if deaf:
        assert time.monotonic() - started < 15, "the run was held until the server came to"
    faults.clear()
    assert _read(source, facts, config) == ROWS
    assert _settled(lambda: not _threads(), within=60), _threads()
