"""What the ledger asks of a database is plain enough for SQL Server too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.schema import CreateIndex, CreateTable

from dltsync_core.clock import utc_now
from dltsync_core.identity import TableName
from dltsync_core.plan.heads import Head, HeadChange
from dltsync_core.plan.steps import Probe
from dltsync_core.state.leases import Leases
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.records import LoadEvent, LoadStatus
from dltsync_core.state.store import Store
from dltsync_core.state.tables import LEDGER

TABLE = TableName("dbo", "Orders")


@pytest.mark.parametrize("table", LEDGER.sorted_tables, ids=lambda table: table.name)
def test_every_table_can_be_made_on_sql_server(table: sa.Table) -> None:
    made = str(CreateTable(table).compile(dialect=mssql.dialect()))  # type: ignore[no-untyped-call]
    assert "VARCHAR(max)" not in made.split("PRIMARY KEY")[-1]
    for index in table.indexes:
        assert str(CreateIndex(index).compile(dialect=mssql.dialect())).startswith("CREATE INDEX")  # type: ignore[no-untyped-call]


def test_no_statement_uses_what_sql_server_has_not(tmp_path: Path) -> None:
    """Every statement of a ledger's life is compiled for SQL Server: LIMIT, RETURNING, ON CONFLICT, IS true do not occur."""
    seen: list[str] = []

    def listen(connection: Any, clause: Any, *more: Any) -> None:
        if isinstance(clause, sa.ClauseElement):
            seen.append(str(clause.compile(dialect=mssql.dialect())))  # type: ignore[no-untyped-call]

    sa.event.listen(sa.Engine, "before_execute", listen)
    try:
        with Ledger(Store(tmp_path), "p") as ledger:
            leases = Leases(ledger.store, "p", holder="h", seconds=60)
            with leases.held(
                TABLE, ["all"], at_least=0, wait_seconds=0, on_wait=print, keep_going=lambda: None
            ) as held:
                held.renew()
                event = LoadEvent(TABLE, "static", "all", "l", "r", LoadStatus.COMMITTED, utc_now(), 1, "")
                ledger.record(event)
                ledger.commit(TABLE, [HeadChange("all", 0, head())], [event], lease=held.lease)
                ledger.commit(TABLE, [HeadChange("all", 1, None)], lease=held.lease)
            ledger.heads(TABLE)
            ledger.tables()
            ledger.last_events(TABLE)
            ledger.events("l")
            ledger.prune(utc_now())
    finally:
        sa.event.remove(sa.Engine, "before_execute", listen)
    assert len(seen) > 15
    for statement in seen:
        words = f" {statement.upper()} "
        assert not any(word in words for word in (" LIMIT ", " RETURNING ", " ON CONFLICT ", " IS TRUE", " IS 1")), (
            statement
        )


def head() -> Head:
    probe = Probe("hashbytes_sha256", 1, "s", None)
    return Head(TABLE, "all", "static", 1, "l", "r", probe, 1, 1, "shape", "source", "lake", utc_now())
