"""One case on one warehouse, ready to be stopped: a source that stays as it is, and the places before the load."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyodbc

from tests.integration.crash.attempts import Stop
from tests.integration.crash.processes import Processes, Told
from tests.integration.crash.table_kinds import Case, Loss
from tests.integration.crash.warehouses import Rows, WarehouseUnderTest, plain
from tests.support.server_shop import Server


@dataclass
class Stage:
    """`before` is the directory with lake, state and warehouse as they are when the load to be stopped begins. Every cell works
    on a copy of it, and on the same source: nothing in the matrix changes that."""

    case: Case
    warehouse: WarehouseUnderTest
    server: Server
    processes: Processes
    directory: Path
    older: list[Rows] = field(default_factory=list)
    """What the warehouse held after each load before the one that is stopped: whole, if not the newest."""
    schema: str = field(default_factory=lambda: f"crash_{uuid.uuid4().hex[:8]}")

    def set_up(self) -> None:
        self._connection: pyodbc.Connection = self.server.connect()
        for statement in (f"CREATE SCHEMA {self.schema}", *self.case.create):
            self.execute(statement)
        self.before = self.directory / "before"
        self.before.mkdir(parents=True)
        if self.case.change:
            self._load_undisturbed()
            for statement in self.case.change:
                self.execute(statement)
        if self.case.lost:
            self._load_undisturbed()
            for loss in self.case.lost:
                self._lose(loss)

    def _load_undisturbed(self) -> None:
        ended = self.processes.run(self.config(self.before))
        assert ended.runs[0]["result"]["success"], ended.runs[0]["result"]["errors"]
        self.older.append(self.warehouse.rows(self.before, "T", self.case.columns))

    def _lose(self, loss: Loss) -> None:
        if loss == "ledger":
            shutil.rmtree(self.before / "state")
        elif loss == "warehouse":
            self.warehouse.lose(self.before)
        else:
            file = min(self.before.glob("lake/*/*/data/**/*.parquet"))
            shutil.copy(file, file.with_name("copy.parquet"))

    def tear_down(self) -> None:
        self.warehouse.forget(self.before)
        for statement in ("DROP TABLE {s}.T", *self.case.drop, "DROP SCHEMA {s}"):
            self.execute(statement)
        self._connection.close()

    def execute(self, statement: str) -> None:
        self._connection.execute(statement.replace("{s}", self.schema))

    @contextmanager
    def cell(self) -> Iterator[Path]:
        """A copy of the places, gone afterwards."""
        place = self.directory / uuid.uuid4().hex[:8]
        shutil.copytree(self.before, place)
        self.warehouse.copied(self.before, place)
        try:
            yield place
        finally:
            self.warehouse.forget(place)
            shutil.rmtree(place, ignore_errors=True)

    def run(self, place: Path, *, times: int = 1, stop: Stop | None = None, parallel: bool = False) -> Told:
        arguments = {"parallel_execution": parallel}
        return self.processes.run(self.config(place), runs=[arguments] * times, stop=stop)

    def config(self, place: Path) -> dict[str, Any]:
        return {
            "database": self.server.database_section,
            "processing": {"batch_size": 4},
            "state": {"state_directory": str(place / "state"), "parquet_directory": str(place / "lake")},
            "destination": self.warehouse.destination(place),
            **self.case.tables(self.schema),
        }

    # -- what is to be expected -------------------------------------------------------------------------------------

    @cached_property
    def trace(self) -> list[str]:
        """The checkpoints that the load passes when nobody stops it, in one thread."""
        with self.cell() as place:
            ended = self.run(place)
            assert ended.runs[0]["result"]["success"], ended.runs[0]["result"]["errors"]
            return ended.trace

    @cached_property
    def source(self) -> Rows:
        """The rows at the source, read by pyodbc."""
        cursor = self._connection.execute(f"SELECT {', '.join(self.case.columns)} FROM {self.schema}.T")
        return plain([tuple(row) for row in cursor.fetchall()])

    @cached_property
    def warehouse_before(self) -> Rows:
        return self.warehouse.rows(self.before, "T", self.case.columns)

    @cached_property
    def warehouse_after(self) -> Rows:
        """The source; under an upsert also the rows that are gone there."""
        return self.merged(self.warehouse_before) if self.case.upsert else self.source

    def merged(self, before: Rows) -> Rows:
        """The rows of before with those of the source put over them, by key."""
        key = [self.case.columns.index(name) for name in self.case.keys]
        return plain(list({tuple(row[i] for i in key): row for row in (*before, *self.source)}.values()))

    def stops(self, *, every_occurrence: bool = False) -> list[Stop]:
        """Every step of the load: at its last time (that of a ledger's transaction is the commit); where units go together at its
        first (between them). Or at every time it is reached."""
        stops = []
        for step in dict.fromkeys(self.trace):
            last = self.trace.count(step)
            times = range(1, last + 1) if every_occurrence else (1 if self.case.together else last,)
            stops += [Stop(step, occurrence) for occurrence in times]
        return stops
