"""The rows of a unit as the lake has them, read by DuckDB from its files: for versions the newest of each.

DuckDB does the work, because it spills to disk where anything in Python would hold every key in memory. Arrow reads the pages and
compares their checksums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.digest.segment import HashAlgorithm, SegmentDigest, digest_batches
from dltsync_core.disk_full import is_disk_full
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_stats import read_rows, summarise_relation
from dltsync_core.duckdb.scratch import scratch_database, scratch_disk_full
from dltsync_core.errors import LakeError
from dltsync_core.lake.file_errors import READ_AGAIN
from dltsync_core.lake.file_reader import dataset_of
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn, no_rows
from dltsync_core.typemap.mapping import ColumnMapping

_UNIT = "unit"
_HELD = "dltsync_held"


def summarise_lake(
    loads: Sequence[Sequence[Path]],
    columns: Sequence[StatsColumn],
    version_keys: Sequence[str],
    memory: DuckDbMemory,
) -> ColumnStats:
    """What the rows of a unit come to. `loads` are the files of its live loads, oldest first; with `version_keys` the newest
    load's row of each key counts. Raises LakeError for a damaged page."""
    if not any(loads):
        return no_rows(columns)
    with lake_rows(loads, version_keys, memory) as (connection, relation):
        return summarise_relation(connection, relation, columns, {_UNIT: q.EVERYTHING})[_UNIT]


def fingerprint_lake(
    loads: Sequence[Sequence[Path]],
    columns: Sequence[ColumnMapping],
    version_keys: Sequence[str],
    algorithm: HashAlgorithm,
    memory: DuckDbMemory,
) -> SegmentDigest:
    """The digest of the same rows. Raises LakeError for a damaged page or a missing column."""
    with lake_batches(loads, [column.name for column in columns], version_keys, memory) as batches:
        return digest_batches(batches, columns, algorithm=algorithm)


@contextmanager
def lake_batches(
    loads: Sequence[Sequence[Path]], names: Sequence[str], version_keys: Sequence[str], memory: DuckDbMemory
) -> Iterator[Iterator[pa.RecordBatch]]:
    """The same rows, these columns of them, while the block lasts. Raises LakeError as `fingerprint_lake` does."""
    if not any(loads):
        yield iter(())
        return
    with lake_rows(loads, version_keys, memory) as (connection, relation):
        yield read_rows(connection, relation, names, q.EVERYTHING)


@contextmanager
def held_rows(
    loads: Sequence[Sequence[Path]], keys: Sequence[str], held: Iterator[pa.RecordBatch], memory: DuckDbMemory
) -> Iterator[tuple[DuckDBPyConnection, str] | None]:
    """A connection and a relation in it: those rows of another place, read once, whose key the lake has. None: there are none."""
    first = next(held, None)
    if first is None or not any(loads):
        yield None
        return
    with lake_rows(loads, (), memory) as (connection, relation):
        # Pushed down into Arrow, a condition that the join makes of TIMESTAMP_NS finds no row at all.
        connection.execute(q.set_to("disabled_optimizers", "join_filter_pushdown"))
        connection.register(_HELD, pa.RecordBatchReader.from_batches(first.schema, chain([first], held)))
        yield connection, q.with_keys_of(_HELD, relation, keys)


@contextmanager
def lake_rows(
    loads: Sequence[Sequence[Path]], version_keys: Sequence[str], memory: DuckDbMemory
) -> Iterator[tuple[DuckDBPyConnection, str]]:
    """A connection, and the relation of the rows in it."""
    with scratch_database(memory) as connection:
        connection.execute(q.set_to("TimeZone", "UTC"))
        relations = list[str]()
        for number, files in enumerate(load for load in loads if load):
            relations.append(f"dltsync_load_{number}")
            connection.register(relations[-1], dataset_of(files))
        try:
            yield connection, q.newest(relations, version_keys) if version_keys else relations[-1]
        except (duckdb.Error, OSError) as error:
            if is_disk_full(error):
                raise scratch_disk_full(error, "rows of the lake were read") from error
            raise LakeError(f"{loads[-1][0].parent} cannot be read: {error}", remedy=READ_AGAIN) from error
