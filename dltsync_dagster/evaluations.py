"""Results of asset checks, unit by unit: one event for each partition, so that the UI shows which of them is wrong.

Dagster's own results know one partition a run. A run of a range would report all of its partitions as one, and none of them as
checked; so the events are made here, each naming its partition and the materialization that it is about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from dltsync_core.config import TableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.compat import CheckedMaterialization, latest_materializations
from dltsync_dagster.location import Location


@dataclass(frozen=True)
class Verdict:
    """What a check says of one unit. Of a partition table the unit WHOLE_TABLE means the table beside its partitions."""

    unit: str
    passed: bool
    sentence: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def as_result(self, check: str) -> dg.AssetCheckResult:
        """As a step returns it for a table without partitions."""
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
    """What a check of these units is about. Ask before looking: a load that comes in between makes the result out of date."""
    partitions = [unit for unit in units if unit != WHOLE_TABLE] if table.kind == "partition" else None
    return latest_materializations(instance, location.asset_key(table), partitions)


def evaluations(
    location: Location, table: TableConfig, check: str, verdicts: Iterable[Verdict], about: Materializations
) -> Iterator[dg.AssetCheckEvaluation]:
    """The verdicts as events, failures last: the UI shows the newest result of a check as the check's."""
    for verdict in sorted(verdicts, key=lambda verdict: not verdict.passed):
        partition = verdict.unit if table.kind == "partition" and verdict.unit != WHOLE_TABLE else None
        yield dg.AssetCheckEvaluation(
            asset_key=location.asset_key(table),
            check_name=check,
            passed=verdict.passed,
            severity=dg.AssetCheckSeverity.ERROR,
            description=verdict.sentence,
            metadata=verdict.metadata,
            partition=partition,
            target_materialization_data=about.get(partition),
        )


def log_evaluations(
    context: dg.OpExecutionContext, location: Location, table: TableConfig, check: str, verdicts: Sequence[Verdict]
) -> None:
    """Events where they are no output of the step, about the materializations that are there now."""
    about = materializations_of(location, context.instance, table, [verdict.unit for verdict in verdicts])
    log_events(context, evaluations(location, table, check, verdicts, about))


def log_events(context: dg.OpExecutionContext, events: Iterable[dg.AssetCheckEvaluation]) -> None:
    """Put events into the log of a step that has no outputs for them."""
    for event in events:
        context.log_event(event)  # type: ignore[arg-type]  # it takes them, though its annotation does not say so


def given_in_run(instance: dg.DagsterInstance, run_id: str, key: dg.AssetCheckKey) -> dict[str, Verdict]:
    """What an earlier attempt of a run said of its partitions."""
    found: dict[str, Verdict] = {}
    for record in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        if record.dagster_event is None:
            continue
        said = record.dagster_event.asset_check_evaluation_data
        if said.asset_check_key == key and said.partition is not None:
            found[said.partition] = Verdict(said.partition, said.passed, said.description or "", said.metadata)
    return found
