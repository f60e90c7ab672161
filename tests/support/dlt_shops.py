"""Two shops at the source, loaded into a destination of dlt's: two tables of each kind, read by the destination's own driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from dltsync_core.config import PipelineConfig
from dltsync_core.identity import identifier_part
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import RunResult
from tests.support.delta_tables import delta_query, delta_root, deltalake, table_at
from tests.support.server_shop import COLUMNS, Server, ServerShop, made_shop, plain_rows


class DltShops(ABC):
    """One pipeline over both shops. The destinations count microseconds: seven digits go as text, and are not compared."""

    def __init__(self, shops: tuple[ServerShop, ServerShop], root: Path) -> None:
        self.shops = shops
        self.root = root

    @abstractmethod
    def destination(self) -> dict[str, Any]:
        """The section of the config, without `type`."""

    @abstractmethod
    def rows(self, schema: str, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
        """What the destination's table holds."""

    @abstractmethod
    def damage(self) -> None:
        """In the first shop's tables: order 102 is lost, and Switzerland has another area."""

    def values(self, **sections: Any) -> dict[str, Any]:
        """The config as a file has it; `sections` replace or add some."""
        kinds: dict[str, dict[str, Any]] = {
            "Orders": {},
            "Customers": {"last_modified_column": "Changed", "column_representation": {"Changed": "text"}},
            "Countries": {},
        }
        tables: dict[str, list[dict[str, Any]]] = {
            name: [
                {"schema_name": shop.schema, "table_name": name, "target_schema": shop.schema, **more}
                for shop in self.shops
            ]
            for name, more in kinds.items()
        }
        return {
            "database": self.shops[0].server.database_section,
            "processing": {"batch_size": 4},
            "state": {"state_directory": str(self.root / "state"), "parquet_directory": str(self.root / "lake")},
            "destination": {"type": "dlt", **self.destination()},
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

    def assert_same(self) -> None:
        """Every table of both shops holds the rows of the source."""
        for shop in self.shops:
            for table, names in COLUMNS.items():
                columns = [name.strip() for name in names.split(",")]
                compared = [at for at, name in enumerate(columns) if name != "Changed"]
                found = plain_rows(self.rows(shop.schema, table, [columns[at] for at in compared]))
                expected = sorted((tuple(row[at] for at in compared) for row in shop.source_rows(table)), key=repr)
                assert found == expected, f"{shop.schema}.{table}"


class PostgresShops(DltShops):
    """`url` is PostgreSQL's, as dlt and psycopg take it."""

    def __init__(self, shops: tuple[ServerShop, ServerShop], root: Path, url: str) -> None:
        super().__init__(shops, root)
        self.url = url

    def destination(self) -> dict[str, Any]:
        return {"destination": "postgres", "credentials": self.url}

    def rows(self, schema: str, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
        chosen = ", ".join(f'"{name}"' for name in columns)
        with psycopg.connect(self.url) as connection:
            return connection.execute(f'SELECT {chosen} FROM "{schema}"."{table}"'.encode()).fetchall()

    def execute(self, statement: str) -> None:
        """In the warehouse; {s} is the first shop's schema."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.replace("{s}", self.shops[0].schema).encode())

    def damage(self) -> None:
        self.execute('DELETE FROM "{s}"."Orders" WHERE "OrderNo" = 102')
        self.execute('UPDATE "{s}"."Countries" SET "Area" = 1 WHERE "Code" = \'CH\'')


class DeltaShops(DltShops):
    """Tables in a directory, read by delta-rs and DuckDB."""

    def destination(self) -> dict[str, Any]:
        return {"destination": "filesystem", "table_format": "delta", "bucket_url": str(delta_root(self.root))}

    def rows(self, schema: str, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
        chosen = ", ".join(f'"{name}"' for name in columns)
        return delta_query(self.root, f'SELECT {chosen} FROM "{identifier_part(schema)}"."{table}"')

    def damage(self) -> None:
        schema = self.shops[0].schema
        table_at(self.root, (schema, "Orders")).delete('"OrderNo" = 102')
        table_at(self.root, (schema, "Countries")).update(updates={"Area": "1"}, predicate="\"Code\" = 'CH'")


def url_for_dlt(postgres_url: str) -> str:
    """dlt wants a password where the server asks for none."""
    return postgres_url.replace("+psycopg", "").replace("ledger@", "ledger:any@")


@contextmanager
def made_postgres_shops(server: Server, root: Path, postgres_url: str) -> Iterator[PostgresShops]:
    """Both shops with rows in them while the block lasts."""
    with made_shop(server, root / "one") as one, made_shop(server, root / "two") as two:
        yield PostgresShops((one, two), root, url_for_dlt(postgres_url))


@contextmanager
def made_delta_shops(server: Server, root: Path) -> Iterator[DeltaShops]:
    """Both shops with rows in them while the block lasts."""
    deltalake()
    with made_shop(server, root / "one") as one, made_shop(server, root / "two") as two:
        yield DeltaShops((one, two), root)
