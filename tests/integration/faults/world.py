"""The shop of tests/integration on a server that misbehaves, put back to its beginning for every schedule.

What the pipeline did is looked at without the pipeline: the source by pyodbc, the lake by its manifests and DuckDB, the
warehouse by DuckDB, the ledger by sqlite3.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dltsync_core.config import PipelineConfig
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.support.server_shop import COLUMNS, Rows, Server, ServerShop, plain_rows

BOUNDARIES = 2
MOMENTS = frozenset({"PlacedAt", "EffectiveDate", "EndDate", "Changed"})


@dataclass(frozen=True)
class Load:
    """One manifest and the rows its files hold, as DuckDB reads them."""

    unit: str
    sequence: int
    told: int
    rows: Rows


class World(ServerShop):
    """A ServerShop with a fixed name, whose first load is made once and restored by copying."""

    def __init__(self, server: Server, root: Path) -> None:
        super().__init__(server, root / "now")
        self.schema = "shop"
        self._kept = root / "loaded"
        self.states: list[dict[str, Rows]] = []
        """Every state the source was in, by table."""
        self.attempts = 3
        self.storage: Callable[[Any], Any] | None = None
        """What is put before the lake's storage in the next run."""
        self._storages: list[Any] = []
        self._first_rows: list[str] = []
        self._duckdb = duckdb.connect(":memory:")

    def prepare(self) -> None:
        """Make the tables, load them once, and keep what that left."""
        self.create()
        result = self.run()
        assert result.success, result["errors"]
        self.assert_same()
        self._first_rows = [self._insert(name) for name in COLUMNS]
        shutil.copytree(self.root, self._kept)

    def begin(self, *, loaded: bool) -> None:
        """As it was after the first load; or with the same source and nothing loaded."""
        self._connection.execute("SET XACT_ABORT ON")
        cursor = self._connection.execute("SELECT COUNT(*) FROM sys.partition_range_values")
        if cursor.fetchval() != BOUNDARIES:
            for name in COLUMNS:
                self.execute(f"DROP TABLE {{s}}.{name}")
            self.execute("DROP PARTITION SCHEME ps_{s}")
            self.execute("DROP PARTITION FUNCTION pf_{s}")
            self.execute("DROP SCHEMA {s}")
            self.create()
        else:
            self.execute("; ".join((*(f"DELETE FROM {{s}}.{name}" for name in COLUMNS), *self._first_rows)))
        shutil.rmtree(self.root, ignore_errors=True)
        if loaded:
            shutil.copytree(self._kept, self.root)
        else:
            self.root.mkdir(parents=True)
        self.overrides, self.database = {}, {}
        self.states = []
        self.note_source()

    def _insert(self, table: str) -> str:
        """The rows that are there now, as one statement."""
        rows = ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in self._texts(table))
        return f"INSERT INTO {{s}}.{table} ({COLUMNS[table]}) VALUES {rows}"

    def _texts(self, table: str) -> list[tuple[str | None, ...]]:
        texts = ", ".join(
            f"CONVERT(nvarchar(100), {column}{', 121' if column in MOMENTS else ''})"
            for column in COLUMNS[table].split(", ")
        )
        return [tuple(row) for row in self._connection.execute(f"SELECT {texts} FROM {self.schema}.{table}").fetchall()]

    def spare(self) -> None:
        """The connection that changes and reads the source meets no faults."""
        self._connection.execute("EXEC sandbox_faults").fetchall()

    def change(self, statements: tuple[str, ...]) -> None:
        """Change the source, all at once for whoever looks at it."""
        self._connection.execute("BEGIN TRANSACTION")
        for sql in statements:
            if sql.startswith("ALTER"):
                self._connection.execute("COMMIT")
                self.execute(sql)
                self._connection.execute("BEGIN TRANSACTION")
            else:
                self.execute(sql)
        self._connection.execute("COMMIT")
        self.note_source()

    def note_source(self) -> None:
        self.states.append({name: self.source_rows(name) for name in COLUMNS})

    def config(self) -> PipelineConfig:
        config = super().config()
        return config.model_copy(
            update={
                "destination": config.destination.model_copy(update={"lock_timeout_seconds": 0.6}),
                "processing": config.processing.model_copy(update={"retry_attempts": self.attempts}),
                "state": config.state.model_copy(
                    update={"backup_state_before_run": False, "ledger_retry_seconds": 1.5}
                ),
            }
        )

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        made = super().pipeline()
        self._storages = []
        if self.storage is not None:
            made._lake._storage = self.storage(made._lake._storage)
            self._storages.append(made._lake._storage)
        return made

    def storage_failed(self) -> bool:
        """Whether the disk of the last run really failed."""
        return any(storage.failed for storage in self._storages)

    # ---- the places --------------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Path:
        return self.root / "state" / "ledger.db"

    @property
    def warehouse(self) -> Path:
        return self.root / "house.duckdb"

    def loads(self, table: str) -> list[Load]:
        """The live loads of a table, oldest first, as a reader finds them who knows docs/lake.md and nothing of ours."""
        found = [
            json.loads(path.read_text()) for path in self.root.glob(f"lake/*/{self.schema}*{table}*/_manifests/*.json")
        ]
        live: list[dict[str, Any]] = []
        for manifest in sorted(found, key=lambda m: (m["sequence"], m["load_id"])):
            live = [older for older in live if not _supersedes(manifest, older)]
            live.append(manifest)
        return [Load(m["unit"], m["sequence"], m["rows"], self._rows_of(m, table)) for m in live]

    def _rows_of(self, manifest: dict[str, Any], table: str) -> Rows:
        lake = next(self.root.glob("lake/*"))
        files = [lake / file["path"] for file in manifest["files"]]
        for path, file in zip(files, manifest["files"], strict=True):
            assert path.stat().st_size == file["bytes"], f"{path} is not the file its manifest names"
        if not files:
            return []
        sql = f"SELECT {COLUMNS[table]} FROM read_parquet(?, hive_partitioning = false)"
        return plain_rows(self._duckdb.execute(sql, [[str(file) for file in files]]).fetchall())

    def lake_rows(self, table: str) -> Rows:
        """By manifests; of versions read more than once the newest."""
        loads = self.loads(table)
        if table != "Customers":
            return sorted((row for load in loads for row in load.rows), key=repr)
        newest = {row[:2]: row for load in loads for row in load.rows}
        return sorted(newest.values(), key=repr)

    def committed_units(self, table: str) -> Iterator[dict[str, Any]]:
        """What the ledger calls committed."""
        if not self.ledger.exists():
            return
        connection = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)
        try:
            connection.row_factory = sqlite3.Row
            for row in connection.execute(
                "SELECT * FROM dltsync_committed_units WHERE is_live AND table_name = ?", (table,)
            ):
                yield dict(row)
        finally:
            connection.close()

    def highest_change(self) -> str:
        """The latest Changed in the warehouse, with its seven digits; '' when there is none."""
        ((found,),) = self._from_warehouse('SELECT CAST(max(Changed) AS VARCHAR) FROM house.warehouse."Customers"') or [
            (None,)
        ]
        return "" if found is None else _seven_digits(found)

    def warehouse_rows(self, table: str) -> Rows:
        return plain_rows(self._from_warehouse(f'SELECT {COLUMNS[table]} FROM house.warehouse."{table}"'))

    def _from_warehouse(self, sql: str) -> Rows:
        """What DuckDB alone reads there; nothing while the table is not there."""
        if not self.warehouse.exists():
            return []
        self._duckdb.execute(f"ATTACH '{self.warehouse}' AS house (READ_ONLY)")
        try:
            return self._duckdb.execute(sql).fetchall()
        except duckdb.CatalogException:
            return []
        finally:
            self._duckdb.execute("DETACH house")


def _supersedes(newer: dict[str, Any], older: dict[str, Any]) -> bool:
    return (
        newer["retires_all"]
        or older["kind"] != newer["kind"]
        or older["unit"] in newer["retires"]
        or (newer["replaces_unit"] and older["unit"] == newer["unit"])
    )


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "N'" + text.replace("'", "''") + "'"


def _seven_digits(moment: str) -> str:
    whole, _, fraction = moment.replace("T", " ").partition(".")
    return f"{whole}.{fraction:0<7.7}"


def watermark_text(head: dict[str, Any]) -> str:
    """A committed watermark in the form of `highest_change`."""
    return _seven_digits(head["watermark"] or "")
