"""A result that breaks off between two rows is an error, for each of our ways to read one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from dltsync_core.config import DatabaseConfig, ProcessingConfig
from dltsync_core.connect.control import control_session
from dltsync_core.connect.data import DataSession, open_data_session
from dltsync_core.errors import QueryError, ServerUnreachable, StatementTimeout, SyncError
from dltsync_core.extract.source import SqlServerSource
from sqlserver_sandbox.faults.plan import Drop, Fail, Fault, Stall, Where
from tests.support.fault_control import FaultControl
from tests.support.server_shop import Server

TABLE = "dbo.broken_reads"
READ = f"SELECT n FROM {TABLE}"
LAST = 50


@pytest.fixture(scope="module")
def numbers(faulty_server: Server) -> None:
    """A table whose rows the driver binds in blocks."""
    with closing(faulty_server.connect()) as connection:
        connection.execute(f"CREATE TABLE {TABLE} (n int NOT NULL)")
        connection.execute(f"INSERT INTO {TABLE} VALUES {', '.join(f'({n})' for n in range(LAST))}")


@pytest.fixture
def session(faulty_server: Server, numbers: None, faults: FaultControl) -> Iterator[DataSession]:
    opened = open_data_session(_config(faulty_server, command_timeout=1))
    yield opened
    try:
        opened.close()
    except SyncError:
        return


def _config(server: Server, **more: Any) -> DatabaseConfig:
    return server.database_config(**more)


def by_fetch(session: DataSession) -> int:
    return len(session.fetch(READ, (), "testing"))


def by_batches(session: DataSession) -> int:
    rows = session.rows(READ, (), "testing")
    try:
        return sum(batch.num_rows for batch in iter(lambda: rows.next_batch(20), None))
    finally:
        rows.close()


WAYS: list[Callable[[DataSession], int]] = [by_fetch, by_batches]
AT = [0, 1, 19, 20, 21, 49, 50]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("rows", AT)
@pytest.mark.survives(
    "network",
    "connection broken between two rows of a result (the Arrow driver reports that as the end of the rows)",
    "the connection broke; retried by the policy",
    "never taken for a shorter table",
)
def test_a_break_between_two_rows_is_not_an_end(
    rows: int, how: str, way: Callable[[DataSession], int], session: DataSession, faults: FaultControl
) -> None:
    """mssql-python returned the rows so far and no error: a partition would have looked empty to a plan."""
    faults.plan(Fault(Drop(rows=rows, how=how), Where(table="broken_reads")))
    with pytest.raises(ServerUnreachable, match="testing: the connection broke"):
        way(session)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", [None, 1, 21])
@pytest.mark.survives(
    "network",
    "silence before or among the rows of a statement, for longer than command_timeout",
    "cancelled after so many seconds (command_timeout)",
    "never taken for a shorter table",
)
def test_silence_among_rows_is_told_as_a_timeout(
    rows: int | None, way: Callable[[DataSession], int], session: DataSession, faults: FaultControl
) -> None:
    """mssql-python said 'Function sequence error' at the batch after it."""
    faults.plan(Fault(Stall(rows=rows), Where(table="broken_reads")))
    with pytest.raises(StatementTimeout, match=r"cancelled after 1 second \(command_timeout\)"):
        way(session)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", AT)
def test_an_error_among_rows_is_not_an_end(
    rows: int, way: Callable[[DataSession], int], session: DataSession, faults: FaultControl
) -> None:
    faults.plan(Fault(Fail(1205, rows=rows), Where(table="broken_reads")))
    with pytest.raises(SyncError, match="deadlock"):
        way(session)
    assert way(session) == LAST


@pytest.mark.parametrize("rows", AT)
def test_the_control_connection_takes_no_break_for_an_end(
    rows: int, faulty_server: Server, numbers: None, faults: FaultControl
) -> None:
    faults.plan(Fault(Drop(rows=rows), Where(table="broken_reads")))
    with pytest.raises(ServerUnreachable), control_session(_config(faulty_server)) as control:
        control.query(READ)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_break_while_a_read_view_is_closed_costs_nothing(
    when: str, faulty_server: Server, numbers: None, faults: FaultControl
) -> None:
    """Everything was read and counted, and nothing was written."""
    faults.plan(Fault(Drop(when), Where(kind="commit")))
    with SqlServerSource(_config(faulty_server), ProcessingConfig()).read_view() as view:
        assert view.consistency == "snapshot"
    assert faults.clear() == ["drop"]


def test_a_read_view_that_lost_its_transaction_is_told(
    faulty_server: Server, numbers: None, faults: FaultControl
) -> None:
    """Then what was read was not of one moment."""
    with (
        pytest.raises(QueryError, match="no corresponding BEGIN"),
        SqlServerSource(_config(faulty_server), ProcessingConfig()).read_view() as view,
    ):
        view._session.execute("ROLLBACK", "testing")
