"""One sensor of each kind: boundaries (partition tables), timestamp (scd), hash (static). Each looks, compares, asks for runs."""

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
from dltsync_dagster.partition_store import align
from dltsync_dagster.partitions import Reconciliation, contiguous_groups, reconcile
from dltsync_dagster.port import Pipeline
from dltsync_dagster.resources import ParquetLake, SqlServerConnection, StateStore, Warehouse, compose_config
from dltsync_dagster.run_history import VERSION_TAG, attempts_at, tables_under_way
from dltsync_dagster.sources import observation

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

BOUNDARIES = "partition_boundaries"
TIMESTAMPS = "scd_timestamps"
HASHES = "static_hashes"

_DESCRIPTIONS: dict[str, str] = {
    BOUNDARIES: "Keeps the partitions of every partition table like the server's, in boundary order, and asks for new and "
    "changed ones.",
    TIMESTAMPS: "Asks for an increment when the last-modified column of an scd table moved.",
    HASHES: "Asks for a load when the content hash of a static table is another one, or its load too old.",
}


@dataclass(frozen=True)
class Wanted:
    """The runs that one table needs, and what is recorded when one of them is asked for."""

    table: TableConfig
    runs: Sequence[dg.RunRequest]
    seen: dg.AssetObservation | None = None


@dataclass
class Findings:
    """What one tick found, over all tables."""

    wanted: list[Wanted] = field(default_factory=list)
    events: list[dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation] = field(default_factory=list)
    quiet: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    lasting: bool = False
    """Whether one of the problems will not pass by itself."""

    def trouble(self, table: TableConfig, error: SyncError) -> None:
        """A table that could not be looked at."""
        self.problems.append(f"{table.name}: {error}")
        self.lasting = self.lasting or not error.is_transient

    def result(self, limit: int) -> dg.SensorResult:
        """For Dagster; with a reason when there is nothing to run. Of more than `limit` runs every table gets its share, and the
        cursor names the table with which the next tick begins. Raises Failure, so that the tick turns red, when there is nothing
        but a problem that will not pass by itself."""
        shares = fair_shares([wanted.runs for wanted in self.wanted], limit)
        runs = [run for share in shares for run in share]
        events = [*self.events, *(w.seen for w, share in zip(self.wanted, shares, strict=True) if share and w.seen)]
        left_out = (w for w, share in zip(self.wanted, shares, strict=True) if len(share) < len(w.runs))
        first = next((str(wanted.table.name) for wanted in left_out), None)
        if runs or events:
            return dg.SensorResult(run_requests=runs, asset_events=events, cursor=first)
        if self.lasting:
            raise dg.Failure(description="\n".join(self.problems))
        return dg.SensorResult(skip_reason="; ".join([*self.problems, *self.quiet]) or "no tables")


def build_sensors(location: Location) -> list[dg.SensorDefinition]:
    """The sensors for the kinds that the config has tables of."""
    kinds: list[tuple[str, TableKind]] = [(BOUNDARIES, "partition"), (TIMESTAMPS, "scd"), (HASHES, "static")]
    chosen = [(name, [t for t in location.config.tables if t.kind == kind]) for name, kind in kinds]
    return [_sensor(location, name, tables) for name, tables in chosen if tables]


def _sensor(location: Location, name: str, tables: Sequence[TableConfig]) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        description=_DESCRIPTIONS[name],
        # Not `target=`: that makes one job of the tables, which cannot be when their partitions are not the same ones.
        asset_selection=dg.AssetSelection.assets(*(location.asset_key(table) for table in tables)),
        minimum_interval_seconds=location.settings.sensor_interval_seconds,
        default_status=sensor_status(location.settings.sensors),
    )
    def look(
        context: dg.SensorEvaluationContext,
        sqlserver: SqlServerConnection,
        lake: ParquetLake,
        warehouse: Warehouse,
        state: StateStore,
    ) -> dg.SensorResult:
        config = compose_config(location.config, sqlserver, lake, warehouse, state)
        keys = [location.asset_key(table) for table in tables]
        busy = tables_under_way(context.instance, keys, location.config.pipeline_name)
        findings = Findings()
        with location.open_pipeline(config) as pipeline:
            for table in _beginning_with(tables, context.cursor):
                try:
                    under_way = location.asset_key(table) in busy
                    _look_at(location, context.instance, pipeline, table, findings, under_way=under_way)
                except SyncError as error:  # the other tables are looked at all the same
                    findings.trouble(table, error)
                    context.log.warning(f"{table.name}: {error}")
                    if isinstance(error, ConnectError):  # nobody answers; asking for each table would only take longer
                        break
        return findings.result(location.settings.requests_per_tick)

    return look


def _beginning_with(tables: Sequence[TableConfig], name: str | None) -> list[TableConfig]:
    """All tables in their order, from the one of that name on; as they are when there is none."""
    start = next((n for n, table in enumerate(tables) if str(table.name) == name), 0)
    return [*tables[start:], *tables[:start]]


def _look_at(
    location: Location,
    instance: dg.DagsterInstance,
    pipeline: Pipeline,
    table: TableConfig,
    findings: Findings,
    *,
    under_way: bool,
) -> None:
    name = str(table.name)
    partitions = location.partitions_of(table)
    order: list[str] = [WHOLE_TABLE]
    if partitions is not None:
        order = pipeline.partition_keys(name)
        change = reconcile(instance.get_dynamic_partitions(str(partitions.name)), order)
        if under_way and not change.appends_only:
            findings.quiet.append(
                f"{name}: boundaries changed; waiting for the run under way before the order is rewritten"
            )
            return
        align(instance, str(partitions.name), change)
        findings.events += _boundary_events(location, table, change)
    if under_way:
        findings.quiet.append(f"{name}: a run is under way")
        return
    probes = pipeline.probe(name)
    changed = changes_of(table, probes, pipeline.committed(name), utc_now())
    if not changed:
        held = "".join(f"; {probe.held_back.sentence}" for probe in probes.values() if probe.held_back is not None)
        findings.quiet.append(f"{name}: unchanged{held}")
        return
    runs = _runs(location, instance, table, order, changed, findings)
    seen = observation(location, table, probes[WHOLE_TABLE]) if partitions is None else None
    findings.wanted.append(Wanted(table, runs, seen))


def _boundary_events(location: Location, table: TableConfig, change: Reconciliation) -> list[dg.AssetObservation]:
    """One line in the source's history when boundaries came or went."""
    if not change.appeared and not change.vanished:
        return []
    return [
        dg.AssetObservation(
            asset_key=location.source_key(table),
            metadata={
                "dltsync/appeared": list(change.appeared[:100]),
                "dltsync/vanished": list(change.vanished[:100]),
            },
        )
    ]


def _runs(
    location: Location,
    instance: dg.DagsterInstance,
    table: TableConfig,
    order: Sequence[str],
    changed: Sequence[Change],
    findings: Findings,
) -> list[dg.RunRequest]:
    """The runs for what changed, as many as one tick may ask for. Empty when nothing can be asked for now."""
    by_unit = {change.unit: change for change in changed}
    groups = contiguous_groups(order, by_unit, size=location.settings.partitions_per_run)
    runs: list[dg.RunRequest] = []
    for group in groups:
        if len(runs) >= location.settings.requests_per_tick:
            break  # the rest follows at the next tick
        request = _request(location, instance, table, [by_unit[unit] for unit in group])
        if isinstance(request, str):
            findings.quiet.append(request)
        else:
            runs.append(request)
    return runs


def _request(
    location: Location, instance: dg.DagsterInstance, table: TableConfig, changes: Sequence[Change]
) -> dg.RunRequest | str:
    """One run for neighbouring units, or the reason why not now."""
    version = group_version(changes, location.scope)
    attempts = attempts_at(instance, version)
    if attempts.last_end is not None:
        again_at = attempts.last_end + pause_after(attempts.failures)
        if utc_now() < again_at:
            return f"{table.name}: failed {attempts.failures} times; asked for again after {again_at:%Y-%m-%d %H:%M:%S} UTC"
    tags = {VERSION_TAG: version, "dltsync/table": str(table.name), "dltsync/reason": group_reason(changes)}
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
