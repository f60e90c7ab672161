"""The history of one DuckDB table: shown to a decision, and changed as decided, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection, sqltypes

from dltsync_core.duckdb import sql as q
from dltsync_core.errors import FidelityError, WarehouseError
from dltsync_core.history.repair import RepairPlan, VersionChange, notes_on_history
from dltsync_core.history.versions import Version, moment_text
from dltsync_core.identity import dotted
from dltsync_core.warehouse.duckdb.database_file import one_transaction
from dltsync_core.warehouse.duckdb.version_datetimes import TextForm
from dltsync_core.warehouse.duckdb.version_keys import likening
from dltsync_core.warehouse.duckdb.version_sql import VersionTable

_LONGEST_STEP = 86_400_000_000_000
"""Ends that lie before the next start by a day or less, again and again, are a way of writing, no gap."""

_REMEMBERED = 50_000
"""Spellings whose likeness is kept: a key has several versions, and they mostly lie together."""


def revise(
    connection: DuckDBPyConnection,
    table: VersionTable,
    decide: Callable[[Sequence[Version]], RepairPlan],
    *,
    apply: bool,
) -> RepairPlan:
    """Show the suspects to `decide`, change what it plans when `apply`. Raises FidelityError, and WarehouseError for text that is
    no moment; then nothing is changed."""
    with _likened(connection, _with_text_form(connection, table)) as likened, one_transaction(connection):
        marker = _open_marker(connection, likened)
        step = _inclusive_step(connection, likened)
        rows = connection.execute(likened.suspects(step)).fetchall()
        plan = replace(decide([_version(row, step) for row in rows]), notes=_notes(connection, likened, marker, step))
        if apply and plan.changes:
            _write(connection, likened, plan.changes, marker, step)
    return plan


def _with_text_form(connection: DuckDBPyConnection, table: VersionTable) -> VersionTable:
    """The table, told how it writes ends that are text: as those that are there, else as the starts."""
    for column in table.text_columns:
        found = connection.execute(table.text_form(column)).fetchone() or (None, 0, 0, False, False)
        strange, texts, digits, with_t, with_offset = found
        if strange is not None:
            raise WarehouseError(
                f"{dotted(*table.target)}: {column} holds {strange!r}, which is no date and time as the server writes them",
                remedy="name columns of dates and times in effective_date_column and end_date_column",
            )
        if texts:
            table = replace(table, to_text=TextForm(int(digits), bool(with_t), bool(with_offset)))
    return table


def _version(row: Sequence[Any], step: int) -> Version:
    handle, start, end, latest, *parts = row
    width = len(parts) // 3
    key, entity, like = (tuple(parts[at : at + width]) for at in range(0, len(parts), width))
    return Version(int(handle), key, int(start), None if end is None else int(end), bool(latest), entity, like, step)


@contextmanager
def _likened(connection: DuckDBPyConnection, table: VersionTable) -> Iterator[VersionTable]:
    """The table, told of which keys all spellings are likened by SQL; for the block DuckDB asks `Spelling` about the others."""
    folded = table.keys.folded
    answers = (connection.execute(table.are_plain_keys()).fetchone() or ()) if folded else ()
    plain = frozenset(number for (number, _), is_plain in zip(folded, answers, strict=True) if is_plain)
    asked = {likening(number): spelling for number, spelling in folded if number not in plain}
    with ExitStack() as functions:
        for name, spelling in asked.items():
            like = lru_cache(maxsize=_REMEMBERED)(spelling.like)
            connection.create_function(name, like, [sqltypes.VARCHAR], sqltypes.VARCHAR)
            functions.callback(connection.remove_function, name)
        yield replace(table, plain_keys=plain)


def _open_marker(connection: DuckDBPyConnection, table: VersionTable) -> str | None:
    """What the table writes as the end of an open version: None for NULL, else text. A table without one writes NULL."""
    found = connection.execute(table.open_markers()).fetchone()
    return None if found is None or found[0] else str(found[1])


def _inclusive_step(connection: DuckDBPyConnection, table: VersionTable) -> int:
    """How much is missing between an end and the following start where ends belong to their version; 0 where they do not.

    The same small difference for more than half of all neighbours is a convention. Fewer are gaps.
    """
    found = connection.execute(table.steps()).fetchone()
    total = connection.execute(table.pairs()).fetchone()
    if found is None or total is None or not 0 < found[0] <= _LONGEST_STEP:
        return 0
    return int(found[0]) if found[1] * 2 > total[0] else 0


def _notes(connection: DuckDBPyConnection, table: VersionTable, marker: str | None, step: int) -> tuple[str, ...]:
    skipped = connection.execute(table.without_start()).fetchone() or (0,)
    return notes_on_history(table.columns.effective_date, table.columns.end_date, marker, step, int(skipped[0]))


def _write(
    connection: DuckDBPyConnection,
    table: VersionTable,
    changes: Sequence[VersionChange],
    marker: str | None,
    step: int,
) -> None:
    ends = [_written_end(table, change.after, step) for change in changes]
    wanted = pa.table(
        {
            "handle": pa.array([change.after.row for change in changes], pa.int64()),
            "ends": pa.array(ends, pa.decimal128(38, 0)),
            "latest": pa.array([change.after.is_latest for change in changes], pa.bool_()),
        }
    )
    literal = "NULL" if marker is None else q.typed(marker, table.to_type)
    connection.register("dltsync_version_changes", wanted)
    try:
        connection.execute(table.change("dltsync_version_changes", literal))
    finally:
        connection.unregister("dltsync_version_changes")


def _written_end(table: VersionTable, version: Version, step: int) -> int | None:
    """The end as the table writes it. Raises FidelityError when its column cannot express it."""
    if version.valid_to is None:
        return None
    end = version.valid_to - step
    if end % table.nanos_per_step:
        raise FidelityError(
            f"{dotted(*table.target)}: the version of {moment_text(version.valid_from)} (key "
            f"{', '.join(str(part) for part in version.key)}) would have to end at {moment_text(end)}, which "
            f"{table.columns.end_date} ({table.to_type}) cannot express",
            remedy="nothing was changed; keep the end date as finely as the effective date (column_representation)",
        )
    return end
