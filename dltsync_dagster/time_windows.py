"""Partitions as Dagster's time windows, for tables whose boundaries are regular dates. By choice, per table.

Dagster maps dynamic partitions to no others than equal ones. Assets that are partitioned by day or month need their
upstream table partitioned by time, too. A slot `[2024-01-01,2024-02-01)` then is the partition `2024-01-01` of a
`TimeWindowPartitionsDefinition`.

What does not fit is refused and never loaded under another name: a slot that a SPLIT made smaller than a window or a
MERGE larger, RANGE LEFT, boundaries that are no dates. Slots before the first window and after the last one may exist as
long as they are empty. A window without a slot (a gap, a month that has no partition yet) cannot be materialized until
the server has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import dagster as dg

from dltsync_core.clock import utc_now
from dltsync_core.errors import ConfigError
from dltsync_core.ranges import Boundary, parse_key

REMEDY = "let the table have dynamic partitions (leave out its time windows), or make the boundaries regular again"


@dataclass(frozen=True)
class TimeWindows:
    """Regular windows: each begins at a tick of `cron_schedule`, the first one at `start` (a date), in UTC.

    Windows grow with time, up to the one of now; `end` is the exclusive end of the last one. `boundary_format` reads
    boundaries that are no ISO dates: `%Y%m%d` for integers such as 20240131. `key_format` is how Dagster's keys are written.
    """

    start: str
    cron_schedule: str
    end: str | None = None
    key_format: str = "%Y-%m-%d"
    boundary_format: str | None = None
    _known_ends: list[datetime] = field(default_factory=list, init=False, repr=False, compare=False)

    @cached_property
    def definition(self) -> dg.TimeWindowPartitionsDefinition:
        """Dagster's definition. Raises ConfigError for a start or a schedule that Dagster refuses."""
        try:
            return dg.TimeWindowPartitionsDefinition(
                start=self.start,
                end=self.end,
                fmt=self.key_format,
                cron_schedule=self.cron_schedule,
                timezone="UTC",
                end_offset=1,  # the window of now, which is being filled, is a partition too
            )
        except Exception as error:
            raise ConfigError(
                f"time windows from {self.start!r} by {self.cron_schedule!r}: {error}",
                remedy=f"write start and end as {self.key_format}, and a cron schedule such as `0 0 1 * *` for months",
            ) from error

    def key_of(self, unit: str) -> str | None:
        """The window that is exactly this slot; None for a slot that lies outside of all windows, before the first or
        after the last. Raises ConfigError for one that lies across."""
        slot = parse_key(unit)
        if slot.side == "left" and (slot.lower or slot.upper):
            raise _refused(unit, "is a slot of RANGE LEFT, which ends with its boundary; a window begins with it")
        lower, upper = self._moment(slot.lower, unit), self._moment(slot.upper, unit)
        if (upper is not None and upper <= _naive(self.definition.start)) or (
            lower is not None and lower >= self._last_end()
        ):
            return None
        if lower is not None and upper is not None:
            key = lower.strftime(self.key_format)
            window = self.definition.time_window_for_partition_key(key)
            if _naive(window.start) == lower and _naive(window.end) == upper:
                return key
        raise _refused(unit, "is no window: it would be part of one, or lie across several")

    def _last_end(self) -> datetime:
        """The end of the last window: that of the window of now, at most `end`. Counted again when that window is over."""
        over = self.definition.end is not None and self._known_ends[-1:] == [_naive(self.definition.end)]
        if not over and (not self._known_ends or self._known_ends[-1] <= _naive(utc_now())):
            last = self.definition.get_last_partition_key()
            end = self.definition.time_window_for_partition_key(last).end if last is not None else self.definition.start
            self._known_ends[:] = [_naive(end)]
        return self._known_ends[-1]

    def _moment(self, boundary: Boundary | None, unit: str) -> datetime | None:
        if boundary is None or boundary.text is None:
            return None
        try:
            if self.boundary_format is not None:
                return datetime.strptime(boundary.text, self.boundary_format)
            return _naive(datetime.fromisoformat(boundary.text.rstrip("Z")))
        except ValueError:
            raise _refused(unit, f"has a boundary that is no date: {boundary.text!r}") from None


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def _refused(unit: str, why: str) -> ConfigError:
    return ConfigError(f"the partition {unit} {why}", remedy=REMEDY, partition=unit)
