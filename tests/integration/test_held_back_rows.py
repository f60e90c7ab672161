"""Rows that are committed while an older transaction is still open: read all the same, and told with what holds them back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pyodbc
import pytest

from sqlserver_sandbox.faults.plan import Fail, Fault, Where
from tests.support.fault_control import FaultControl
from tests.support.sandbox_server import odbc_driver
from tests.support.server_shop import Server, ServerShop, Statements
from tests.support.stamped_shop import StampedShop, only

CLOSED = "UPDATE {s}.Customers SET Name = N'Bobby' WHERE CustomerNo = 2"
REFUSED = "VIEW SERVER PERFORMANCE STATE permission was denied on object 'server', database 'master'."


@contextmanager
def counted(server: Server, directory: Path) -> Iterator[StampedShop]:
    """Customers with a rowversion."""
    made = StampedShop(server, directory)
    made.stamp = "rowversion"
    try:
        made.create()
        yield made
    finally:
        made.drop()


@pytest.fixture
def rowversions(snapshot_server: Server, tmp_path: Path) -> Iterator[StampedShop]:
    with counted(snapshot_server, tmp_path) as made:
        yield made


@contextmanager
def open_transaction(shop: StampedShop) -> Iterator[pyodbc.Connection]:
    """Another session that has written to another table with a rowversion, and does not commit."""
    shop.execute("CREATE TABLE {s}.Other (a int, rv rowversion)")
    try:
        with closing(shop.server.connect()) as connection:
            connection.autocommit = False
            connection.execute(f"INSERT INTO {shop.schema}.Other (a) VALUES (1)")
            yield connection
    finally:
        shop.execute("DROP TABLE {s}.Other")


@pytest.mark.survives(
    "change",
    "a transaction is left open at the source while others commit (scd by rowversion)",
    "how many committed rows hold the watermark back, which session is the oldest to have written, and since when",
    "these rows are loaded, and once more when that transaction has ended",
)
def test_rows_above_an_open_transaction_are_read_and_told(rowversions: StampedShop) -> None:
    shop = rowversions
    assert shop.run(table_names=["Customers"]).success
    with open_transaction(shop) as other:
        session = other.execute("SELECT @@SPID").fetchone()[0]
        shop.execute(CLOSED)
        with shop.pipeline() as pipeline:
            (plan,) = pipeline.plan(table_names=["Customers"])
            assert pipeline.probe("Customers") != {u: h.probe for u, h in pipeline.committed("Customers").items()}
        assert "1 committed row lies at or above 0x" in plan.steps[0].reason
        unit = only(shop.run(table_names=["Customers"]), "Customers")
        shop.assert_same(["Customers"])
        for reason in (plan.steps[0].reason, unit.reason):
            assert f"session {session} (login 'sa'" in reason
            assert "open since 20" in reason
        (skipped,) = shop.run(table_names=["Customers"]).units
        assert skipped.status == "skipped"
        assert f"session {session}" in skipped.reason
        other.commit()
    again = only(shop.run(table_names=["Customers"]), "Customers")
    assert (again.rows_read, "held back" in again.reason) == (1, False)
    (left,) = shop.run(table_names=["Customers"]).units
    assert left.reason.endswith("rowversion equal")


def test_a_login_that_may_not_look_is_told_so_and_reads_all_the_same(faults: FaultControl, tmp_path: Path) -> None:
    sandbox = faults.server
    server = Server(
        sandbox.host, sandbox.port, "master", sandbox.user, sandbox.password, str(odbc_driver()), "a sandbox"
    )
    with closing(server.connect()) as connection:
        connection.execute("CREATE DATABASE held_back")
        connection.execute("ALTER DATABASE held_back SET ALLOW_SNAPSHOT_ISOLATION ON")
    with counted(replace(server, database="held_back"), tmp_path) as shop:
        assert shop.run(table_names=["Customers"]).success
        with open_transaction(shop):
            shop.execute(CLOSED)
            faults.plan(Fault(Fail(300, REFUSED, severity=14), Where(pattern="dm_tran", times=None)))
            result = shop.run(table_names=["Customers"])
            assert {happened.do for happened in faults.happened()} == {"fail"}
            unit = only(result, "Customers")
            assert "this login may not see which transaction that is" in unit.reason
            assert "VIEW SERVER PERFORMANCE STATE" in unit.reason
            shop.assert_same(["Customers"])
            faults.clear()


def test_a_late_commit_above_the_ceiling_is_read(rowversions: StampedShop) -> None:
    """What the open transaction itself wrote is below everything that was read meanwhile."""
    shop = rowversions
    assert shop.run(table_names=["Customers"]).success
    with closing(shop.server.connect()) as connection:
        connection.autocommit = False
        connection.execute(f"UPDATE {shop.schema}.Customers SET Name = N'First' WHERE CustomerNo = 2")
        (unit,) = shop.run(table_names=["Customers"]).units
        assert unit.status == "skipped"
        connection.commit()
    assert only(shop.run(table_names=["Customers"]), "Customers").rows_read >= 1
    shop.assert_same(["Customers"])


def test_the_ceiling_is_asked_for_only_where_a_rowversion_is_the_watermark(
    synced: ServerShop, statements: Statements
) -> None:
    """Orders, Countries and a history by a date need none: in planning, reading, validating and probing."""
    synced.execute("UPDATE {s}.Orders SET Note = N'x' WHERE OrderNo = 1")
    synced.execute("UPDATE {s}.Countries SET Area = 1 WHERE Code = 'CH'")
    synced.add_version(3, "2026-01-09", "New", "2026-01-09T08:00:00")
    assert synced.run().success
    with synced.pipeline() as pipeline:
        pipeline.probe("Customers")
        pipeline.validate_all_tables()
    assert [text for text in statements.looks if "MIN_ACTIVE_ROWVERSION" in text] == []


def test_the_ceiling_is_asked_for_before_the_snapshot(rowversions: StampedShop, statements: Statements) -> None:
    assert rowversions.run(table_names=["Customers"]).success
    asked = [text for text in statements.looks if "MIN_ACTIVE_ROWVERSION" in text]
    assert len(asked) == 2  # the plan's view, and that of the rows
    assert not [text for text in statements.looks if "dm_tran" in text]
