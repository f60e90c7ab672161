"""Faults before there is a session, wrong facts in the catalogue, and whom a fault is for."""

from __future__ import annotations

from contextlib import closing

import pyodbc
import pytds
import pytest

from dltsync_core.connect.faults import read_fault
from sqlserver_sandbox.faults.plan import (
    Action,
    BreakTls,
    Drop,
    Fail,
    Fault,
    Miscount,
    RefuseLogin,
    ResetAtAccept,
    Where,
)
from tests.sandbox.faults.conftest import ERRORS, Open
from tests.sandbox.faults.statements import SELECT, failing, ids
from tests.support.fault_control import FaultControl
from tests.support.sandbox_server import SandboxServer


@pytest.mark.parametrize(
    ("action", "state", "text"),
    [
        # A driver tries again until its time for a login is over: on a busy machine that is what it tells.
        (ResetAtAccept(), "08001|HYT00", "handshakes before login|TCP Provider|Login timeout expired"),
        (BreakTls("garbage"), "08001", "SSL"),
        (BreakTls("close"), "08001", "TCP Provider"),
        (RefuseLogin(), "28000", "Login failed for user 'sa'"),
        (RefuseLogin(40613), "42000", "Database 'master' on server 'SANDBOX' is not currently available"),
        (RefuseLogin(4060), "42000", "Cannot open database"),
    ],
    ids=lambda value: str(value) if isinstance(value, (ResetAtAccept, BreakTls, RefuseLogin)) else "",
)
def test_a_connection_that_cannot_be_made(
    action: Action, state: str, text: str, faults: FaultControl, open_client: Open
) -> None:
    faults.plan(Fault(action, Where(times=None)))  # a driver may try a second time by itself
    with pytest.raises(ERRORS, match=text) as caught:
        open_client()
    if isinstance(caught.value, pyodbc.Error):
        assert read_fault(caught.value).state in state.split("|")
    assert faults.clear()
    open_client()


def test_an_independent_client_meets_the_same_faults(faults: FaultControl, table: str) -> None:
    login = {"user": faults.server.user, "password": faults.server.password, "port": faults.server.port}
    faults.plan(Fault(RefuseLogin()), Fault(Fail(1205), SELECT), Fault(Drop("after"), Where(kind="commit")))
    with pytest.raises(pytds.tds_base.Error, match="Login failed"):
        pytds.connect(faults.server.host, **login)
    with closing(pytds.connect(faults.server.host, **login)) as connection:
        cursor = connection.cursor()
        with pytest.raises(pytds.tds_base.Error) as caught:
            cursor.execute(f"SELECT id FROM {table}")
        assert caught.value.number == 1205
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        assert cursor.fetchone()[0] == 6
        with pytest.raises((pytds.tds_base.Error, OSError)):
            connection.commit()
    assert faults.clear() == ["refuse_login", "fail", "drop"]


def test_the_catalogue_may_be_wrong_and_a_count_is_not(faults: FaultControl, table: str, open_client: Open) -> None:
    faults.plan(Fault(Miscount(5), Where(table=table.replace(".", r"\."), times=None)))
    cursor = open_client().cursor()
    for sql in (
        f"SELECT rows FROM sys.partitions WHERE object_id = OBJECT_ID('{table}')",
        f"SELECT row_count FROM sys.dm_db_partition_stats WHERE object_id = OBJECT_ID('{table}')",
    ):
        cursor.execute(sql)
        assert [row[0] for row in cursor.fetchall()] == [11]
    cursor.execute(f"SELECT COUNT_BIG(*) FROM {table}")
    assert cursor.fetchone()[0] == 6


def test_skip_and_times_count_occasions(faults: FaultControl, table: str, open_client: Open) -> None:
    faults.plan(Fault(Fail(1222), Where(kind="select", table="faulty", skip=1, times=2)))
    connection = open_client()
    seen = []
    for _ in range(4):
        try:
            seen.append(len(ids(connection, table)))
        except ERRORS:
            seen.append(0)
    assert seen == [6, 0, 0, 6]


def test_a_fault_may_be_for_one_connection_one_program_or_one_text(
    faults: FaultControl, table: str, open_client: Open
) -> None:
    faults.plan(
        Fault(Fail(1222), Where(connection=2, table="faulty")),
        Fault(Fail(1222), Where(pattern="AS marked", times=None)),
        Fault(Fail(1222), Where(database="nowhere", times=None)),
    )
    first, second = open_client(), open_client()
    assert ids(first, table) == [1, 2, 3, 4, 5, 6]
    failing(second, f"SELECT id FROM {table}")
    assert ids(second, table) == [1, 2, 3, 4, 5, 6]
    failing(first, f"SELECT id AS marked FROM {table}")
    assert [(h.fault, h.connection) for h in faults.happened()] == [(1, 2), (2, 1)]


def test_counting_anew_for_each_connection(faults: FaultControl, table: str, open_client: Open) -> None:
    faults.plan(Fault(Fail(1222), Where(table="faulty", per_connection=True)))
    for connection in (open_client(), open_client()):
        failing(connection, f"SELECT id FROM {table}")
        assert ids(connection, table) == [1, 2, 3, 4, 5, 6]


def test_a_seed_draws_the_same_dice(faults: FaultControl, table: str, open_client: Open) -> None:
    def drawn(seed: int) -> str:
        faults.plan(Fault(Fail(1222), Where(table="faulty", probability=0.5, times=None)), seed=seed)
        connection, seen = open_client(), ""
        for _ in range(20):
            try:
                ids(connection, table)
                seen += "."
            except ERRORS:
                seen += "x"
        return seen

    assert drawn(1) == drawn(1) != drawn(2)
    assert set(drawn(1)) == {".", "x"}


# ---- the door --------------------------------------------------------------------------------------------------------


def test_a_server_that_was_not_told_knows_no_faults(sandbox: SandboxServer) -> None:
    connected = pyodbc.connect(sandbox.odbc(), autocommit=True, timeout=10)
    with closing(connected) as connection, pytest.raises(pyodbc.Error, match="2812"):
        connection.execute("EXEC sandbox_faults")


def test_a_file_is_obeyed_and_cannot_be_changed_from_outside(sandbox_with_file: SandboxServer) -> None:
    with pytest.raises(pyodbc.Error, match="40613"):
        pyodbc.connect(sandbox_with_file.odbc(), timeout=10)
    with closing(pyodbc.connect(sandbox_with_file.odbc(), autocommit=True, timeout=10)) as connection:
        with pytest.raises(pyodbc.Error, match="2812"):
            connection.execute("""EXEC sandbox_faults N'{"faults": []}'""")
        assert connection.execute("SELECT 7").fetchval() == 7


def test_a_wrong_plan_is_refused_and_the_old_one_stays(faults: FaultControl, table: str, open_client: Open) -> None:
    faults.plan(Fault(Fail(1222), SELECT))
    with pytest.raises(pyodbc.Error, match=r"fault 1: do is 'explode'; there are reset_at_accept"):
        faults._ask("""EXEC sandbox_faults N'{"faults": [{"do": "explode"}]}'""")
    failing(open_client(), f"SELECT id FROM {table}")
