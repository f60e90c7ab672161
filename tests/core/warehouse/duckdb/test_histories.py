"""The behaviour of `tests.support.contracts.histories` in a DuckDB file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from dltsync_core.history.handler import ScdHandler, ScdTarget
from dltsync_core.history.repair import RepairPlan
from dltsync_core.history.versions import Version
from dltsync_core.identity import TableName
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse
from tests.support.contracts.histories import *  # noqa: F403
from tests.support.contracts.histories import COLUMNS, TARGET, Row

KINDS = {"date": "DATE", "seconds": "TIMESTAMP_S", "micros": "TIMESTAMP", "finest": "TIMESTAMP_NS"}
FLAGS = {"bit": "BOOLEAN", "smallint": "SMALLINT"}


class FileHistory:
    """The table in a file, written and read by DuckDB alone."""

    def __init__(self, root: Path, start: str, end: str, flag: str) -> None:
        self.path = root / "h.duckdb"
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS sales")
            connection.execute(
                'CREATE OR REPLACE TABLE sales."Carriers" ("Plane" VARCHAR, handle INTEGER, d_from INTEGER, '
                f'"From" {KINDS[start]}, "To" {KINDS[end]}, "IsLatest" {FLAGS[flag]})'
            )
        self.warehouse = DuckDbWarehouse(self.path, work_directory=root / "work")
        target = ScdTarget(TableName("dbo", "Carriers"), TARGET, COLUMNS)
        self.handler = ScdHandler(lambda _: target, self.warehouse)

    def put(self, *rows: Row) -> None:
        with duckdb.connect(str(self.path)) as connection:
            for row in rows:
                connection.execute('INSERT INTO sales."Carriers" VALUES (?, 1, 7, ?, ?, ?)', list(row))

    def clear(self) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute('DELETE FROM sales."Carriers"')

    def rows(self) -> list[Row]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            found = connection.execute(
                'SELECT "Plane", CAST("From" AS VARCHAR), CAST("To" AS VARCHAR), CAST("IsLatest" AS INTEGER) '
                'FROM sales."Carriers" ORDER BY 1, 2'
            ).fetchall()
        return [(plane, start, end, bool(latest)) for plane, start, end, latest in found]

    def revise(self, decide: Callable[[Sequence[Version]], RepairPlan], *, apply: bool) -> RepairPlan:
        return self.warehouse.revise_versions(TARGET, COLUMNS, decide, apply=apply)


@pytest.fixture
def make_history(tmp_path: Path) -> Callable[..., FileHistory]:
    def make(start: str, end: str, flag: str = "bit") -> FileHistory:
        return FileHistory(tmp_path, start, end, flag)

    return make
