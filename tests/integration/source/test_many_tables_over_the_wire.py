"""A run over many tables: what it costs when nothing moved, and one table among them that changed, is denied, missing or renamed.

Logins and requests are counted on the way to the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pyodbc
import pytest

from dltsync_core.config import (
    DatabaseConfig,
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    ProcessingConfig,
    SCDTableConfig,
    StateConfig,
    StaticTableConfig,
)
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.planning import probes
from dltsync_core.run.result import RunResult
from sqlserver_sandbox.faults.plan import Action, Drop, Fail, Fault, Where
from tests.support.fault_control import FaultControl
from tests.support.sandbox_server import SandboxServer
from tests.support.wire_counter import Counts, WireCounter

MANY = 13
WORKERS = 2
STATIC = [f"static{number}" for number in range(MANY)]
SCD = [f"history{number}" for number in range(MANY)]
PARTITIONED = ["parts0", "parts1"]
EVERY_TABLE = [*STATIC, *SCD, *PARTITIONED]
SOME_TABLES = (*STATIC[:4], *SCD[9:12], PARTITIONED[0])
"""Of each kind; they are probed together as all of them are."""


def of_static(name: str) -> tuple[str, str]:
    """A static table and its rows."""
    return (
        f"CREATE TABLE dbo.{name} (id int NOT NULL PRIMARY KEY, name nvarchar(20) NULL)",
        f"INSERT INTO dbo.{name} VALUES (1, N'a'), (2, NULL)",
    )


class ManyTables:
    """Static tables, histories (every tenth by a rowversion) and two partitioned tables, loaded once."""

    def __init__(self, root: Path, server: SandboxServer, counter: WireCounter, faults: FaultControl) -> None:
        self.root = root
        self.faults = faults
        self._server = server
        self._counter = counter

    def execute(self, *statements: str) -> None:
        with closing(pyodbc.connect(self._server.odbc(database="many"), autocommit=True)) as connection:
            for statement in statements:
                connection.execute(statement)

    def create(self) -> None:
        with closing(pyodbc.connect(self._server.odbc(), autocommit=True)) as connection:
            connection.execute("CREATE DATABASE many")
            connection.execute("ALTER DATABASE many SET ALLOW_SNAPSHOT_ISOLATION ON")
        self.execute(
            "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (10, 20)",
            "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
        )
        for name in STATIC:
            self.execute(*of_static(name))
        for number, name in enumerate(SCD):
            stamp = "changed rowversion NOT NULL" if number % 10 == 0 else "changed datetime2(7) NOT NULL"
            columns, values = ("id, since", "") if number % 10 == 0 else ("id, since, changed", ", '2026-01-03'")
            self.execute(
                f"CREATE TABLE dbo.{name} (id int NOT NULL, since datetime2(3) NOT NULL, {stamp}, PRIMARY KEY (id, since))",
                f"INSERT INTO dbo.{name} ({columns}) VALUES (1, '2026-01-01'{values}), (1, '2026-01-02'{values})",
            )
        for name in PARTITIONED:
            self.execute(
                f"CREATE TABLE dbo.{name} (id int NOT NULL, name nvarchar(20) NULL) ON ps(id)",
                f"INSERT INTO dbo.{name} VALUES (1, N'a'), (11, N'b'), (21, N'c')",
            )

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        database = DatabaseConfig(
            server="127.0.0.1", port=self._counter.port, database="many", username=self._server.user,
            password=self._server.password, encrypt="no", trust_server_certificate=True,
        )  # fmt: skip
        return IncrementalSQLServerParquetPipeline(
            PipelineConfig(
                database=database,
                processing=ProcessingConfig(max_workers=WORKERS),
                static_tables=[StaticTableConfig(table_name=name) for name in STATIC],
                scd_tables=[
                    SCDTableConfig(
                        table_name=name, business_key_columns=["id"], effective_date_column="since",
                        end_date_column="since", is_latest_column="id", last_modified_column="changed",
                    )
                    for name in SCD
                ],
                partition_tables=[PartitionTableConfig(table_name=name) for name in PARTITIONED],
                state=StateConfig(state_directory=self.root / "state", parquet_directory=self.root / "lake"),
                destination=DestinationConfig(path=self.root / "house.duckdb"),
            )
        )  # fmt: skip

    def run(self, tables: Sequence[str] | None = None) -> tuple[RunResult, Counts]:
        """A run over all tables or those, and what it sent."""
        before = self._counter.counts()
        with self.pipeline() as pipeline:
            result = pipeline.run(table_names=tables)
        return result, self._counter.counts().since(before)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ManyTables, RunResult, Counts]]:
    root = tmp_path_factory.mktemp("many_tables")
    server = SandboxServer(root, tls=False, arguments=["--allow-faults"])
    server.start()
    try:
        faults = FaultControl(server)
        with closing(faults), WireCounter(server.port) as counter:
            tables = ManyTables(root, server, counter, faults)
            tables.create()
            yield (tables, *tables.run())
    finally:
        server.stop()


@pytest.fixture
def loaded(first_run: tuple[ManyTables, RunResult, Counts]) -> Iterator[ManyTables]:
    tables = first_run[0]
    yield tables
    tables.faults.clear()


def names(result: RunResult, status: str) -> list[str]:
    return sorted({unit.table.table for unit in result.units if unit.status == status})


def test_a_first_run_logs_in_once_per_worker(first_run: tuple[ManyTables, RunResult, Counts]) -> None:
    _, result, counts = first_run
    assert result.success, result["errors"]
    assert len(result.units) == 2 * MANY + 2 * 3
    assert counts.logins <= WORKERS + 4


def test_tables_that_did_not_change_cost_a_few_requests(loaded: ManyTables) -> None:
    result, counts = loaded.run()
    assert names(result, "skipped") == sorted(EVERY_TABLE)
    assert counts.logins <= WORKERS + 4
    assert counts.requests <= 30


def test_a_plan_costs_no_more_than_a_run(loaded: ManyTables) -> None:
    with loaded.pipeline() as pipeline:
        plans = pipeline.plan()
    assert [len(plan.work) for plan in plans] == [0] * len(EVERY_TABLE)


CHANGES = {
    "static11": "UPDATE dbo.static11 SET name = N'changed' WHERE id = 2",
    "history8": "INSERT INTO dbo.history8 VALUES (2, '2026-01-05', '2026-01-06')",
    "history10": "INSERT INTO dbo.history10 (id, since) VALUES (2, '2026-01-05')",
    "parts1": "UPDATE dbo.parts1 SET name = N'changed' WHERE id = 11",
}
"""One of each kind: static, a history by a moment and one by a rowversion, partitioned."""


def test_the_tables_that_changed_are_read_and_no_other(loaded: ManyTables) -> None:
    (alone, change), *others = CHANGES.items()
    loaded.execute(change)
    result, counts = loaded.run()
    assert result.success, result["errors"]
    assert [unit.table.table for unit in result.units if unit.status == "committed"] == [alone]
    assert counts.requests <= 40
    loaded.execute(*(change for _, change in others))
    result, _ = loaded.run()
    assert result.success, result["errors"]
    assert names(result, "committed") == sorted(name for name, _ in others)
    assert len([unit for unit in result.units if unit.status == "committed"]) == len(others)
    result, _ = loaded.run(list(CHANGES))
    assert names(result, "skipped") == sorted(CHANGES)


DENIED = "The SELECT permission was denied on the object 'static7', database 'many', schema 'dbo'."
FAILURES = {
    "static7": (Fail(229, DENIED), "GRANT SELECT ON dbo.static7"),
    "history7": (Fail(208, "Invalid object name 'dbo.history7'."), "not found or not permitted"),
    "parts1": (Fail(245, "Conversion failed."), "Conversion failed"),
}


def test_a_table_that_cannot_be_probed_fails_alone(loaded: ManyTables) -> None:
    """One among all of them; then each kind of table, among a handful of others."""
    few = (*SOME_TABLES, *FAILURES)
    for asked, denied in ((EVERY_TABLE, ["static7"]), (few, list(FAILURES))):
        loaded.faults.plan(
            *(Fault(FAILURES[name][0], Where(table=rf"\b{name}\b", kind="select", times=None)) for name in denied)
        )
        result, counts = loaded.run(asked)
        assert names(result, "failed") == sorted(denied)
        for failure in result.failed:
            assert f"dbo.{failure.table.table}" in str(failure.error)
            assert FAILURES[failure.table.table][1] in str(failure.error)
        assert names(result, "skipped") == sorted(set(asked) - set(denied))
        assert counts.logins <= (len(denied) + 1) * (WORKERS + 4), "a session on which it failed is not used again"
        loaded.faults.clear()
    assert names(loaded.run(few)[0], "skipped") == sorted(few)


def test_a_table_that_was_renamed_fails_alone_and_is_looked_for_in_few_requests(loaded: ManyTables) -> None:
    """To the server a renamed table is gone, and there is another one."""
    loaded.execute("DROP TABLE dbo.static9", *of_static("static9b"))
    try:
        result, counts = loaded.run()
    finally:
        loaded.execute("DROP TABLE dbo.static9b", *of_static("static9"))
    assert names(result, "failed") == ["static9"]
    assert names(result, "skipped") == sorted(set(EVERY_TABLE) - {"static9"})
    assert counts.requests <= 100


@pytest.mark.parametrize(
    "action",
    [Drop("before"), Drop("after"), Drop(bytes=300, how="close"), Drop(rows=1), Fail(1205), Fail(1222)],
    ids=["before", "after", "torn", "after a row", "deadlock", "lock time-out"],
)
def test_what_passes_in_the_middle_of_a_probe_of_many_tables_ends_well(loaded: ManyTables, action: Action) -> None:
    loaded.faults.plan(Fault(action, Where(table=r"\bstatic2\b", kind="select", times=1)))
    result, counts = loaded.run(SOME_TABLES)
    assert loaded.faults.clear() != []
    assert names(result, "skipped") == sorted(SOME_TABLES)
    assert counts.logins <= 2 * (WORKERS + 4)


def test_large_tables_are_probed_alone(loaded: ManyTables, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rows that the catalogue counts: their digests take time."""
    monkeypatch.setattr(probes, "MOST_ROWS", 1)
    alone: list[str] = []
    ordinary: Callable[..., object] = probes.probe_alone

    def heard(context: object, table: probes.TableToProbe) -> object:
        alone.append(table.resolved.name.table)
        return ordinary(context, table)

    monkeypatch.setattr(probes, "probe_alone", heard)
    result, _ = loaded.run(SOME_TABLES)
    assert names(result, "skipped") == sorted(SOME_TABLES)
    assert sorted(alone) == sorted(SOME_TABLES)
