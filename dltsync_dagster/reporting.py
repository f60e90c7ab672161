"""From the core's commits to Dagster's events: one materialization for each committed unit, at the moment of the commit.

An event that is handed over at the end of a step is lost with the step: after SIGKILL every partition of a range would be red,
those that are committed too. So each is logged when the core says that its unit is committed, and the step's output adds none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import dagster as dg

from dltsync_core.committed import CommittedUnit
from dltsync_core.config import TableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.events import Event
from dltsync_core.run.result import UnitResult
from dltsync_dagster.checks import ROW_COUNTS, load_outcome
from dltsync_dagster.evaluations import EventLog, log_evaluations
from dltsync_dagster.location import Location
from dltsync_dagster.metadata import DATA_VERSION_TAG, committed_metadata, table_metadata, unit_metadata

IS_RESUMED = "dagster/is_resume_retry"
"""Tag of a run that continues a failed one: a retry after a crash, or "re-execute from failure"."""
PARENT_RUN = "dagster/parent_run_id"


def partition_of(table: TableConfig, unit: str) -> str | None:
    """The Dagster partition of a unit: None for the tables that have no partitions."""
    return unit if table.kind == "partition" else None


class UnitReports:
    """Reports units of one table, from the core's events. Call it with them, one at a time.

    Each unit is reported once: when it is committed, or, if it is among the `requested`, when it is found unchanged (Dagster
    takes a requested partition without a materialization for failed). `committed` is what the ledger had before. `provenance`
    gives further tags for a data version. With `at_commit=False` the materializations wait in `waiting`, for a step that must
    hand them over as its output.
    """

    def __init__(
        self,
        step: EventLog,
        location: Location,
        table: TableConfig,
        committed: Mapping[str, CommittedUnit],
        *,
        requested: Collection[str] = (),
        provenance: Callable[[str], Mapping[str, str]] = lambda version: {},
        at_commit: bool = True,
    ) -> None:
        self._step, self._location, self._table = step, location, table
        self._committed = committed
        self._rows = {unit: known.rows for unit, known in committed.items()}
        self._total = sum(self._rows.values())
        self._requested = frozenset(requested)
        self._provenance = provenance
        self._at_commit = at_commit
        self._reported: set[str] = set()
        self._taken: list[UnitResult] = []
        self.waiting: dict[str, tuple[UnitResult, dg.AssetMaterialization]] = {}

    def __call__(self, event: Event) -> None:
        """Take an event of this table in."""
        unit = event.result
        if unit is None or unit.unit in self._reported:
            return
        if event.stage == "committed":
            self._count(unit, event.replaces)
        elif unit.unit not in self._requested:
            return
        self.waiting[unit.unit] = unit, self._materialization(unit)
        if self._at_commit:
            self.report_waiting()

    def report_waiting(self) -> None:
        """Report what waits: all of it for a step without output, else what could not be reported at its commit."""
        for unit, (result, materialization) in list(self.waiting.items()):
            self._step.log_event(materialization)
            self._reported.add(unit)
            del self.waiting[unit]
            self._report_checks([result])

    def take_requested(self) -> dict[str, dg.AssetMaterialization]:
        """The requested units that wait, to be handed over as the step's output."""
        taken = {unit: self.waiting.pop(unit) for unit in sorted(self._requested & self.waiting.keys())}
        self._reported |= taken.keys()
        self._taken += [result for result, _ in taken.values()]
        return {unit: materialization for unit, (_, materialization) in taken.items()}

    def report_checks_of_taken(self) -> None:
        """The checks of the units that were handed over, once the output is stored: a check is about the newest event."""
        self._report_checks(self._taken)

    def _report_checks(self, results: Sequence[UnitResult]) -> None:
        outcomes = [load_outcome(result) for result in results]
        log_evaluations(self._step, self._location, self._table, ROW_COUNTS, outcomes)

    def _count(self, unit: UnitResult, replaced: Iterable[str]) -> None:
        rows = unit.counts.source if unit.counts is not None else 0
        for gone in replaced:
            self._total -= self._rows.pop(gone, 0)
        self._total += rows - self._rows.get(unit.unit, 0)
        self._rows[unit.unit] = rows

    def _materialization(self, unit: UnitResult) -> dg.AssetMaterialization:
        before = self._committed.get(unit.unit)
        # Another run may have committed it since: its rows are not known here.
        same = before is not None and before.load_id == unit.load_id
        version = unit.probe_signature
        return dg.AssetMaterialization(
            asset_key=self._location.asset_key(self._table),
            partition=partition_of(self._table, unit.unit),
            metadata={
                **table_metadata(self._total if self._rows else None, self._location.source_key(self._table), [unit]),
                **unit_metadata(unit, before.rows if same and before is not None else None),
            },
            tags={DATA_VERSION_TAG: version, **self._provenance(version)} if version else None,
        )


def ledger_materialization(
    location: Location, table: TableConfig, unit: str, known: CommittedUnit
) -> dg.AssetMaterialization:
    """The event of a committed unit that no run has reported."""
    return dg.AssetMaterialization(
        asset_key=location.asset_key(table),
        partition=partition_of(table, unit),
        metadata=committed_metadata(known),
        tags={DATA_VERSION_TAG: known.probe.signature},
    )


def attempts_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """The run itself and, when it continues failed ones, those: by id, newest first."""
    found: list[str] = []
    current: dg.DagsterRun | None = run
    while current is not None and current.run_id not in found:
        found.append(current.run_id)
        parent = current.tags.get(PARENT_RUN) if current.tags.get(IS_RESUMED) == "true" else None
        current = instance.get_run_by_id(parent) if parent is not None else None
    return found


def reported_units(
    instance: dg.DagsterInstance, run_ids: Collection[str], key: dg.AssetKey, units: Sequence[str]
) -> dict[str, dg.AssetMaterialization]:
    """The units that one of these runs has already reported, with the events."""
    wanted = set(units)
    found: dict[str, dg.AssetMaterialization] = {}
    for run_id in run_ids:
        for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
            event = entry.asset_materialization
            unit = (event.partition or WHOLE_TABLE) if event is not None else None
            if event is not None and event.asset_key == key and unit in wanted:
                found.setdefault(unit, event)
    return found
