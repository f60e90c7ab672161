"""Dagster's declarative automation of a table's loads: the condition that the config names, and when the sensor asks itself.

The sensor observes the source and the condition requests the load. Dagster forgets a change that is observed in the evaluation
right after a request: the sensor compares the source with the ledger all the same, and requests what the condition did not.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from dltsync_core.config import TableConfig
from dltsync_core.config.assets import OnCron
from dltsync_core.errors import ConfigError
from dltsync_dagster.compat import AUTOMATION_TAG, next_cron_tick

GRACE_SECONDS = 180.0
"""Dagster evaluates conditions every half minute, and a run that it requested is queued a moment later."""


def condition_of(table: TableConfig) -> dg.AutomationCondition[Any] | None:
    """The condition of a table's asset, None for none. Raises ConfigError for a schedule that Dagster refuses.

    A partition, or a table without any, is requested when its source was observed to have changed, or when it is new, and was not
    requested since. Unlike Dagster's own `eager`, a source that was never observed holds nothing back: the sensor observes
    changes only. Unlike its `on_cron`, a change before the tick of the schedule counts.
    """
    wanted = table.automation_condition
    if wanted == "none":
        return None
    changed = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.newly_updated())
    to_load = (changed | dg.AutomationCondition.newly_missing()).since_last_handled()
    idle = ~dg.AutomationCondition.in_progress()
    if not isinstance(wanted, OnCron):
        return (to_load & idle).with_label("dltsync_eager")
    try:
        tick = dg.AutomationCondition.cron_tick_passed(wanted.on_cron, wanted.timezone)
    except Exception as error:
        raise ConfigError(
            f"{table.name}: automation_condition.on_cron {wanted.on_cron!r}: {error}",
            remedy="write five fields, such as `0 5 * * *` for every day at five, and a time zone such as Europe/Zurich",
        ) from error
    return (to_load & tick & idle).with_label("dltsync_on_cron")


def sensor_asks_at(table: TableConfig, now: float, *, first_load: bool) -> float:
    """When the sensor itself requests the load of a change that it found now, in seconds since 1970: at once, or when the
    automation should have done so. Of a table that was never loaded at once, too: what is missing when Dagster evaluates a
    condition for the first time counts as handled."""
    wanted = table.automation_condition
    if wanted == "none" or (wanted == "eager" and first_load):
        return now
    if isinstance(wanted, OnCron):
        return next_cron_tick(wanted.on_cron, wanted.timezone, now) + GRACE_SECONDS
    return now + GRACE_SECONDS


def reads_changes_only(run: dg.DagsterRun, table: TableConfig) -> bool:
    """Whether the run was requested by a condition and the table's config lets such a run read what changed, and no more."""
    return run.tags.get(AUTOMATION_TAG) == "true" and table.automation_reads == "changes"
