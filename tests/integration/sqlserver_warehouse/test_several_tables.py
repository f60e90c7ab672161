"""Two tables of each kind go through everything that happens to a source, into another database and into another server, while
readers poll the target: each sees the old rows of a unit or the new ones, never none and never a mix."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pyodbc
import pytest

from dltsync_core.config import PartitionTableConfig, PipelineConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import RunResult
from tests.support.server_shop import COLUMNS, Rows, Server, plain_rows
from tests.support.sqlserver_shop import SqlServerShop, dropped, made_database, made_sqlserver_shop

pytestmark = pytest.mark.timeout(1800)
PAUSE_SECONDS = 0.05
"""Between two rounds of a reader, so that the server has time for the load as well."""
SCHEMAS = ("first", "second")
TARGETS = [(schema, table) for schema in SCHEMAS for table in COLUMNS]


@pytest.fixture(params=["another database", "another server"])
def shops(
    request: pytest.FixtureRequest, snapshot_server: Server, tmp_path: Path
) -> Iterator[tuple[SqlServerShop, SqlServerShop]]:
    """Two shops on one server whose tables are loaded into one target, each into a schema of its own."""
    apart = request.param == "another server"
    server: Server = request.getfixturevalue("other_server") if apart else snapshot_server
    target = made_database(server)
    with ExitStack() as stack:
        stack.callback(dropped, target)
        yield tuple(  # type: ignore[misc]
            stack.enter_context(made_sqlserver_shop(snapshot_server, tmp_path / name, target)) for name in SCHEMAS
        )


def config(shops: tuple[SqlServerShop, SqlServerShop]) -> PipelineConfig:
    """One pipeline for both."""
    pairs = list(zip(SCHEMAS, shops, strict=True))
    return (
        shops[0]
        .config()
        .model_copy(
            update={
                "partition_tables": [
                    PartitionTableConfig(table_name="Orders", schema_name=shop.schema, target_schema=name)
                    for name, shop in pairs
                ],
                "scd_tables": [
                    SCDTableConfig(
                        table_name="Customers",
                        schema_name=shop.schema,
                        target_schema=name,
                        last_modified_column="Changed",
                    )
                    for name, shop in pairs
                ],
                "static_tables": [
                    StaticTableConfig(table_name="Countries", schema_name=shop.schema, target_schema=name)
                    for name, shop in pairs
                ],
            }
        )
    )


def run(shops: tuple[SqlServerShop, SqlServerShop]) -> RunResult:
    with IncrementalSQLServerParquetPipeline(config(shops)) as pipeline:
        result = pipeline.run()
    assert result.success, result["errors"]
    return result


def source(shops: tuple[SqlServerShop, SqlServerShop]) -> dict[tuple[str, str], Rows]:
    return {
        (name, table): shop.source_rows(table) for name, shop in zip(SCHEMAS, shops, strict=True) for table in COLUMNS
    }


def in_target(connection: pyodbc.Connection, schema: str, table: str) -> Rows:
    return plain_rows(
        [tuple(row) for row in connection.execute(f"SELECT {COLUMNS[table]} FROM {schema}.{table}").fetchall()]
    )


def unit_of(table: str, row: tuple[Any, ...]) -> str:
    """What is replaced together: a month of orders, else the table."""
    return str(row[1] or "0000-00")[:7] if table == "Orders" else table


def by_unit(table: str, rows: Rows) -> dict[str, Rows]:
    units: dict[str, Rows] = {}
    for row in rows:
        units.setdefault(unit_of(table, row), []).append(row)
    return units


class Reader(threading.Thread):
    """Polls all targets until it is told to stop, and keeps what it saw. A snapshot that meets a switch (3961) is repeated."""

    def __init__(self, target: Server, *, snapshot: bool) -> None:
        super().__init__(daemon=True)
        self._target, self._snapshot = target, snapshot
        self._done = threading.Event()
        self.seen: dict[tuple[str, str], list[Rows]] = {target: [] for target in TARGETS}
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with closing(self._target.connect()) as connection:
                if self._snapshot:
                    connection.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
                while not self._done.wait(PAUSE_SECONDS):
                    for schema, table in TARGETS:
                        self._poll(connection, schema, table)
        except BaseException as error:  # noqa: BLE001 -- the test shows it
            self.error = error

    def _poll(self, connection: pyodbc.Connection, schema: str, table: str) -> None:
        try:
            self.seen[schema, table].append(in_target(connection, schema, table))
        except pyodbc.Error as error:
            if not (self._snapshot and "(3961)" in str(error)):
                raise

    def stop(self) -> None:
        self._done.set()
        self.join()

    def wrong(self, old: dict[tuple[str, str], Rows], new: dict[tuple[str, str], Rows]) -> list[str]:
        """What it saw that was neither old nor new."""
        found = [f"the reader failed: {self.error}"] if self.error is not None else []
        for place, states in self.seen.items():
            _, table = place
            before, after = by_unit(table, old[place]), by_unit(table, new[place])
            for rows in states:
                shown = by_unit(table, rows)
                found += [
                    f"{place} {unit}: {shown.get(unit, [])}"
                    for unit in {*shown, *before, *after}
                    if shown.get(unit, []) not in (before.get(unit, []), after.get(unit, []))
                ]
        return found


def catalogue(shop: SqlServerShop) -> list[tuple[Any, ...]]:
    """Indexes and constraints of the targets, with whether they are enabled and trusted."""
    return [
        *shop.target_query(
            "SELECT SCHEMA_NAME(t.schema_id), t.name, i.name, i.type_desc, i.is_unique, i.is_disabled "
            "FROM sys.indexes AS i JOIN sys.tables AS t ON t.object_id = i.object_id "
            "WHERE SCHEMA_NAME(t.schema_id) IN (N'first', N'second') ORDER BY 1, 2, 3"
        ),
        *shop.target_query("SELECT name, is_disabled, is_not_trusted FROM sys.check_constraints ORDER BY name"),
    ]


Change = Callable[[SqlServerShop, int], None]


def rows_change(shop: SqlServerShop, number: int) -> None:
    shop.add_orders(301 + number, "2026-01-20T10:00:00", 2)
    shop.execute("UPDATE {s}.Orders SET Note = N'geändert' WHERE OrderNo = 103")
    shop.execute("DELETE FROM {s}.Orders WHERE OrderNo BETWEEN 201 AND 203")
    shop.execute(
        "UPDATE {s}.Customers SET EndDate = '2026-01-20', IsLatest = 0, Changed = '2026-01-20T09:00:00' WHERE CustomerNo = 2"
    )
    shop.add_version(2, "2026-01-20", f"Bob {number}", "2026-01-20T09:00:00.0000002")
    shop.execute("UPDATE {s}.Countries SET Area = Area + 1 WHERE Code = 'CH'")
    shop.execute("DELETE FROM {s}.Countries WHERE Code = 'JP'")
    shop.execute("INSERT INTO {s}.Countries (Code, Name, Area) VALUES ('IS', N'Ísland', 103125)")


def a_partition_is_emptied_and_one_split_off(shop: SqlServerShop, number: int) -> None:
    shop.execute("DELETE FROM {s}.Orders WHERE PlacedAt >= '2026-02-01T00:00:00' AND PlacedAt < '2026-03-01T00:00:00'")
    shop.execute("ALTER PARTITION SCHEME ps_{s} NEXT USED [PRIMARY]")
    shop.execute("ALTER PARTITION FUNCTION pf_{s}() SPLIT RANGE ('2026-04-01T00:00:00')")
    shop.add_orders(401 + number, "2026-04-05T10:00:00", 2)
    shop.execute("DELETE FROM {s}.Customers WHERE CustomerNo = 1 AND IsLatest = 0")


def a_boundary_is_merged(shop: SqlServerShop, number: int) -> None:
    shop.execute("ALTER PARTITION FUNCTION pf_{s}() MERGE RANGE ('2026-02-01T00:00:00')")
    shop.execute("UPDATE {s}.Orders SET Amount = 1 WHERE OrderNo = 401")


CHANGES: tuple[Change, ...] = (rows_change, a_partition_is_emptied_and_one_split_off, a_boundary_is_merged)


def test_two_tables_of_each_kind_follow_their_sources_while_readers_poll(
    shops: tuple[SqlServerShop, SqlServerShop],
) -> None:
    run(shops)
    first = shops[0]
    for schema in SCHEMAS:
        first.target_query(f"CREATE INDEX ix ON {schema}.Orders (OrderNo)")
        first.target_query(f"CREATE INDEX ix ON {schema}.Countries (Area) INCLUDE (Name)")
        first.target_query(
            f"ALTER TABLE {schema}.Customers WITH CHECK ADD CONSTRAINT ck_{schema} CHECK (CustomerNo > 0)"
        )
    was = catalogue(first)
    for change in CHANGES:
        old = source(shops)
        for number, shop in enumerate(shops):
            change(shop, number)
        new = source(shops)
        readers = [Reader(first.target, snapshot=snapshot) for snapshot in (False, True)]
        for reader in readers:
            reader.start()
        try:
            result = run(shops)
        finally:
            for reader in readers:
                reader.stop()
        assert [problem for reader in readers for problem in reader.wrong(old, new)] == []
        assert all(reader.seen[place] for reader in readers for place in TARGETS), "a reader saw nothing"
        assert {unit.table.table for unit in result.units if unit.status == "committed"} >= {"Orders"}
        with closing(first.target.connect()) as connection:
            assert {place: in_target(connection, *place) for place in TARGETS} == new
        assert catalogue(first) == was
        assert first.leftovers() == []
    assert run(shops)["total_records"] == 0
