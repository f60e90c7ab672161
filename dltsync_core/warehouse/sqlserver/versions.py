"""The history of a SQL Server table: shown to a decision, and changed as decided in one transaction."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.catalog.targets import TargetFacts
from dltsync_core.connect.connection_string import catalog_lock_timeout_ms
from dltsync_core.errors import FidelityError, WarehouseError
from dltsync_core.history.repair import RepairPlan, VersionChange, notes_on_history
from dltsync_core.history.versions import Version, VersionColumns, moment_text
from dltsync_core.identity import Target, dotted
from dltsync_core.tsql.fragments import join
from dltsync_core.tsql.warehouse import publish as sections
from dltsync_core.tsql.warehouse import tables, versions
from dltsync_core.tsql.warehouse.locks import take_transaction_lock
from dltsync_core.tsql.warehouse.versions import ChangedVersion, HistoryTable
from dltsync_core.typemap.declared_type import shown_type
from dltsync_core.warehouse.sqlserver.publish import Publisher
from dltsync_core.warehouse.sqlserver.staging import StagingNames, lock_resource, target_digest
from dltsync_core.warehouse.sqlserver.store import Store

_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?)?(?: ?([+-])(\d\d):(\d\d))?"
)
_SECOND = 10**9
_DAY = 86_400 * _SECOND
_EPOCH = date(1970, 1, 1).toordinal()
_LONGEST_STEP = _DAY
"""Ends that lie before the next start by a day or less, again and again, are a way of writing, no gap."""
_ROWS_PER_INSERT = 500
_FLAGS = frozenset({"bit", "tinyint", "smallint", "int", "bigint"})
_GRID = frozenset({0, 3, 7})
"""Last digits of the milliseconds that datetime holds."""


def revise(
    store: Store,
    target: Target,
    found: TargetFacts,
    columns: VersionColumns,
    decide: Callable[[Sequence[Version]], RepairPlan],
    *,
    apply: bool,
) -> RepairPlan:
    """Show the suspects to `decide`, change what it plans when `apply`. The caller holds the lock of the target. Raises
    FidelityError for an end that its column cannot express, WarehouseError for columns that are no history, and for a history
    that another writer changes meanwhile; then nothing is changed."""
    history = history_table(found, target, columns)
    marker = next((row["marker"] for row in store.sessions.query(versions.open_marker(history), "reading ends")), None)
    step = _inclusive_step(store, history)
    rows = store.sessions.query(versions.suspects(history, step), "reading the history")
    shown = [_version(number, row, len(history.keys), step) for number, row in enumerate(rows)]
    skipped = store.count(versions.without_start(history))
    notes = notes_on_history(history.start.name, history.end.name, marker, step, skipped)
    plan = replace(decide(shown), notes=notes)
    if apply and plan.changes:
        changes = [_changed(history, rows[change.before.row], change, marker, step) for change in plan.changes]
        _write(store, target, history, changes)
    return plan


def history_table(found: TargetFacts, target: Target, columns: VersionColumns) -> HistoryTable:
    """The table's history columns. Raises WarehouseError for one that is missing, or of a type in which there is no history."""
    start, end, flag = (
        _column(found, target, name) for name in (columns.effective_date, columns.end_date, columns.is_latest)
    )
    for column in (start, end):
        if column.type_name not in {"date", "datetime", "smalldatetime", "datetime2", "datetimeoffset"}:
            raise WarehouseError(
                f"{dotted(*target)}: {column.name} is {shown_type(column)} in the warehouse; a history is checked by dates and "
                "times",
                remedy="name columns of dates and times in effective_date_column and end_date_column",
            )
    if flag.type_name not in _FLAGS:
        raise WarehouseError(
            f"{dotted(*target)}: {flag.name} is {shown_type(flag)} in the warehouse; a bit or an integer is expected",
            remedy="name the column that marks the latest version in is_latest_column",
        )
    keys = tuple(_column(found, target, name) for name in columns.business_keys)
    return HistoryTable(found.name, keys, start, end, flag)


def nanoseconds(text: str) -> int:
    """The server's text of a date and time, as nanoseconds since 1970, UTC. Raises ValueError for other text."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a date and time as the server writes them")
    year, month, day, hours, minutes, seconds, fraction, sign, zone_hours, zone_minutes = match.groups()
    days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    if sign is not None:
        whole -= (int(zone_hours) * 60 + int(zone_minutes)) * 60 * (-1 if sign == "-" else 1)
    return days * _DAY + whole * _SECOND + int((fraction or "").ljust(9, "0"))


def text_of(moment: int, column: ColumnFacts) -> str | None:
    """A moment as the server reads it into a column; None when the column cannot express it."""
    days, rest = divmod(moment, _DAY)
    seconds, fraction = divmod(rest, _SECOND)
    day = date.fromordinal(days + _EPOCH).isoformat()
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    kind = column.type_name
    if kind == "date":
        return day if not rest else None
    if kind == "smalldatetime":
        return f"{day}T{clock}" if not fraction and not seconds % 60 else None
    if kind == "datetime":
        millis, fine = divmod(fraction, 1_000_000)
        return f"{day}T{clock}.{millis:03d}" if not fine and millis % 10 in _GRID else None
    if fraction % 10 ** (9 - column.scale):
        return None
    digits = f".{fraction:09d}"[: column.scale + 1] if column.scale else ""
    return f"{day} {clock}{digits}{' +00:00' if kind == 'datetimeoffset' else ''}"


def _column(found: TargetFacts, target: Target, name: str) -> ColumnFacts:
    column = found.table.column(name)
    if column is None:
        raise WarehouseError(
            f"the warehouse table {dotted(*target)} has no column {name!r}",
            remedy="check the column names of the scd table in the config",
        )
    return column


def _inclusive_step(store: Store, history: HistoryTable) -> int:
    """How much is missing between an end and the following start where ends belong to their version; 0 where they do not. The
    same small difference for more than half of all neighbours is a convention. Fewer are gaps."""
    rows = store.sessions.query(versions.steps(history), "reading ends")
    if not rows or rows[0]["nanoseconds"] is None:
        return 0
    step = int(rows[0]["nanoseconds"])
    return step if 0 < step <= _LONGEST_STEP and int(rows[0]["times"]) * 2 > int(rows[0]["pairs"]) else 0


def _version(number: int, row: Mapping[str, Any], keys: int, step: int) -> Version:
    entity = (str(row["entity"]),)
    end = row["valid_to"]
    return Version(
        row=number,
        key=tuple(row[f"k{n}"] for n in range(keys)),
        valid_from=nanoseconds(row["valid_from"]),
        valid_to=None if end is None else nanoseconds(end) + step,
        is_latest=bool(row["is_latest"]),
        entity=entity,
        like=entity,
        step=step,
    )


def _changed(
    history: HistoryTable, row: Mapping[str, Any], change: VersionChange, marker: str | None, step: int
) -> ChangedVersion:
    return ChangedVersion(
        keys=change.before.key,
        start=row["valid_from"],
        old_end=row["written_to"],
        old_latest=change.before.is_latest,
        new_end=_written_end(history, change.after, marker, step),
        new_latest=change.after.is_latest,
    )


def _written_end(history: HistoryTable, version: Version, marker: str | None, step: int) -> str | None:
    if version.valid_to is None:
        return marker
    end = version.valid_to - step
    text = text_of(end, history.end)
    if text is None:
        raise FidelityError(
            f"{history.name}: the version of {moment_text(version.valid_from)} (key "
            f"{', '.join(str(part) for part in version.key)}) would have to end at {moment_text(end)}, which "
            f"{history.end.name} ({shown_type(history.end)}) cannot express",
            remedy="nothing was changed; keep the end date as finely as the effective date (column_representation)",
        )
    return text


def _write(store: Store, target: Target, history: HistoryTable, changes: Sequence[ChangedVersion]) -> None:
    """All changes, or none."""
    name = StagingNames(store.settings.staging_schema, target, 0, uuid.uuid4().hex[:8]).incoming
    resource = lock_resource(target_digest(target))
    store.run(tables.create_schema(store.settings.staging_schema), "making the staging schema")
    store.drop_staging({target_digest(target)})
    try:
        store.run(versions.create_changes(history, name), "making a table of changes")
        for start in range(0, len(changes), _ROWS_PER_INSERT):
            some = changes[start : start + _ROWS_PER_INSERT]
            store.run(versions.insert_changes(history, name, some), "inserting changes")
        batch = sections.publish_batch(
            join("", [take_transaction_lock(resource, 0)]),
            [versions.apply_changes(history, name, len(changes))],
            lock_timeout_ms=store.settings.switch_lock_timeout_ms,
            lock_timeout_after_ms=catalog_lock_timeout_ms(store.sessions.database),
        )
        Publisher(
            store.sessions,
            [(resource, dotted(*target))],
            store.settings.lock_seconds,
            lambda: None,
            pause=store.settings.pause,
        ).publish(batch)
    finally:
        store.drop_staging({target_digest(target)})
