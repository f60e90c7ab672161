"""Two shops at the source, loaded into a PostgreSQL database: two tables of each kind, and the database read by psycopg alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from dltsync_core.config import PipelineConfig
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import RunResult
from tests.support.server_shop import COLUMNS, Server, ServerShop, made_shop, plain_rows


class PostgresShops:
    """One pipeline over both shops. `warehouse_url` is PostgreSQL's, as dlt and psycopg take it."""

    def __init__(self, shops: tuple[ServerShop, ServerShop], root: Path, warehouse_url: str) -> None:
        self.shops = shops
        self.root = root
        self.warehouse_url = warehouse_url

    def values(self, **sections: Any) -> dict[str, Any]:
        """The config as a file has it; `sections` replace or add some. PostgreSQL has microseconds: seven digits go as text."""
        kinds: dict[str, dict[str, Any]] = {
            "Orders": {},
            "Customers": {"last_modified_column": "Changed"},
            "Countries": {},
        }
        tables: dict[str, list[dict[str, Any]]] = {
            name: [
                {"schema_name": shop.schema, "table_name": name, "target_schema": shop.schema, **more}
                for shop in self.shops
            ]
            for name, more in kinds.items()
        }
        for table in tables["Customers"]:
            table["column_representation"] = {"Changed": "text"}
        return {
            "database": self.shops[0].server.database_section,
            "processing": {"batch_size": 4},
            "state": {"state_directory": str(self.root / "state"), "parquet_directory": str(self.root / "lake")},
            "destination": {"type": "dlt", "destination": "postgres", "credentials": self.warehouse_url},
            "partition_tables": tables["Orders"],
            "scd_tables": tables["Customers"],
            "static_tables": tables["Countries"],
            **sections,
        }

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(PipelineConfig(**self.values()))

    def run(self, **arguments: Any) -> RunResult:
        with self.pipeline() as pipeline:
            return pipeline.run(**arguments)

    def execute(self, statement: str) -> None:
        """In the warehouse; {s} is the first shop's schema."""
        with psycopg.connect(self.warehouse_url) as connection:
            connection.execute(statement.replace("{s}", self.shops[0].schema).encode())

    def assert_same(self) -> None:
        """The warehouse holds the source's rows, each once. `Changed` is text there, which validation compares."""
        with psycopg.connect(self.warehouse_url) as connection:
            for shop in self.shops:
                for table, names in COLUMNS.items():
                    columns = [name.strip() for name in names.split(",") if name.strip() != "Changed"]
                    kept = [at for at, name in enumerate(names.split(",")) if name.strip() != "Changed"]
                    chosen = ", ".join(f'"{name}"' for name in columns)
                    query = f'SELECT {chosen} FROM "{shop.schema}"."{table}"'
                    found = plain_rows(connection.execute(query.encode()).fetchall())
                    expected = sorted((tuple(row[at] for at in kept) for row in shop.source_rows(table)), key=repr)
                    assert found == expected, f"{shop.schema}.{table}"


@contextmanager
def made_postgres_shops(server: Server, root: Path, postgres_url: str) -> Iterator[PostgresShops]:
    """Both shops with rows in them while the block lasts. dlt wants a password where the server asks for none."""
    url = postgres_url.replace("+psycopg", "").replace("ledger@", "ledger:any@")
    with made_shop(server, root / "one") as one, made_shop(server, root / "two") as two:
        yield PostgresShops((one, two), root, url)
