"""The key check of a load, asked of its files before anything of it is visible: rows are merged by these columns, so each key
must be there once, and no part of it may be NULL.

A NULL never equals another, so a row with one would be added again by every load. Two rows with one key would become one, and
which of them is chance. Keys are compared value by value, as the merge compares them. Whether two texts that differ are one key
by the source's collation is a question about histories (`history.collation`), not about the merge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.disk_full import is_disk_full
from dltsync_core.display import number_of
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_stats import arrow_reader
from dltsync_core.duckdb.scratch import scratch_database, scratch_disk_full
from dltsync_core.errors import LakeError, SyncError, ValidationFailed
from dltsync_core.extract.row_labels import shown
from dltsync_core.lake.file_reader import dataset_of

NAMED_ROWS = 5
"""How many rows of each fault an error names: enough to see what they have in common."""

_LONGEST_VALUE = 80
"""Characters of a value that an error shows: a key may be a text of any length."""

_LOAD = "dltsync_load"


@dataclass(frozen=True)
class MergeKey:
    """The columns by which rows of a source table are merged. `setting` is the field of the table's config that names them,
    `named_by` are columns that name a row to a person when its key does not."""

    table: str
    columns: tuple[str, ...]
    setting: str
    named_by: tuple[str, ...] = ()


def check_keys(key: MergeKey, unit: str, files: Sequence[Path], memory: DuckDbMemory) -> None:
    """Raises ValidationFailed when a key repeats within these files or a part of one is NULL, with the first such rows; LakeError
    when a file cannot be read, DiskFull when there is no room to spill.

    DuckDB counts: it spills to disk where a Python set would hold every key in memory. The files are read once when all is well.
    """
    with _relation(files, memory) as connection:
        found = connection.execute(q.count_keys(_LOAD, key.columns)).fetchone() or (0, 0, 0, 0)
        rows, whole, different, repeated = (int(count) for count in found)
        faults, remedies = list[str](), list[str]()
        if rows > whole:
            faults.append(_incomplete(connection, key, rows - whole))
            remedies.append(
                f"give these rows a key at the source, or name columns that are never NULL in {key.setting}"
            )
        if repeated:
            faults.append(_repeated(connection, key, whole - different, repeated))
            remedies.append(
                f"remove the rows that repeat a key at the source, or name the columns that identify a row in {key.setting}"
            )
    if faults:
        raise ValidationFailed(
            f"{key.table} {unit}: {'; '.join(faults)}",
            remedy=f"{'; '.join(remedies)}. Nothing was published or loaded; the next run reads these rows again",
            table=key.table,
            unit=unit,
            key=key.columns,
        )


def _incomplete(connection: DuckDBPyConnection, key: MergeKey, count: int) -> str:
    columns = tuple(dict.fromkeys((*key.named_by, *key.columns)))
    condition = q.any_of([q.is_null(column) for column in key.columns])
    found = arrow_reader(connection.sql(q.first_rows(_LOAD, columns, condition, NAMED_ROWS)), NAMED_ROWS).read_all()
    rows = [_named(columns, found, row) for row in range(found.num_rows)]
    said = f"{count:,} row{'s have' if count != 1 else ' has'} NULL in the key ({', '.join(key.columns)})"
    return f"{said}: {_listed(rows, count)}"


def _repeated(connection: DuckDBPyConnection, key: MergeKey, surplus: int, keys: int) -> str:
    found = arrow_reader(connection.sql(q.repeated_keys(_LOAD, key.columns, NAMED_ROWS)), NAMED_ROWS).read_all()
    times = found.column(len(key.columns)).to_pylist()
    rows = [f"{_named(key.columns, found, row)} ({number_of(times[row] or 0, 'row')})" for row in range(found.num_rows)]
    said = (
        f"{surplus:,} row{'s repeat' if surplus != 1 else ' repeats'} the key ({', '.join(key.columns)}) of another row"
    )
    return f"{said}: {_listed(rows, keys)}"


def _named(columns: Sequence[str], found: pa.Table, row: int) -> str:
    return ", ".join(f"{column} = {_value(found, position, row)}" for position, column in enumerate(columns))


def _value(found: pa.Table, position: int, row: int) -> str:
    values = found.column(position).combine_chunks()
    if not values[row].is_valid:
        return "NULL"
    text = shown(values, row)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _listed(rows: Sequence[str], of: int) -> str:
    return "; ".join(rows) + (f"; and {of - len(rows):,} more" if of > len(rows) else "")


@contextmanager
def _relation(files: Sequence[Path], memory: DuckDbMemory) -> Iterator[DuckDBPyConnection]:
    try:
        with scratch_database(memory) as connection:
            connection.execute(q.set_to("TimeZone", "UTC"))
            connection.register(_LOAD, dataset_of(files))
            yield connection
    except (duckdb.Error, OSError) as error:
        raise _explained(error, files) from error


def _explained(error: Exception, files: Sequence[Path]) -> SyncError:
    if is_disk_full(error):
        return scratch_disk_full(error, "keys were counted", outcome="nothing was published")
    return LakeError(
        f"{files[0].parent} cannot be read while keys are counted: {error}", remedy="check the disk and run again"
    )
