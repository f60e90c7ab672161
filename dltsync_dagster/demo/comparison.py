"""Are the three places equal? Asked of an independent reader: pyodbc for SQL Server, DuckDB alone for lake and DuckDB file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyodbc

from dltsync_core.config import DestinationConfig
from dltsync_dagster.demo.dataset import OPERATORS, TABLES, Table
from dltsync_dagster.demo.places import Places
from dltsync_dagster.demo.source import connect, read_rows

PLACES = ("source", "lake", "warehouse")


@dataclass(frozen=True)
class Content:
    """All rows of a table in one place: how many, and a digest that does not depend on their order."""

    rows: int
    digest: str


@dataclass(frozen=True)
class Comparison:
    """One table in the three places. `only_here` counts rows (duplicates too) that the source has and the place has not;
    `only_there` the other way round."""

    table: str
    content: dict[str, Content]
    only_here: dict[str, int]
    only_there: dict[str, int]

    @property
    def equal(self) -> bool:
        contents = set(self.content.values())
        return len(contents) == 1 and not any(self.only_here.values()) and not any(self.only_there.values())


def compare(control: pyodbc.Connection, places: Places, destination: DestinationConfig) -> list[Comparison]:
    """Every table, row by row."""
    with ExitStack() as stack:
        reader = stack.enter_context(closing(duckdb.connect(":memory:")))
        house = None
        if destination.connection is not None:
            house = stack.enter_context(closing(connect(destination.connection)))
        else:
            reader.execute(f"ATTACH '{places.warehouse}' AS house (READ_ONLY)")
        return [_compare(reader, control, places, destination.dataset_name, house, table) for table in TABLES]


def _compare(
    reader: duckdb.DuckDBPyConnection,
    control: pyodbc.Connection,
    places: Places,
    dataset: str,
    house: pyodbc.Connection | None,
    table: Table,
) -> Comparison:
    # Every value becomes the text of the declared type, so that a place that lost digits or a type cannot look equal.
    texts = ", ".join(f'CAST(CAST("{c.name}" AS {c.compared_as}) AS VARCHAR) AS "{c.name}"' for c in table.columns)
    columns = ", ".join(f'"{column.name}" {column.compared_as}' for column in table.columns)
    _copy(reader, "source_rows", columns, table, read_rows(control, table))
    reader.execute(f"CREATE OR REPLACE TEMP TABLE at_source AS SELECT {texts} FROM source_rows")
    reader.execute(f"CREATE OR REPLACE TEMP TABLE at_lake AS SELECT {texts} FROM ({_lake(places, table)})")
    held = f'house."{dataset}"."{table.name}"'
    if house is not None:
        held = "warehouse_rows"
        _copy(reader, held, columns, table, read_rows(house, table, dataset))
    reader.execute(f"CREATE OR REPLACE TEMP TABLE at_warehouse AS SELECT {texts} FROM {held}")
    return Comparison(
        table.name,
        {place: _content(reader, f"at_{place}") for place in PLACES},
        {place: _only(reader, "at_source", f"at_{place}") for place in PLACES[1:]},
        {place: _only(reader, f"at_{place}", "at_source") for place in PLACES[1:]},
    )


def _copy(
    reader: duckdb.DuckDBPyConnection,
    name: str,
    columns: str,
    table: Table,
    portions: Iterable[Sequence[Sequence[Any]]],
) -> None:
    """Rows that pyodbc read, as a table of DuckDB."""
    reader.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
    for portion in portions:
        arrow = pa.table(dict(zip(table.names, (list(values) for values in zip(*portion, strict=True)), strict=True)))
        reader.register("portion", arrow)
        reader.execute(f"INSERT INTO {name} SELECT * FROM portion")


def _lake(places: Places, table: Table) -> str:
    """The current rows of a table from its files alone. Change files of versions: of each version the newest load counts."""
    files = f"read_parquet('{places.lake}/*/dbo_{table.name}-*/data/**/*.parquet', hive_partitioning = false, filename = true)"
    if table is not OPERATORS:
        return f"SELECT * FROM {files}"
    newest = "PARTITION BY TailNumber, EffectiveDate ORDER BY filename DESC"
    return f"SELECT * FROM {files} QUALIFY row_number() OVER ({newest}) = 1"


def _content(reader: duckdb.DuckDBPyConnection, name: str) -> Content:
    row = reader.execute(f"SELECT count(*), coalesce(sum(hash({name})::HUGEINT), 0) FROM {name}").fetchone()
    if row is None:
        raise RuntimeError("an aggregate without a row")
    return Content(int(row[0]), f"{int(row[1]) & (2**64 - 1):016x}")


def _only(reader: duckdb.DuckDBPyConnection, here: str, there: str) -> int:
    row = reader.execute(f"SELECT count(*) FROM (SELECT * FROM {here} EXCEPT ALL SELECT * FROM {there})").fetchone()
    if row is None:
        raise RuntimeError("an aggregate without a row")
    return int(row[0])
