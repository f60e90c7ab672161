"""One sensor of each kind: boundaries (partition tables), timestamp (scd), hash (static). Each probes its tables and requests
runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import dagster as dg

from dltsync_core.clock import utc_now
from dltsync_core.committed import TableKind
from dltsync_core.config import TableConfig
from dltsync_core.errors import ConnectError, SyncError
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.changed_units import Change, changes_of, fair_shares, group_reason, group_version, pause_after
from dltsync_dagster.checks import checks_with_load
from dltsync_dagster.location import Location, sensor_status
from dltsync_dagster.partition_store import DELETIONS_PER_TICK, align
from dltsync_dagster.partitions import PartitionChanges, partition_changes, ranges
from dltsync_dagster.port import Pipeline
from dltsync_dagster.reconciliation import InLedger, Limits, Reconciliation, RunlessEvent
from dltsync_dagster.run_history import PIPELINE_TAG, VERSION_TAG, failed_attempts, tables_in_runs
from dltsync_dagster.sources import observation

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

BOUNDARIES = "partition_boundaries"
TIMESTAMPS = "scd_timestamps"
HASHES = "static_hashes"

_LISTED = 100

_DESCRIPTIONS: dict[str, str] = {
    BOUNDARIES: "Aligns the partitions of every partition table with the server's, and requests runs of new and changed ones.",
    TIMESTAMPS: "Requests an increment when the last-modified column of an scd table changed.",
    HASHES: "Requests a load when the content hash of a static table changed, or its load is too old.",
}


@dataclass(frozen=True)
class RunsOfTable:
    """The runs that one table needs, and the observation that is recorded with them."""

    table: TableConfig
    runs: Sequence[dg.RunRequest]
    observed: dg.AssetObservation | None = None


@dataclass
class TickFindings:
    """The result of one tick, over all tables."""

    runs_by_table: list[RunsOfTable] = field(default_factory=list)
    events: list[RunlessEvent] = field(default_factory=list)
    ledgers: list[InLedger] = field(default_factory=list)
    """What the ledger has of the tables that no run loads."""
    skip_reasons: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    permanent: bool = False
    """Whether one of the problems is not transient."""

    def add_problem(self, table: TableConfig, error: SyncError) -> None:
        """A table that could not be probed."""
        self.problems.append(f"{table.name}: {error}")
        self.permanent = self.permanent or not error.is_transient

    def result(self, limit: int) -> dg.SensorResult:
        """For Dagster; with a reason when there is nothing to run. Of more than `limit` runs every table gets its share, and the
        cursor names the table with which the next tick begins. Raises Failure, so that the tick turns red, when the only
        result is a permanent problem."""
        shares = fair_shares([table.runs for table in self.runs_by_table], limit)
        runs = [run for share in shares for run in share]
        events = [
            *self.events,
            *(w.observed for w, share in zip(self.runs_by_table, shares, strict=True) if share and w.observed),
        ]
        left_out = (w for w, share in zip(self.runs_by_table, shares, strict=True) if len(share) < len(w.runs))
        first = next((str(w.table.name) for w in left_out), None)
        if runs or events:
            return dg.SensorResult(run_requests=runs, asset_events=events, cursor=first)
        if self.permanent:
            raise dg.Failure(description="\n".join(self.problems))
        return dg.SensorResult(skip_reason="; ".join([*self.problems, *self.skip_reasons]) or "no tables")


def build_sensors(location: Location) -> list[dg.SensorDefinition]:
    """The sensors for the kinds that the config has tables of."""
    kinds: list[tuple[str, TableKind]] = [(BOUNDARIES, "partition"), (TIMESTAMPS, "scd"), (HASHES, "static")]
    chosen = [(name, [t for t in location.config.tables if t.kind == kind]) for name, kind in kinds]
    return [_sensor(location, name, tables) for name, tables in chosen if tables]


def _sensor(location: Location, name: str, tables: Sequence[TableConfig]) -> dg.SensorDefinition:
    reconciliation = Reconciliation(location)

    @dg.sensor(
        name=location.named(name),
        description=f"{_DESCRIPTIONS[name]} Also reports what the ledger has and Dagster does not know.",
        # Not `target=`: that makes one job of the tables, which is impossible when their partitions differ.
        asset_selection=dg.AssetSelection.assets(*(location.asset_key(table) for table in tables)),
        minimum_interval_seconds=location.settings.sensor_interval_seconds,
        default_status=sensor_status(location.settings.sensors),
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        keys = [location.asset_key(table) for table in tables]
        busy = tables_in_runs(context.instance, keys, location)
        found = TickFindings()
        with location.pipeline() as pipeline:
            for table in _starting_at(tables, context.cursor):
                try:
                    running = location.asset_key(table) in busy
                    _evaluate_table(location, context.instance, pipeline, table, found, running=running)
                except SyncError as error:  # the other tables are probed all the same
                    found.add_problem(table, error)
                    context.log.warning(f"{table.name}: {error}")
                    if isinstance(error, ConnectError):  # the server does not answer, for the other tables neither
                        break
        found.events += reconciliation.events(context.instance, found.ledgers, Limits())
        return found.result(location.settings.requests_per_tick)

    return evaluate


def _starting_at(tables: Sequence[TableConfig], name: str | None) -> list[TableConfig]:
    """All tables in order, starting with the one of that name; unchanged when there is none."""
    start = next((n for n, table in enumerate(tables) if str(table.name) == name), 0)
    return [*tables[start:], *tables[:start]]


def _evaluate_table(
    location: Location,
    instance: dg.DagsterInstance,
    pipeline: Pipeline,
    table: TableConfig,
    found: TickFindings,
    *,
    running: bool,
) -> None:
    name = str(table.name)
    order = pipeline.partition_keys(name) if table.kind == "partition" else [WHOLE_TABLE]
    stored = order
    partitions = location.dynamic_partitions_of(table)
    if partitions is not None:
        stored = _align(location, instance, table, str(partitions.name), order, found, running=running)
    if running:
        found.skip_reasons.append(f"{name}: a run already loads it")
        return
    committed = pipeline.committed(name)
    found.ledgers.append(InLedger(table, order, committed))
    probes = pipeline.probe(name)
    changed = changes_of(table, probes, committed, utc_now())
    if not changed:
        held = "".join(f"; {probe.held_back.sentence}" for probe in probes.values() if probe.held_back is not None)
        found.skip_reasons.append(f"{name}: unchanged{held}")
        return
    groups = ranges(order, stored, [change.unit for change in changed], size=location.settings.partitions_per_run)
    runs = _runs(location, instance, table, groups, changed, found)
    observed = observation(location, table, probes[WHOLE_TABLE]) if table.kind != "partition" else None
    found.runs_by_table.append(RunsOfTable(table, runs, observed))


def _align(
    location: Location,
    instance: dg.DagsterInstance,
    table: TableConfig,
    partitions: str,
    order: Sequence[str],
    found: TickFindings,
    *,
    running: bool,
) -> list[str]:
    """Align Dagster's partitions with the live ones and say so on the source asset. While a run loads the table nothing is
    deleted: its range may end at such a partition. Returns the partitions in Dagster's order."""
    stored = list(instance.get_dynamic_partitions(partitions))
    change = partition_changes(stored, order)
    if running and change.delete:
        found.skip_reasons.append(
            f"{table.name}: vanished partitions are deleted from Dagster's list after the running load"
        )
    change = PartitionChanges(change.add, () if running else change.delete[:DELETIONS_PER_TICK])
    if not change.add and not change.delete:
        return stored
    align(instance, partitions, change)
    found.events.append(
        dg.AssetObservation(
            asset_key=location.source_key(table),
            metadata={
                "dltsync/appeared": list(change.add[:_LISTED]),
                "dltsync/vanished": list(change.delete[:_LISTED]),
            },
        )
    )
    return list(instance.get_dynamic_partitions(partitions))


def _runs(
    location: Location,
    instance: dg.DagsterInstance,
    table: TableConfig,
    groups: Sequence[Sequence[str]],
    changed: Sequence[Change],
    found: TickFindings,
) -> list[dg.RunRequest]:
    """The runs for changed units, as many as one tick may request. Empty when none can be requested now."""
    by_unit = {change.unit: change for change in changed}
    runs: list[dg.RunRequest] = []
    for group in groups:
        if len(runs) >= location.settings.requests_per_tick:
            break  # the rest follows at the next tick
        request = _request(location, instance, table, [by_unit[unit] for unit in group])
        if isinstance(request, str):
            found.skip_reasons.append(request)
        else:
            runs.append(request)
    return runs


def _request(
    location: Location, instance: dg.DagsterInstance, table: TableConfig, changes: Sequence[Change]
) -> dg.RunRequest | str:
    """One run for units that are neighbours in Dagster's order, or the reason why not now."""
    version = group_version(changes, location.scope)
    attempts = failed_attempts(instance, version)
    if attempts.last_end is not None:
        again_at = attempts.last_end + pause_after(attempts.failures)
        if utc_now() < again_at:
            return f"{table.name}: failed {attempts.failures} times; requested again after {again_at:%Y-%m-%d %H:%M:%S} UTC"
    tags = {
        PIPELINE_TAG: location.config.pipeline_name,
        VERSION_TAG: version,
        "dltsync/table": str(table.name),
        "dltsync/reason": group_reason(changes),
    }
    first, last = changes[0].unit, changes[-1].unit
    if len(changes) > 1:
        tags |= {RANGE_START: first, RANGE_END: last}
    return dg.RunRequest(
        run_key=f"{version}#{attempts.failures}",
        asset_selection=[location.asset_key(table)],
        asset_check_keys=checks_with_load(location, table),
        partition_key=first if table.kind == "partition" and len(changes) == 1 else None,
        tags=tags,
        run_config={"ops": {location.op_name("sync", table): {"config": {"only_if_changed": True}}}},
    )
