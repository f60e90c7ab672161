"""A warehouse that keeps rows on purpose (static tables merged by key): which of its rows does the source have?

The lake tells: its live load is the whole table as it was read, and is itself held against the source. So the warehouse's rows
whose key is in the lake are those to compare, and every other one is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pyarrow as pa
from duckdb import DuckDBPyConnection

from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_stats import read_rows, summarise_relation
from dltsync_core.lake.manifest import Manifest
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn, no_rows
from dltsync_core.validate.lake_rows import held_rows


@contextmanager
def rows_without_retained(
    context: RunContext, resolved: ResolvedTable, loads: Sequence[Manifest], names: Sequence[str]
) -> Iterator[Iterator[pa.RecordBatch]]:
    """The warehouse's rows that are not kept, these columns of them, while the block lasts."""
    with _relation(context, resolved, loads, names) as found:
        yield iter(()) if found is None else read_rows(*found, names, q.EVERYTHING)


def summary_without_retained(
    context: RunContext, resolved: ResolvedTable, loads: Sequence[Manifest], columns: Sequence[StatsColumn]
) -> ColumnStats:
    """What these rows come to. The warehouse has all of the `columns`."""
    with _relation(context, resolved, loads, [column.name for column in columns]) as found:
        if found is None:
            return no_rows(columns)
        return summarise_relation(*found, columns, {"unit": q.EVERYTHING})["unit"]


@contextmanager
def _relation(
    context: RunContext, resolved: ResolvedTable, loads: Sequence[Manifest], names: Sequence[str]
) -> Iterator[tuple[DuckDBPyConnection, str] | None]:
    wanted = list(dict.fromkeys([*resolved.keys, *names]))
    with ExitStack() as stack:
        files = [stack.enter_context(context.lake.files(manifest)) for manifest in loads]
        held = stack.enter_context(context.warehouse.rows(resolved.target, None, resolved.fields_of(wanted)))
        yield stack.enter_context(held_rows(files, resolved.keys, held, context.config.processing.memory.scratch))
