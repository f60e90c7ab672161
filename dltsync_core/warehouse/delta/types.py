"""The types in which a Delta table holds the lake's columns, and the conversion of a load's rows into them.

Delta has neither a time of day nor a UUID: both become text, which sorts and compares as the values do. Whole numbers,
decimals of at most 38 digits, dates, bytes and texts are held exactly; dates and times count microseconds. Inside this
package types have DuckDB's names (`duckdb.column_types`), so that one set of rules says what a table can be changed to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.errors import FidelityError
from dltsync_core.identity import Target, dotted
from dltsync_core.typemap.uuids import is_uuid, texts_of
from dltsync_core.warehouse.dlt.types import landed_type
from dltsync_core.warehouse.duckdb.evolution import WarehouseColumn

_DUCKDB_NAMES = {
    "boolean": "BOOLEAN",
    "byte": "TINYINT",
    "short": "SMALLINT",
    "integer": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
    "string": "VARCHAR",
    "binary": "BLOB",
}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")


def delta_type(arrow_type: pa.DataType) -> pa.DataType:
    """The Arrow type of the column in a Delta table."""
    landed = landed_type(arrow_type)
    kinds = pa.types
    if kinds.is_time(landed) or kinds.is_large_string(landed):
        return pa.string()
    return pa.binary() if kinds.is_large_binary(landed) else landed


def delta_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of a table that a load makes. Every column admits NULL."""
    return pa.schema([pa.field(field.name, delta_type(field.type)) for field in schema])


def compared_type(arrow_type: pa.DataType) -> pa.DataType:
    """The type in which values of a column are compared with a partition's boundaries: a time of day is read as one."""
    return arrow_type if pa.types.is_time(arrow_type) else delta_type(arrow_type)


def warehouse_column(name: str, delta_name: str, *, nullable: bool) -> WarehouseColumn:
    """A column from Delta's name of its type. A type that no load makes keeps that name."""
    decimal = _DECIMAL.fullmatch(delta_name)
    if decimal:
        return WarehouseColumn(name, f"DECIMAL({decimal[1]},{decimal[2]})", nullable)
    return WarehouseColumn(name, _DUCKDB_NAMES.get(delta_name, delta_name), nullable)


def converted(target: Target, files: Sequence[Path], schema: pa.Schema) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of each file that has some, in the columns of the table's `schema` and a row group at a time. Columns the
    file lacks are left out. Raises FidelityError for a value that the column's type does not hold."""
    for path in files:
        if pq.read_metadata(path).num_rows:
            yield _batches(target, path, schema)


def written_schema(held: pa.Schema, load: pa.Schema) -> pa.Schema:
    """The columns of a table that the files of a load have, with the table's names and types."""
    names = {name.casefold() for name in load.names}
    return pa.schema([field for field in held if field.name.casefold() in names])


def _batches(target: Target, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, pre_buffer=False) as parquet:
        places = {name.casefold(): place for place, name in enumerate(parquet.schema_arrow.names)}
        for number in range(parquet.num_row_groups):
            rows = max(parquet.metadata.row_group(number).num_rows, 1)
            for batch in parquet.iter_batches(rows, row_groups=[number]):
                try:
                    arrays = [_converted(batch.column(places[field.name.casefold()]), field.type) for field in schema]
                except pa.ArrowInvalid as error:
                    raise _does_not_fit(target, error) from error
                yield pa.record_batch(arrays, schema=schema)


def _converted(values: pa.Array[Any], wanted: pa.DataType) -> Any:
    given = texts_of(values) if is_uuid(values.type) else values
    return given if given.type.equals(wanted) else given.cast(wanted, safe=True)


def _does_not_fit(target: Target, error: Exception) -> FidelityError:
    return FidelityError(
        f"{dotted(*target)}: a value of the load does not fit its column in the warehouse: {error}. Nothing was written",
        remedy="set column_representation of the column to `text`, or exclude it",
        table=dotted(*target),
    )
