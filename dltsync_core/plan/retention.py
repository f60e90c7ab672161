"""The sliding window of a partition table: which of its partitions are out of retention. Pure.

A partition goes only when all of it is beyond the limit. The limit follows from what the source has now, not from what was
loaded, so nothing is recorded: a wider window brings partitions back, and a plan compares them with ledger, lake and
warehouse as ever."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts, Slot, TableFacts
from dltsync_core.config import TableConfig
from dltsync_core.config.retention import Retention
from dltsync_core.display import number_of
from dltsync_core.errors import ConfigError
from dltsync_core.identity import TableName
from dltsync_core.plan.repartition import repartition_groups
from dltsync_core.plan.steps import OutOfRetention
from dltsync_core.ranges import PartitionRange, Side

_DATES = frozenset({"date", "datetime", "smalldatetime", "datetime2", "datetimeoffset"})
_WHOLE_NUMBERS = frozenset({"smallint", "int", "bigint"})
_FORMATS = {"yyyymmdd": "%Y%m%d", "yyyymm": "%Y%m", "yyyy": "%Y"}
_MIDNIGHT = re.compile(r"(?:[T ]00:00(?::00(?:\.0*)?)?)?")
_ONE_DAY = timedelta(days=1)


def within_retention(facts: TableFacts, table: TableConfig, now: datetime) -> TableFacts:
    """The facts with the partitions of the table's window; the others are `PartitioningFacts.out_of_retention`. Raises
    ConfigError for an age where the boundaries are no dates."""
    retention, partitioning = getattr(table, "retention", None), facts.partitioning
    if retention is None or partitioning is None:
        return facts
    if retention.age is not None:
        _check_dates(facts.name, partitioning, retention)
    limit = None if retention.age is None else (now.astimezone(timezone.utc) - retention.age).date()
    first = first_within(partitioning, retention, limit)
    start = 0
    if partitioning.column.is_nullable:  # NULL rows have no age: their partition stays, and what is before it
        start = next((n + 1 for n, slot in enumerate(partitioning.slots) if slot.range.holds_null), 0)
    if first <= start:
        return facts
    slots = partitioning.slots
    windowed = replace(partitioning, slots=(*slots[:start], *slots[first:]), out_of_retention=tuple(slots[start:first]))
    return replace(facts, partitioning=windowed)


def _check_dates(name: TableName, partitioning: PartitioningFacts, retention: Retention) -> None:
    """Raises ConfigError where the boundaries are no dates. Numbers that are taken for dates by mistake would be older than
    every limit, and their partitions would be removed."""
    column, written = partitioning.column, retention.date_format
    where = f"partition_tables: {name}: retention"
    by_number = "give retention.partitions, the number of partitions, instead"
    if written is None:
        if column.type_name in _DATES:
            return
        may_be_dates = column.type_name in _WHOLE_NUMBERS
        raise ConfigError(
            f"{where}.age needs a partition column of a date type, and {column.name} is {column.type_name}",
            remedy=(
                "set retention.date_format when its numbers are dates such as 20240131, or " if may_be_dates else ""
            )
            + by_number,
            table=str(name),
        )
    if column.type_name not in _WHOLE_NUMBERS:
        raise ConfigError(
            f"{where}.date_format is for a partition column of a whole number type, and {column.name} is {column.type_name}",
            remedy="leave date_format out" if column.type_name in _DATES else by_number,
            table=str(name),
        )
    boundaries = (slot.range.upper for slot in partitioning.slots if slot.range.upper is not None)
    wrong = next((b.text for b in boundaries if b.text is not None and not _is_date(b.text, written)), None)
    if wrong is not None:
        raise ConfigError(
            f"{where}.date_format is {written}, and boundary {wrong} of {column.name} is no such date",
            remedy=f"set the date_format that the boundaries have ({', '.join(_FORMATS)}), or {by_number}",
            table=str(name),
        )


def _is_date(text: str, written: str) -> bool:
    if len(text) != len(written) or not text.isdigit():
        return False
    try:
        datetime.strptime(text, _FORMATS[written])
    except ValueError:
        return False
    return True


def first_within(partitioning: PartitioningFacts, retention: Retention, limit: date | None) -> int:
    """The index of the first slot of the window: all before it are beyond every limit that is given. The last slot is always in
    it. `limit` is the first day that is not too old."""
    column, side, slots = partitioning.column, partitioning.side, partitioning.slots
    last = len(slots) - 1
    by_number = _first_by_number(slots, retention.partitions) if retention.partitions is not None else last
    by_age = last
    if limit is not None:
        written = retention.date_format
        number = None if written is None else int(limit.strftime("%Y%m%d")[: len(written)])

        def is_beyond(range_: PartitionRange) -> bool:
            return _is_older(column, side, range_, limit) if number is None else _is_less(side, range_, number)

        by_age = next((n for n, slot in enumerate(slots) if not is_beyond(slot.range)), last)
    return min(by_number, by_age, last)


def _is_less(side: Side, range_: PartitionRange, limit: int) -> bool:
    """Whether every number of the range is less than `limit`, the day, month or year of the limit as a number: numbers in these
    formats have the order of their dates."""
    if range_.upper is None:
        return False
    text = range_.upper.text
    if text is None:  # nothing but NULL can be there
        return True
    return int(text) <= limit if side == "right" else int(text) < limit


def _first_by_number(slots: Sequence[Slot], partitions: int) -> int:
    """The oldest of the newest `partitions` slots that hold rows; 0 when there are fewer."""
    filled = [n for n, slot in enumerate(slots) if slot.approx_rows > 0]
    return filled[-partitions] if len(filled) >= partitions else 0


def _is_older(column: ColumnFacts, side: Side, range_: PartitionRange, limit: date) -> bool:
    """Whether every value of the range is before the day `limit` in UTC. In doubt it is not."""
    if range_.upper is None:
        return False
    text = range_.upper.text
    if text is None:  # nothing but NULL can be there
        return True
    day = date.fromisoformat(text[:10])
    if column.type_name == "datetimeoffset":  # at most 14 hours from UTC, in either direction
        return day < limit - _ONE_DAY
    is_midnight = _MIDNIGHT.fullmatch(text[10:]) is not None
    return day <= limit if side == "right" and is_midnight else day < limit


def reading_also(facts: TableFacts, units: Collection[str]) -> TableFacts:
    """The facts with those of the partitions before the window among the slots, to be read as parts of repartition groups."""
    partitioning = facts.partitioning
    if partitioning is None or not partitioning.before_window:
        return facts
    before = partitioning.before_window
    read = frozenset(slot.range.key for slot in before).intersection(units)
    if read == partitioning.taking_over:
        return facts
    left = tuple(slot for slot in before if slot.range.key not in read)
    slots = tuple(slot for slot in partitioning.all_slots if slot not in left)
    return replace(facts, partitioning=replace(partitioning, slots=slots, out_of_retention=left, taking_over=read))


def units_out_of_retention(
    partitioning: PartitioningFacts | None, committed: Collection[str], only_in_lake: Collection[str] = ()
) -> frozenset[str]:
    """The partitions out of retention, and those of the known units whose boundaries are gone and whose rows could only be in
    such partitions: none of them is planned, judged or reported as missing. `only_in_lake` are known units that the ledger does
    not know."""
    if partitioning is None or not partitioning.out_of_retention:
        return frozenset()
    beyond = {slot.range.key for slot in partitioning.out_of_retention}
    known, published = {*committed, *only_in_lake}, beyond.intersection(only_in_lake)
    groups = repartition_groups(partitioning, known - published, published=published)
    current = {slot.range.key for slot in partitioning.slots}
    return frozenset((beyond | known) - current - {unit for group in groups for unit in group.removed})


def described(retention: Retention) -> str:
    """The window as part of a sentence."""
    parts = []
    if retention.partitions is not None:
        parts.append(
            f"the newest {number_of(retention.partitions, 'partition that holds', 'partitions that hold')} rows"
        )
    if retention.age is not None:
        parts.append(number_of(retention.age.days, "day"))
    return " and ".join(parts)


def out_of_retention(facts: TableFacts, table: TableConfig, rows: Mapping[str, int]) -> tuple[OutOfRetention, ...]:
    """One entry for each partition before the window, also for those that are read because they take over rows. `rows` are those
    that the warehouse has, by unit, of the partitions of which it has anything."""
    retention, partitioning = getattr(table, "retention", None), facts.partitioning
    if retention is None or partitioning is None:
        return ()
    limits = described(retention)
    entries = []
    for slot in partitioning.before_window:
        unit = slot.range.key
        is_read = unit in partitioning.taking_over
        is_removed = is_read or unit in rows
        reason = f"out of retention ({limits}): {'read for the lake' if is_read else 'not read'}"
        if is_removed:
            reason += ", and removed from the warehouse once the table is loaded"
        entries.append(OutOfRetention(facts.name, unit, slot.number, rows.get(unit, 0), is_removed, reason))
    return tuple(entries)
