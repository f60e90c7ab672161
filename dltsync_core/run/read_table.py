"""The rows of a synced table as Arrow or as a DuckDB relation, from the lake or from the warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
from duckdb import DuckDBPyRelation

from dltsync_core.config import PipelineConfig, TableConfig
from dltsync_core.errors import ConfigError
from dltsync_core.lake.lake import Lake
from dltsync_core.run.read_lake import ReadFrom, TableToRead, lake_reader, lake_relation, place_of, relation_of
from dltsync_core.run.read_warehouse import warehouse_reader
from dltsync_core.state.ledger import Ledger
from dltsync_core.warehouse.port import Warehouse


def table_to_read(
    config: PipelineConfig,
    table: TableConfig,
    ledger: Ledger,
    partition_keys: Sequence[str] | None,
    columns: Sequence[str] | None,
) -> TableToRead:
    """What is asked for, with the table's name as the lake has it. Raises ConfigError for partitions of a table without any."""
    if partition_keys is not None and table.kind != "partition":
        raise ConfigError(f"{table.name} is a table of kind {table.kind}: it has no partitions", remedy="read it whole")
    units = tuple(partition_keys) if partition_keys is not None else None
    return TableToRead(
        config, table, ledger.find_table(table.name), units, tuple(columns) if columns is not None else None
    )


@contextmanager
def table_reader(
    lake: Lake, warehouse: Warehouse, asked: TableToRead, read_from: ReadFrom
) -> Iterator[pa.RecordBatchReader]:
    """The rows while the block lasts. Raises what `lake_reader` and `warehouse_reader` raise."""
    if place_of(asked.table, read_from) == "lake":
        with lake_reader(lake, asked) as rows:
            yield rows
    else:
        with warehouse_reader(lake, warehouse, asked) as rows:
            yield rows


def table_relation(lake: Lake, warehouse: Warehouse, asked: TableToRead, read_from: ReadFrom) -> DuckDBPyRelation:
    """The same rows as a relation: over the lake's files where they are the table, in memory otherwise."""
    if place_of(asked.table, read_from) == place_of(asked.table, "auto") == "lake":
        return lake_relation(lake, asked)
    with table_reader(lake, warehouse, asked, read_from) as rows:
        return relation_of(rows)
