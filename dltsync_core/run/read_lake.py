"""The rows of a synced table in the lake as Arrow: the whole table or single partitions, whole loads only.

A load that is being made is never seen: the lake is read by its manifests. The source is not asked, so a table can be read while
the server is down.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from dltsync_core.config import PipelineConfig, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.duckdb import sql as q
from dltsync_core.errors import ConfigError, LakeError
from dltsync_core.identity import TableName
from dltsync_core.lake.file_errors import READ_AGAIN
from dltsync_core.lake.file_reader import CHECKED_PAGES
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.manifest import Manifest
from dltsync_core.ranges import in_boundary_order
from dltsync_core.validate.lake_rows import lake_batches

Place = Literal["lake", "warehouse"]
ReadFrom = Literal["auto", "lake", "warehouse"]
"""`auto`: the lake where its files are the table, the warehouse for scd tables and upserts, which only the warehouse merges."""

ROWS_PER_BATCH = 65_536


@dataclass(frozen=True)
class TableToRead:
    """A table, spelt as in the lake. `units` are partition keys; None is the whole table. `columns` None is all of them."""

    config: PipelineConfig
    table: TableConfig
    name: TableName
    units: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None


def place_of(table: TableConfig, read_from: ReadFrom) -> Place:
    """Where a table is read."""
    if read_from != "auto":
        return read_from
    merged = isinstance(table, SCDTableConfig) or (
        isinstance(table, StaticTableConfig) and table.load_strategy == "upsert"
    )
    return "warehouse" if merged else "lake"


@contextmanager
def lake_reader(lake: Lake, asked: TableToRead) -> Iterator[pa.RecordBatchReader]:
    """The rows in the lake while the block lasts, partitions in boundary order. The SHA-256 of every file is compared
    with its manifest.

    A partition that is loaded again meanwhile is read from one load, the old or the new. Columns have the widest type that a load
    has; a column that an older load lacks is NULL there. Raises LakeError for what was never loaded, and ConfigError for an scd
    table whose config does not name its business keys.
    """
    keys = _version_keys(asked)
    loads, schema = _loads(lake, asked)
    with ExitStack() as stack:
        if keys:
            files = [stack.enter_context(lake.files(manifest)) for manifest in loads]
            batches = stack.enter_context(
                lake_batches(files, schema.names, keys, asked.config.processing.memory.scratch)
            )
        else:
            batches = _batches(lake, asked.name, loads, schema.names)
        yield pa.RecordBatchReader.from_batches(schema, _fitted(batches, schema, asked))


def lake_relation(lake: Lake, asked: TableToRead) -> DuckDBPyRelation:
    """The same rows as a relation of a DuckDB of its own, read from the files when the relation is used, as often as it
    is. Of tables whose files are the table. A load that replaces the files makes a relation on a disk unusable: DuckDB
    then names the missing file."""
    loads, schema = _loads(lake, asked)
    stack = ExitStack()
    try:
        files = [str(path) for manifest in loads for path in stack.enter_context(lake.files(manifest))]
        connection = _connection()
        weakref.finalize(connection, stack.close)
        return connection.from_arrow(ds.dataset(files, schema=schema, format=CHECKED_PAGES))
    except BaseException:
        stack.close()
        raise


def relation_of(rows: pa.RecordBatchReader) -> DuckDBPyRelation:
    """Rows that were read, as a relation of a DuckDB of its own. They are held in memory."""
    return _connection().from_arrow(rows.read_all())


def live_loads(lake: Lake, asked: TableToRead) -> list[Manifest]:
    """The live loads of what is asked for, in boundary order; within a unit oldest first. Raises LakeError for what was never
    loaded."""
    current = lake.current(asked.name)
    if not current:
        raise LakeError(f"the lake holds no load of {asked.table.name}", remedy="load it first")
    missing = [unit for unit in asked.units or () if unit not in current]
    if missing:
        raise LakeError(
            f"{asked.table.name}: the lake holds no load of partition {missing[0]}"
            f"{f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''}",
            remedy="load it first; after a SPLIT or MERGE ask for the new partitions",
            table=str(asked.table.name),
        )
    units = list(current) if asked.units is None else list(dict.fromkeys(asked.units))
    ordered = in_boundary_order(units) if asked.table.kind == "partition" else units
    return [manifest for unit in ordered for manifest in current[unit]]


def _loads(lake: Lake, asked: TableToRead) -> tuple[list[Manifest], pa.Schema]:
    """The loads and their columns. Loads that were replaced between the two looks are looked up again."""
    loads = live_loads(lake, asked)
    while True:
        try:
            return loads, _chosen(schema_of(lake, loads), asked)
        except LakeError:
            before, loads = loads, live_loads(lake, asked)
            if loads == before:
                raise


def _connection() -> DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute(q.set_to("TimeZone", "UTC"))
    # Pushed down into Arrow, a condition that a join makes of TIMESTAMP_NS finds no row at all.
    connection.execute(q.set_to("disabled_optimizers", "join_filter_pushdown"))
    return connection


def _fitted(batches: Iterator[pa.RecordBatch], schema: pa.Schema, asked: TableToRead) -> Iterator[pa.RecordBatch]:
    """The batches with these columns, in this order: narrower types widened, columns that one lacks NULL."""
    for batch in batches:
        present = set(batch.schema.names)
        try:
            arrays = [
                batch.column(field.name).cast(field.type) if field.name in present else pa.nulls(len(batch), field.type)
                for field in schema
            ]
        except pa.ArrowInvalid as error:
            raise LakeError(
                f"{asked.table.name} was loaded again with other types while it was read: {error}",
                remedy="read it again",
            ) from error
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _batches(lake: Lake, name: TableName, loads: Sequence[Manifest], columns: list[str]) -> Iterator[pa.RecordBatch]:
    for manifest in loads:
        with ExitStack() as stack:
            for file in _opened(lake, name, manifest, stack):
                held = set(file.schema_arrow.names)
                try:
                    yield from file.iter_batches(
                        ROWS_PER_BATCH, columns=[column for column in columns if column in held]
                    )
                except (OSError, pa.ArrowInvalid) as error:
                    raise LakeError(f"{name} {manifest.unit} has a damaged file: {error}", remedy=READ_AGAIN) from error


def _opened(lake: Lake, name: TableName, manifest: Manifest, stack: ExitStack) -> list[pq.ParquetFile]:
    """The files of a load, open: they stay readable when another load replaces them. When it did so before they were
    open, the files of that load."""
    try:
        return _open(lake, manifest, stack)
    except LakeError:
        now = lake.current_of(name, manifest.unit)
        if len(now) != 1 or now[0].load_id == manifest.load_id:
            raise
        return _open(lake, now[0], stack)


def _open(lake: Lake, manifest: Manifest, stack: ExitStack) -> list[pq.ParquetFile]:
    paths = stack.enter_context(lake.files(manifest))
    try:
        return [stack.enter_context(pq.ParquetFile(path, page_checksum_verification=True)) for path in paths]
    except (OSError, pa.ArrowInvalid) as error:
        raise LakeError(f"{manifest.table} {manifest.unit} cannot be opened: {error}", remedy=READ_AGAIN) from error


def schema_of(lake: Lake, loads: Sequence[Manifest]) -> pa.Schema:
    """The columns of all loads, in the newest load's order, each with its widest type. Of loads with equal columns one file is
    asked."""
    by_columns = {manifest.columns: manifest for manifest in sorted(loads, key=lambda load: load.order)}
    schemas = [lake.schema(manifest) for manifest in reversed(by_columns.values())]
    widest: dict[str, pa.Field[Any]] = {}
    for schema in schemas:
        for field in schema:
            widest[field.name] = _wider(widest.get(field.name), field.remove_metadata())
    in_all = [name for name in widest if all(name in schema.names for schema in schemas)]
    return pa.schema([field if field.name in in_all else field.with_nullable(True) for field in widest.values()])


def _wider(one: pa.Field[Any] | None, other: pa.Field[Any]) -> pa.Field[Any]:
    if one is None or one.equals(other):
        return other
    if pa.types.is_date(one.type) and pa.types.is_timestamp(other.type):
        return other.with_nullable(one.nullable or other.nullable)
    if pa.types.is_date(other.type) and pa.types.is_timestamp(one.type):
        return one.with_nullable(one.nullable or other.nullable)
    try:
        (field,) = pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise LakeError(
            f"column {one.name} is {other.type} in some loads and {one.type} in newer ones, which no type holds",
            remedy="load the table again with --full-refresh, or read it from the warehouse",
        ) from error
    return field


def _chosen(schema: pa.Schema, asked: TableToRead) -> pa.Schema:
    if asked.columns is None:
        return schema
    held = dict.fromkeys(schema.names, "")
    return pa.schema([schema.field(named_column(column, held, asked)) for column in asked.columns])


def named_column(column: str, held: dict[str, str], asked: TableToRead) -> str:
    found = next((name for name in held if name.casefold() == column.casefold()), None)
    if found is None:
        raise ConfigError(
            f"{asked.table.name} has no column {column!r}", remedy=f"its columns: {', '.join(held)}", column=column
        )
    return found


def _version_keys(asked: TableToRead) -> tuple[str, ...]:
    table = asked.table
    if not isinstance(table, SCDTableConfig):
        return ()
    if table.business_key_columns is None:
        raise ConfigError(
            f"{table.name} is an scd table: which of its change files holds the newest row of a version is told by its keys, "
            "which the config does not name",
            remedy="set business_key_columns, or read the table from the warehouse",
            table=str(table.name),
        )
    return (*table.business_key_columns, table.effective_date_column)
