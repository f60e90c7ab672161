"""Results of asset checks, unit by unit: one event for each partition, so that the UI shows which one failed.

Dagster's own results have one partition per run. A run of a range would report all of its partitions as one, and none of them as
checked; so the events are made here, each with its partition and the materialization that it is about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import dagster as dg

from dltsync_core.config import TableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.compat import CheckedMaterialization, latest_materializations
from dltsync_dagster.location import Location


@dataclass(frozen=True)
class CheckOutcome:
    """The outcome of a check for one unit. For a partition table the unit WHOLE_TABLE is the table as a whole."""

    unit: str
    passed: bool
    sentence: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def as_result(self, check: str) -> dg.AssetCheckResult:
        """The result of a step for a table without partitions."""
        return dg.AssetCheckResult(
            check_name=check,
            passed=self.passed,
            severity=dg.AssetCheckSeverity.ERROR,
            description=self.sentence,
            metadata=self.metadata,
        )


Materializations = Mapping[str | None, CheckedMaterialization]


def materializations_of(
    location: Location, instance: dg.DagsterInstance, table: TableConfig, units: Collection[str]
) -> Materializations:
    """The materializations that a check of these units is about. Read them before comparing: a load in between makes the result
    out of date."""
    partitions = [unit for unit in units if unit != WHOLE_TABLE] if table.kind == "partition" else None
    return latest_materializations(instance, location.asset_key(table), partitions)


def evaluations(
    location: Location, table: TableConfig, check: str, outcomes: Iterable[CheckOutcome], about: Materializations
) -> Iterator[dg.AssetCheckEvaluation]:
    """The outcomes as events, failures last: the UI shows the newest result of a check as the check's."""
    for outcome in sorted(outcomes, key=lambda outcome: not outcome.passed):
        partition = outcome.unit if table.kind == "partition" and outcome.unit != WHOLE_TABLE else None
        yield dg.AssetCheckEvaluation(
            asset_key=location.asset_key(table),
            check_name=check,
            passed=outcome.passed,
            severity=dg.AssetCheckSeverity.ERROR,
            description=outcome.sentence,
            metadata=outcome.metadata,
            partition=partition,
            target_materialization_data=about.get(partition),
        )


class EventLog(Protocol):
    """The part of an op's context that writes events at once."""

    @property
    def instance(self) -> dg.DagsterInstance:
        """Where events are read."""
        ...

    def log_event(self, event: Any) -> None:
        """Write an event into the instance."""
        ...


def log_evaluations(
    context: EventLog, location: Location, table: TableConfig, check: str, outcomes: Sequence[CheckOutcome]
) -> None:
    """Log the outcomes of a step that has no outputs for them, about the newest materializations."""
    about = materializations_of(location, context.instance, table, [outcome.unit for outcome in outcomes])
    log_events(context, evaluations(location, table, check, outcomes, about))


def log_events(context: EventLog, events: Iterable[dg.AssetCheckEvaluation]) -> None:
    """Put events into the log of a step that has no outputs for them."""
    for event in events:
        context.log_event(event)
