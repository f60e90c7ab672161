"""The rows of a synced table in the warehouse as Arrow: the whole table or single partitions, committed transactions only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import ConfigError, LakeError, WarehouseError
from dltsync_core.identity import dotted
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.manifest import ManifestColumn
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import parse_key
from dltsync_core.run.read_lake import TableToRead, live_loads, named_column, schema_of
from dltsync_core.warehouse.port import Warehouse


@contextmanager
def warehouse_reader(lake: Lake, warehouse: Warehouse, asked: TableToRead) -> Iterator[pa.RecordBatchReader]:
    """The rows in the warehouse while the block lasts. A DuckDB file is held as long: loads wait for it. Raises
    WarehouseError for a table that is not there, ConfigError where a partition cannot be found among the others' rows."""
    target = asked.config.target_of(asked.table)
    held = warehouse.columns(target)
    if not held:
        raise WarehouseError(
            f"the warehouse has no table {dotted(*target)} yet", remedy=f"load {asked.table.name} first"
        )
    names = [named_column(column, held, asked) for column in asked.columns] if asked.columns is not None else list(held)
    scope = _scope(lake, asked) if asked.units is not None else None
    fields = _fields(lake, asked, names)
    with warehouse.rows(target, scope, fields) as batches:
        first = next(batches, None)
        schema = first.schema if first is not None else fields
        rows = chain([first], batches) if first is not None else batches
        yield pa.RecordBatchReader.from_batches(schema, rows)


def _fields(lake: Lake, asked: TableToRead, names: Sequence[str]) -> pa.Schema:
    """These columns with the lake's types; text where a column is not in the lake any more."""
    known = {field.name.casefold(): field for field in schema_of(lake, live_loads(lake, asked))}
    unknown = pa.field("", pa.string())
    return pa.schema([known.get(name.casefold(), unknown).with_name(name) for name in names])


def _scope(lake: Lake, asked: TableToRead) -> ReplaceScope:
    """The rows of the partitions among those of the others, by the partition column as the lake knows it."""
    table, loads = asked.table, live_loads(lake, asked)
    named = getattr(table, "partition_column", None)
    if named is None:
        raise ConfigError(
            f"{table.name}: its config does not name the column it is partitioned by, so a partition's rows cannot be found in "
            "the warehouse",
            remedy="set partition_column, or read the partitions from the lake",
            table=str(table.name),
        )
    schema = schema_of(lake, loads)
    held = {column.name.casefold(): column for column in loads[-1].columns}
    column = held[named_column(named, dict.fromkeys(schema.names, ""), asked).casefold()]
    ranges = [parse_key(unit) for unit in asked.units or ()]
    return scope_for(_facts_of(column), schema.field(column.name).type, ranges)


_SQL_TYPE = re.compile(r"(\w+)(?:\((\w+)(?:,\s*(\d+))?\))?")


def _facts_of(column: ManifestColumn) -> ColumnFacts:
    """A column as the catalogue described it when it was loaded: `sql_type` is its declaration."""
    match = _SQL_TYPE.match(column.sql_type)
    if match is None:
        raise LakeError(f"column {column.name} has no declared type in the lake", remedy="load the table again")
    first = int(match[2]) if match[2] and match[2].isdigit() else 0
    is_number = match[1] in {"decimal", "numeric"}
    return ColumnFacts(
        name=column.name,
        column_id=column.column_id,
        type_name=match[1],
        max_length=first if match[1] == "binary" else 0,
        precision=first if is_number else 0,
        scale=int(match[3] or 0) if is_number else first,
        collation=column.collation,
        is_nullable=column.nullable,
    )
