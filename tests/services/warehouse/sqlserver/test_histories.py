"""Histories in a SQL Server warehouse: the same behaviour as in DuckDB, under the server's collations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dltsync_core.errors import WarehouseBusy, WarehouseError
from dltsync_core.history.handler import ScdHandler, ScdTarget
from dltsync_core.history.repair import RepairPlan, plan_repair
from dltsync_core.history.versions import Version
from dltsync_core.identity import TableName
from tests.support.contracts.histories import *  # noqa: F403
from tests.support.contracts.histories import COLUMNS, TARGET, Row
from tests.support.sqlserver_warehouse import SandboxWarehouse

KINDS = {"date": "date", "seconds": "datetime2(0)", "micros": "datetime2(6)", "finest": "datetime2(7)"}


class ServerHistory:
    """The table in the sandbox, written and read by pyodbc alone."""

    def __init__(self, house: SandboxWarehouse, start: str, end: str, flag: str, plane: str = "nvarchar(20)") -> None:
        self.house = house
        house.query(
            "IF SCHEMA_ID(N'sales') IS NULL EXEC (N'CREATE SCHEMA sales'); DROP TABLE IF EXISTS sales.Carriers; "
            f"CREATE TABLE sales.Carriers (Plane {plane}, handle int, d_from int, "
            f"[From] {KINDS.get(start, start)} NULL, [To] {KINDS.get(end, end)} NULL, IsLatest {flag} NULL)"
        )
        target = ScdTarget(TableName("dbo", "Carriers"), TARGET, COLUMNS)
        self.handler = ScdHandler(lambda _: target, house.warehouse)

    def put(self, *rows: Row) -> None:
        if rows:
            values = ", ".join(["(?, 1, 7, ?, ?, ?)"] * len(rows))
            self.house.query(f"INSERT INTO sales.Carriers VALUES {values}", *(value for row in rows for value in row))

    def clear(self) -> None:
        self.house.query("DELETE FROM sales.Carriers")

    def rows(self) -> list[Row]:
        found = self.house.query(
            "SELECT Plane, CONVERT(varchar(40), [From], 121), CONVERT(varchar(40), [To], 121), "
            "CAST(IsLatest AS int) FROM sales.Carriers ORDER BY Plane, [From]"
        )
        return [(plane, plain(start), plain(end), bool(latest)) for plane, start, end, latest in found]

    def revise(self, decide: Callable[[Sequence[Version]], RepairPlan], *, apply: bool) -> RepairPlan:
        return self.house.warehouse.revise_versions(TARGET, COLUMNS, decide, apply=apply)


def plain(moment: str | None) -> str | None:
    return moment.rstrip("0").rstrip(".") if moment and "." in moment else moment


@pytest.fixture
def make_history(house: SandboxWarehouse) -> Callable[..., ServerHistory]:
    def make(start: str, end: str, flag: str = "bit", **options: Any) -> ServerHistory:
        return ServerHistory(house, start, end, flag, **options)

    return make


def test_keys_that_are_one_under_the_collation_are_one_history(make_history: Callable[..., ServerHistory]) -> None:
    history = make_history("date", "date", plane="nvarchar(20) COLLATE Latin1_General_CI_AS")
    history.put(("n1", "2020-01-01", None, True), ("N1 ", "2020-02-01", None, True), ("N2", "2020-01-01", None, True))
    report = history.handler.repair_scd_integrity("Carriers", dry_run=False)
    assert [change["key"]["Plane"] for change in report["changes"]] == ["n1"]
    assert {row[0]: row[2] for row in history.rows()} == {"n1": "2020-02-01", "N1 ": None, "N2": None}


@pytest.mark.parametrize(
    ("kind", "start", "following"),
    [
        ("datetime", "2020-01-01T00:00:00", "2020-03-01T00:00:00.003"),
        ("datetimeoffset(7)", "2020-01-01 02:00:00 +02:00", "2020-03-01 01:00:00.0000001 +01:00"),
        ("smalldatetime", "2020-01-01T00:00:00", "2020-03-01T00:01:00"),
    ],
)
def test_other_types_of_moments(
    make_history: Callable[..., ServerHistory], kind: str, start: str, following: str
) -> None:
    history = make_history(kind, kind)
    history.house.query(f"INSERT INTO sales.Carriers VALUES (N'N1', 1, 7, '{start}', NULL, 1)")
    history.house.query(f"INSERT INTO sales.Carriers VALUES (N'N1', 1, 7, '{following}', NULL, 1)")
    assert history.handler.repair_scd_integrity("Carriers", dry_run=False)["applied"] == 1
    assert history.house.query(
        "SELECT COUNT(*) FROM sales.Carriers AS a JOIN sales.Carriers AS b ON a.[To] = b.[From] AND a.IsLatest = 0"
    ) == [(1,)]
    assert history.handler.repair_scd_integrity("Carriers")["valid"] is True


def test_a_history_that_another_writer_changes_meanwhile_stays(make_history: Callable[..., ServerHistory]) -> None:
    history = make_history("date", "date")
    history.put(("N1", "2020-01-01", None, True), ("N1", "2020-03-01", None, True), ("N2", "2020-01-01", None, False))

    def decide(shown: Sequence[Version]) -> RepairPlan:
        history.house.query("UPDATE sales.Carriers SET IsLatest = 0 WHERE [From] = '2020-01-01' AND Plane = 'N1'")
        return plan_repair(shown)

    with pytest.raises(WarehouseBusy, match="another writer changed the history"):
        history.revise(decide, apply=True)
    assert [row[2:] for row in history.rows()] == [(None, False), (None, True), (None, False)]
    assert history.house.staging() == []


@pytest.mark.parametrize(
    ("end", "flag", "message"),
    [("time(3)", "bit", "checked by dates and times"), ("date", "nvarchar(5)", "a bit or an integer is expected")],
)
def test_tables_that_have_no_history_are_named(
    make_history: Callable[..., ServerHistory], end: str, flag: str, message: str
) -> None:
    history = make_history("date", end, flag=flag)
    with pytest.raises(WarehouseError, match=message):
        history.handler.repair_scd_integrity("Carriers")
