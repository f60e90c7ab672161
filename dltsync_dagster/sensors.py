"""One sensor of each kind: boundaries (partition tables), timestamp (scd), hash (static). A tick probes the tables that are due
(`check_schedule`), as many as its time allows, and requests runs of what changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from dltsync_core.clock import utc_now
from dltsync_core.committed import CommittedUnit, Probe, TableKind
from dltsync_core.config import TableConfig
from dltsync_core.errors import SyncError
from dltsync_core.run.planning.timed_probes import TableProbes
from dltsync_dagster.automation import sensor_asks_at
from dltsync_dagster.changed_units import Change, changes_of
from dltsync_dagster.check_schedule import (
    TableState,
    after_change,
    after_failure,
    after_probe,
    change_of,
    due_tables,
    failing_tables,
    key_of,
    next_due,
    read_cursor,
    without_loaded,
    write_cursor,
)
from dltsync_dagster.location import Location, sensor_status
from dltsync_dagster.partition_store import aligned
from dltsync_dagster.partitions import ranges
from dltsync_dagster.port import Pipeline
from dltsync_dagster.reconciliation import InLedger, Limits, Reconciliation, units_in_dagster
from dltsync_dagster.run_history import tables_in_runs
from dltsync_dagster.run_requests import RunsOfTable, TickFindings, runs_of
from dltsync_dagster.sources import observations

OBSERVATIONS_PER_TABLE = 100
"""Of one tick: Dagster writes about a hundred events a second on SQLite. Changes beyond are requested without one."""

BOUNDARIES = "partition_boundaries"
TIMESTAMPS = "scd_timestamps"
HASHES = "static_hashes"

_DESCRIPTIONS: dict[str, str] = {
    BOUNDARIES: "Aligns the partitions of every partition table with the server's, and requests runs of new and changed ones.",
    TIMESTAMPS: "Requests an increment when the last-modified column of an scd table changed.",
    HASHES: "Requests a load when the content hash of a static table changed, or its load is too old.",
}


def build_sensors(location: Location) -> list[dg.SensorDefinition]:
    """The sensors for the kinds that the config has tables of."""
    kinds: list[tuple[str, TableKind]] = [(BOUNDARIES, "partition"), (TIMESTAMPS, "scd"), (HASHES, "static")]
    chosen = [(name, [t for t in location.config.tables if t.kind == kind]) for name, kind in kinds]
    return [_sensor(location, name, tables) for name, tables in chosen if tables]


def _sensor(location: Location, name: str, tables: Sequence[TableConfig]) -> dg.SensorDefinition:
    reconciliation = Reconciliation(location)
    # The cursor of a tick that fails is not stored: what such a tick found out is remembered here, by the cursor it began with.
    remembered: dict[str | None, dict[str, TableState]] = {}

    @dg.sensor(
        name=location.named(name),
        description=f"{_DESCRIPTIONS[name]} Also reports what the ledger has and Dagster does not know.",
        # Not `target=`: that makes one job of the tables, which is impossible when their partitions differ.
        asset_selection=dg.AssetSelection.assets(*(location.asset_key(table) for table in tables)),
        minimum_interval_seconds=location.settings.sensor_interval_seconds,
        default_status=sensor_status(location.settings.sensors),
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        states = remembered.pop(context.cursor, None) or read_cursor(context.cursor)
        tick = Tick(location, context.instance, tables, states, context.log.warning)
        remembered.clear()
        try:
            return tick.result(reconciliation)
        except dg.Failure:
            remembered[context.cursor] = tick.states
            raise

    return evaluate


@dataclass
class Tick:
    """One evaluation of a sensor over its tables. `states` are those of the cursor, and become those of the next one."""

    location: Location
    instance: dg.DagsterInstance
    tables: Sequence[TableConfig]
    states: dict[str, TableState]
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        self.found = TickFindings()
        self.before = dict(self.states)
        self.now = utc_now()

    def result(self, reconciliation: Reconciliation) -> dg.SensorResult:
        """Probe what is due, and say what is to run."""
        location, found = self.location, self.found
        keys = {table.name: location.asset_key(table) for table in self.tables}
        busy = tables_in_runs(self.instance, keys.values(), location)
        running = [table for table in self.tables if keys[table.name] in busy]
        idle = [table for table in self.tables if keys[table.name] not in busy]
        found.running = [str(table.name) for table in running]
        try:
            with location.pipeline() as pipeline:
                committed = pipeline.committed_of([str(table.name) for table in idle])
                self._probe(pipeline, idle, running, committed)
        except SyncError as error:  # of the server, or of the ledger: one sentence for all tables
            found.add_outage(error)
            self.warn(str(error))
        found.events += reconciliation.events(self.instance, found.ledgers, Limits())
        for runs in found.left_out(location.settings.requests_per_tick):
            # As if it had not been probed: it stays due, and has waited longer than others.
            self.states[key_of(runs.table)] = self.before.get(key_of(runs.table), TableState())
        return found.result(location.settings.requests_per_tick, write_cursor(self.states, self.tables))

    def _state(self, table: TableConfig) -> TableState:
        return self.states.get(key_of(table), TableState())

    def _probe(
        self,
        pipeline: Pipeline,
        idle: Sequence[TableConfig],
        running: Sequence[TableConfig],
        committed: Mapping[str, Mapping[str, CommittedUnit]],
    ) -> None:
        for table in idle:
            self.states[key_of(table)] = without_loaded(self._state(table), _loads(committed[str(table.name)]))
        due = due_tables(idle, self.states, self.now.timestamp())
        due_names = {table.name for table in due}
        listed = [table for table in running if table.kind == "partition"]
        found = pipeline.probe_within(
            [str(table.name) for table in (*listed, *due)],
            self.location.settings.tick_seconds,
            alone=[str(table.name) for table in failing_tables(due, self.states)],
            units_only=[str(table.name) for table in listed],
        )
        for table in (*listed, *due):
            outcome = found.tables.get(table.name)
            if isinstance(outcome, TableProbes):
                self._take(table, outcome, committed.get(str(table.name)))
            elif outcome is not None:
                self.states[key_of(table)] = after_failure(self._state(table), self.now.timestamp())
                self.found.add_problem(table, outcome)
                self.warn(f"{table.name}: {outcome}")
            elif table.name in due_names:
                self.found.not_reached.append(str(table.name))
        if found.outage is not None:
            self.found.add_outage(found.outage)
        self._say_what_waits(idle, due)
        probed = {ledger.table.name for ledger in self.found.ledgers}
        for table in idle:
            if table.name not in probed:
                units = units_in_dagster(self.location, self.instance, table)
                self.found.ledgers.append(InLedger(table, units, committed[str(table.name)]))

    def _say_what_waits(self, idle: Sequence[TableConfig], due: Sequence[TableConfig]) -> None:
        names = {table.name for table in due}
        waiting = [table for table in idle if table.name not in names]
        for table in failing_tables(waiting, self.states):
            self.found.failing.append(str(table.name))
        self.found.waiting = len(waiting)
        self.found.next_due = next_due(waiting, self.states)

    def _take(self, table: TableConfig, found: TableProbes, committed: Mapping[str, CommittedUnit] | None) -> None:
        """The units and probes of one table; `committed` is None while a run loads it."""
        order, stored = found.units, list(found.units)
        if (partitions := self.location.dynamic_partitions_of(table)) is not None:
            alignment = aligned(self.instance, str(partitions.name), order, deleting=committed is not None)
            stored = alignment.stored
            if alignment.changed:
                self.found.events.append(alignment.observation(self.location.source_key(table)))
            if alignment.postponed:
                self.found.notes.append(
                    f"{table.name}: vanished partitions are deleted from Dagster's list after the running load"
                )
        if committed is None:
            return
        self.found.ledgers.append(InLedger(table, order, committed))
        methods = {probe.method for probe in found.probes.values()}
        before = self._state(table)
        self.states[key_of(table)] = after_probe(table, before, methods, found.seconds, self.now.timestamp())
        changes = changes_of(table, found.probes, committed, self.now)
        if not changes:
            self.found.unchanged.append(str(table.name))
            self.found.notes += [f"{table.name}: {p.held_back.sentence}" for p in found.probes.values() if p.held_back]
            return
        self._change(table, before, changes, found.probes, committed, order, stored)

    def _change(
        self,
        table: TableConfig,
        before: TableState,
        changes: Sequence[Change],
        probes: Mapping[str, Probe],
        committed: Mapping[str, CommittedUnit],
        order: Sequence[str],
        stored: Sequence[str],
    ) -> None:
        """Request the load of what changed, or leave it to the automation as long as that may still come."""
        now, loads = self.now.timestamp(), _loads(committed)
        known = before.change == change_of(loads)
        ask_at = before.ask_at if known else int(sensor_asks_at(table, now, first_load=not committed))
        self.states[key_of(table)] = after_change(self._state(table), loads, ask_at)
        first = changes[:OBSERVATIONS_PER_TABLE]
        observed = observations(self.location, table, {change.unit: probes[change.unit] for change in first})
        if now < ask_at:
            self.found.events += [] if known else observed
            self.found.notes.append(f"{table.name}: changed; Dagster's automation is to load it")
            return
        groups = ranges(order, stored, [c.unit for c in changes], size=self.location.settings.partitions_per_run)
        asked = runs_of(self.location, self.instance, table, groups, changes)
        self.found.notes += asked.reasons
        if asked.again_at is not None and not asked.runs:
            self.states[key_of(table)] = after_change(self._state(table), loads, asked.again_at)
        self.found.runs_by_table.append(RunsOfTable(table, asked.runs, () if known else observed))


def _loads(committed: Mapping[str, CommittedUnit]) -> list[str]:
    return [unit.load_id for unit in committed.values()]
