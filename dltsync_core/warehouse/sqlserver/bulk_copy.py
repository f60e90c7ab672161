"""Rows of the lake's files into a staging table, streaming, in the types that the table's columns have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.catalog.targets import CLUSTERED_COLUMNSTORE, TargetFacts
from dltsync_core.connect.control import ControlSession
from dltsync_core.connect.data import DataSession
from dltsync_core.display import number_of
from dltsync_core.errors import WarehouseError
from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import table
from dltsync_core.typemap.declared_type import shown_type
from dltsync_core.typemap.uuids import is_uuid, texts_of
from dltsync_core.warehouse.sqlserver.columns import TEXT_ON_THE_WAY, bulk_type, is_converted
from dltsync_core.warehouse.sqlserver.evolution import loaded_columns
from dltsync_core.warehouse.sqlserver.fast_insert import FastColumn, fast_column, insert_batches

ROWS_PER_READ = 65_536
ROWS_PER_BATCH = 250_000
"""Rows that are committed together into a rowstore table: enough that the cost of a batch does not show, few enough for the
log."""
ROWS_PER_ROW_GROUP = 1_048_576
"""Rows of a full row group: a batch of that size is compressed at once, without passing through the delta store."""


def copy_file(
    session: DataSession | ControlSession, path: Path, target: TargetFacts, staging: TableName, schema: pa.Schema
) -> int:
    """The rows of one file into `staging`, which has the target's columns or those of `staging.text_table`: how many. By a bulk
    copy over a data session, by `fast_executemany` over a control session. Raises WarehouseError for a NULL in a column that
    stays NOT NULL, and when the server took fewer than the file has."""
    goes_to = loaded_columns(target.table, schema)
    filled = [field.name for field in schema if not goes_to[field.name].is_nullable]
    sent = pa.schema([_sent(field, shown_type(goes_to[field.name])) for field in schema])
    storage = target.storage
    columnstore = storage is not None and storage.kind == CLUSTERED_COLUMNSTORE
    with pq.ParquetFile(path) as file:
        rows = file.metadata.num_rows
        if not rows:
            return 0
        if isinstance(session, ControlSession):
            columns = [_fast(field, goes_to[field.name]) for field in schema]
            return insert_batches(session, staging, columns, _batches(file, sent, filled, target.name))
        copied = session.bulk_copy(
            table(staging).render().text,
            _batches(file, sent, filled, target.name),
            [goes_to[field.name].name for field in schema],
            f"copying rows into {staging}",
            rows_per_batch=ROWS_PER_ROW_GROUP if columnstore else ROWS_PER_BATCH,
            table_lock=not columnstore,  # it would serialise loads into a columnstore index, and minimal logging does not need it
        )
    if copied != rows:
        raise WarehouseError(
            f"{path.name} has {number_of(rows, 'row')}, {copied:,} went into {staging}",
            remedy="nothing was published; run again, and check the server's error log when it stays so",
        )
    return copied


def _fast(field: pa.Field[Any], column: ColumnFacts) -> FastColumn:
    declared = shown_type(column)
    return fast_column(column.name, TEXT_ON_THE_WAY if is_converted(field, declared) else declared)


def _sent(field: pa.Field[Any], declared: str) -> pa.Field[Any]:
    kind = field.type if is_converted(field, declared) else bulk_type(field, declared)
    return pa.field(field.name, kind, nullable=True)


def _batches(
    file: pq.ParquetFile, sent: pa.Schema, filled: Sequence[str], target: TableName
) -> Iterator[pa.RecordBatch]:
    """`filled` are the columns that admit no NULL in the target."""
    for batch in file.iter_batches(batch_size=ROWS_PER_READ):
        for name in filled:
            if batch.column(name).null_count:
                raise _null_in(target, name)
        yield pa.RecordBatch.from_arrays(
            [_as_sent(batch.column(field.name)).cast(field.type, safe=True) for field in sent], schema=sent
        )


def _null_in(target: TableName, column: str) -> WarehouseError:
    return WarehouseError(
        f"{target}: column {column} admits no NULL in the warehouse, and the load has one. Nothing was published",
        remedy="an IDENTITY column and a primary key admit none: correct the row in the source, or choose another target_table",
        table=str(target),
        column=column,
    )


def _as_sent(values: pa.Array[Any]) -> Any:
    return texts_of(values) if is_uuid(values.type) else values
