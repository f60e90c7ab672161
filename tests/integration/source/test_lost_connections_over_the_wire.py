"""A connection that breaks in the middle of a long unit: what was read is kept when it provably still holds, else read anew."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dltsync_core.config import (
    DestinationConfig,
    PipelineConfig,
    ProcessingConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.errors import ServerUnreachable, TransientQueryError
from dltsync_core.run.context import RunContext
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import RunResult, UnitResult
from tests.integration.source.faulty_rows import Faulty
from tests.integration.source.source_tables import SourceTables
from tests.support.server_shop import Server, Statements
from tests.support.variants import variants

ROWS = 100
LOST = "the connection broke"


class Long:
    """A table of a hundred rows that is read in slices of twenty, and a pipeline over it."""

    def __init__(self, server: Server, root: Path) -> None:
        self.tables = SourceTables(server)
        self.root = root
        self.tables.table(
            "t",
            "a int NOT NULL, b nvarchar(20) NOT NULL, at datetime2(7) NULL, amount decimal(20,4) NULL, "
            f"CONSTRAINT pk_{uuid.uuid4().hex[:8]} PRIMARY KEY (a, b)",
        )
        values = ", ".join(f"({n // 3}, N'r{n:03}', '2024-01-01T00:00:00.{n:07}', {n}.{n:04})" for n in range(ROWS))
        self.tables.run(f"INSERT INTO {{s}}.t VALUES {values}")

    def run(self, **table: Any) -> UnitResult:
        (unit,) = self.result(**table).units
        return unit

    def result(self, **table: Any) -> RunResult:
        config = PipelineConfig(
            database=self.tables.database(),
            static_tables=[StaticTableConfig(table_name="t", schema_name=self.tables.schema, **table)],
            processing=ProcessingConfig(statement_rows_limit=20, batch_size=7, row_group_rows=15),
            state=StateConfig(state_directory=self.root / "state", parquet_directory=self.root / "lake"),
            destination=DestinationConfig(path=self.root / "house.duckdb"),
        )
        with IncrementalSQLServerParquetPipeline(config) as pipeline:
            return pipeline.run()

    def assert_same(self) -> None:
        """The source and the warehouse hold the same rows, each once."""
        expected = self.tables.connection.execute(
            f"SELECT a, b, CONVERT(varchar(40), amount) FROM {self.tables.schema}.t"
        ).fetchall()
        with duckdb.connect(str(self.root / "house.duckdb"), read_only=True) as connection:
            found = connection.execute("SELECT a, b, CAST(amount AS VARCHAR) FROM warehouse.t").fetchall()
        assert sorted(found) == sorted(tuple(row) for row in expected)

    def assert_tidy(self) -> None:
        """Nothing private is left in the lake."""
        assert not [
            path
            for path in self.root.glob("lake/**/*")
            if "-aside" in path.name or ("staging" in path.name.lower() and any(path.iterdir()))
        ]


@pytest.fixture
def long(snapshot_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Long]:
    monkeypatch.setattr(RunContext, "sleep", lambda self, seconds: None)
    made = Long(snapshot_server, tmp_path)
    yield made
    made.tables.drop()


@pytest.mark.survives(
    "network",
    "the connection breaks in the middle of a long unit; rows are added behind it meanwhile",
    "the rows read so far are proven unchanged in a new snapshot; only the rest is read",
    "source and warehouse equal",
)
def test_rows_that_still_hold_are_not_read_again(
    long: Long, statements: Statements, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection breaks in the third slice, after 47 rows. The last of them and the rows behind it come from the new
    snapshot, also one that was added there meanwhile."""
    caplog.set_level(logging.INFO, "dltsync.run")

    def add_behind() -> None:
        long.tables.run("INSERT INTO {s}.t VALUES (99, N'late', NULL, 1)")

    Faulty({(6, 2): ServerUnreachable(LOST)}, add_behind).install(monkeypatch)
    unit = long.run()
    assert unit.status == "committed", unit.error
    assert "47 rows read before the connection broke still hold" in caplog.text
    assert unit.rows_read == ROWS + 1
    assert unit.counts is not None
    assert unit.counts.equal
    long.assert_same()
    long.assert_tidy()


def test_a_bad_key_behind_a_lost_connection_is_refused(long: Long, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of all rows are checked together, of those taken over and of the rest: one of each side makes a repeated key."""

    def add_behind() -> None:
        long.tables.run(
            "INSERT INTO {s}.t VALUES (98, N'late', NULL, 1), (99, N'later', '2024-01-01T00:00:00.0000003', 1)"
        )

    Faulty({(6, 2): ServerUnreachable(LOST)}, add_behind).install(monkeypatch)
    unit = long.run(load_strategy="upsert", key_columns=["at"])
    assert unit.error_type == "ValidationFailed"
    assert "1 row has NULL in the key (at): a = 98, b = late, at = NULL" in str(unit.error)
    assert "at = 2024-01-01 00:00:00.000000300 (2 rows)" in str(unit.error)
    assert not [path for path in long.root.glob("lake/**/*") if path.is_file()]
    assert not (long.root / "house.duckdb").exists()
    long.assert_tidy()

    long.tables.run("DELETE FROM {s}.t WHERE a IN (98, 99)")
    assert long.run(load_strategy="upsert", key_columns=["at"]).status == "committed"
    long.assert_same()


@pytest.mark.survives(
    "network",
    "the connection breaks in the middle of a long unit; rows read before are changed meanwhile",
    "the change is seen in the new snapshot; all rows are read again",
    "source and warehouse equal",
)
@pytest.mark.parametrize(
    "change",
    variants(
        {
            "updated": "UPDATE {s}.t SET amount = amount + 1 WHERE b = N'r010'",
            "deleted": "DELETE FROM {s}.t WHERE b = N'r010'",
            "added": "INSERT INTO {s}.t VALUES (0, N'a', NULL, NULL)",
            "moved": "DELETE FROM {s}.t WHERE b = N'r010'; INSERT INTO {s}.t VALUES (2, N'r010', NULL, NULL)",
            "all deleted": "DELETE FROM {s}.t",
        },
        often={"updated", "moved", "all deleted"},
    ),
)
def test_rows_that_changed_meanwhile_are_all_read_again(
    long: Long, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    """Rows of two moments never stand in one load."""
    caplog.set_level(logging.INFO, "dltsync.run")
    Faulty({(6, 2): ServerUnreachable(LOST)}, lambda: long.tables.run(change)).install(monkeypatch)
    unit = long.run()
    assert unit.status == "committed", unit.error
    assert "rows changed since the connection broke: all are read again" in caplog.text
    long.assert_same()
    long.assert_tidy()


def test_a_connection_that_breaks_again_and_again_costs_no_row(long: Long, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the attempts there are: after a start, in the middle, and at the end."""
    Faulty({(4, 1): ServerUnreachable(LOST), (9, 1): TransientQueryError("deadlock", number=1205)}).install(monkeypatch)
    unit = long.run()
    assert unit.status == "committed", unit.error
    long.assert_same()
    long.assert_tidy()


def test_without_attempts_left_nothing_private_stays_behind(long: Long, monkeypatch: pytest.MonkeyPatch) -> None:
    Faulty({(n, 2): ServerUnreachable(LOST) for n in range(2, 60)}).install(monkeypatch)
    unit = long.run()
    assert (unit.status, unit.error_type) == ("failed", "ServerUnreachable")
    assert "after 3 attempts" in (unit.error or "")
    long.assert_tidy()
    assert not list(long.root.glob("lake/**/*.parquet"))


def test_a_column_without_a_digest_means_reading_anew(
    long: Long, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Microseconds of a datetime2(7) are not what the server hashes."""
    caplog.set_level(logging.INFO, "dltsync.run")
    long.tables.run("UPDATE {s}.t SET at = CAST(CAST(at AS datetime2(3)) AS datetime2(7))")
    Faulty({(6, 2): ServerUnreachable(LOST)}).install(monkeypatch)
    unit = long.run(column_representation={"at": "microseconds"})
    assert unit.status == "committed", unit.error
    long.assert_same()
