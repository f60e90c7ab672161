"""Compares the ledger with Dagster's events: committed units that Dagster does not know, and materializations that do not hold
any more.

A run that was killed between a commit and its event, a load by `dltsync run`, a Dagster database that was lost or taken from a
backup: in all these cases the ledger is right. Units are compared by their load. What was read of Dagster is remembered in this
process, so that a tick in which nothing changed costs one query for all tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import dagster as dg

from dltsync_core.committed import CommittedUnit
from dltsync_core.config import TableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.checks import ROW_COUNTS
from dltsync_dagster.compat import CheckedMaterialization, latest_storage_ids, materialization_records
from dltsync_dagster.evaluations import CheckOutcome, evaluations
from dltsync_dagster.location import Location
from dltsync_dagster.metadata import LOAD_ID
from dltsync_dagster.port import Pipeline
from dltsync_dagster.reporting import ledger_materialization, partition_of
from dltsync_dagster.run_history import tables_in_runs

REPORTS_PER_TICK = 200
"""Events of one tick, at most: Dagster writes about a hundred a second on SQLite, and a tick has a minute."""
RECORDS_PER_TICK = 2_000
"""Materializations that one tick reads, at most."""
_NO_LIMIT = 10**9


@dataclass
class Limits:
    """What is left for one tick, over all its tables."""

    reports: int = REPORTS_PER_TICK
    records: int = RECORDS_PER_TICK

    @staticmethod
    def none() -> Limits:
        """For a step or a command, which may take its time."""
        return Limits(_NO_LIMIT, _NO_LIMIT)


@dataclass(frozen=True)
class InLedger:
    """What the ledger has of one table. `units` are those that exist: the partitions in Dagster's list, or the whole table."""

    table: TableConfig
    units: Sequence[str]
    committed: Mapping[str, CommittedUnit]

    @property
    def loads(self) -> frozenset[tuple[str, str]]:
        """The committed loads, by unit."""
        return frozenset((unit, known.load_id) for unit, known in self.committed.items())


@dataclass(frozen=True)
class Reported:
    """The newest materialization of a unit: where it stands in the instance, and the load it is about (None: of none of ours)."""

    at: CheckedMaterialization
    load_id: str | None


@dataclass(frozen=True)
class Differences:
    """The committed units that Dagster does not know, and the units whose materialization no longer holds."""

    unknown: Mapping[str, CommittedUnit]
    withdrawn: Sequence[str]


def differences(ledger: InLedger, reported: Mapping[str, Reported]) -> Differences:
    """Compare the ledger with the newest materializations of the units. Pure."""
    unknown: dict[str, CommittedUnit] = {}
    withdrawn: list[str] = []
    for unit in ledger.units:
        committed, event = ledger.committed.get(unit), reported.get(unit)
        if committed is None:
            withdrawn += [unit] if event is not None else []
        elif event is None or event.load_id != committed.load_id:
            unknown[unit] = committed
    return Differences(unknown, withdrawn)


def read_ledger(location: Location, instance: dg.DagsterInstance, pipeline: Pipeline, table: TableConfig) -> InLedger:
    """What the ledger has of a table, and which of its units Dagster has. Reads no source."""
    return InLedger(table, units_in_dagster(location, instance, table), pipeline.committed(str(table.name)))


def units_in_dagster(location: Location, instance: dg.DagsterInstance, table: TableConfig) -> list[str]:
    """The units of a table that Dagster has: its partitions, or the whole table."""
    partitions = location.partitions_of(table)
    if isinstance(partitions, dg.DynamicPartitionsDefinition):
        return list(instance.get_dynamic_partitions(str(partitions.name)))
    return [WHOLE_TABLE] if partitions is None else list(partitions.get_partition_keys())


RunlessEvent: TypeAlias = "dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation"


@dataclass
class Reconciliation:
    """The comparison for the tables of one sensor, with what it remembers between ticks."""

    location: Location
    _known: dict[dg.AssetKey, dict[str, Reported]] = field(default_factory=dict)
    _agreed: dict[dg.AssetKey, tuple[object, ...]] = field(default_factory=dict)
    _withdrawn: set[tuple[dg.AssetKey, str, int]] = field(default_factory=set)

    def events(
        self, instance: dg.DagsterInstance, ledgers: Sequence[InLedger], limits: Limits, *, besides: str | None = None
    ) -> list[RunlessEvent]:
        """The events to report now, within the limits; the rest follows at the next call.

        The ledgers must have been read before. Then come the runs, then Dagster's events: a unit that a run of Dagster committed
        is either of a run that is still active, whose tables are left alone, or its event is there. `besides` is the id of a run
        that does not count as active.
        """
        keys = [self.location.asset_key(ledger.table) for ledger in ledgers]
        newest = {
            record.asset_entry.asset_key: record.asset_entry.last_materialization_storage_id
            for record in instance.get_asset_records(keys)
        }
        states = {
            key: (ledger.loads, tuple(ledger.units), newest.get(key)) for key, ledger in zip(keys, ledgers, strict=True)
        }
        changed = [key for key in keys if self._agreed.get(key) != states[key]]
        if not changed:
            return []
        busy = tables_in_runs(instance, changed, self.location, besides=besides)
        found: list[RunlessEvent] = []
        for key, ledger in zip(keys, ledgers, strict=True):
            if key not in changed or key in busy or limits.reports <= 0:
                continue
            if not self._read(instance, key, ledger, limits):
                continue
            wrong = differences(ledger, self._known[key])
            events = list(self._events(key, ledger, wrong))[: limits.reports]
            limits.reports -= len(events)
            found += events
            if not events:
                self._agreed[key] = states[key]
        return found

    def _read(self, instance: dg.DagsterInstance, key: dg.AssetKey, ledger: InLedger, limits: Limits) -> bool:
        """Bring what is known of an asset up to date. False: there is more to read than this tick may."""
        known = self._known.get(key, {})
        if ledger.table.kind != "partition":
            newest = instance.fetch_materializations(key, limit=1).records
            self._known[key] = {WHOLE_TABLE: _reported(newest[0])} if newest else {}
            return True
        ids = latest_storage_ids(instance, key)
        current = {unit: known[unit] for unit, at in ids.items() if unit in known and known[unit].at.storage_id == at}
        missing = [at for unit, at in ids.items() if unit not in current]
        now = missing[: limits.records]
        limits.records -= len(now)
        for record in materialization_records(instance, key, now):
            if record.partition_key is not None:
                current[record.partition_key] = _reported(record)
        self._known[key] = current
        return len(now) == len(missing)

    def _events(self, key: dg.AssetKey, ledger: InLedger, wrong: Differences) -> Iterator[RunlessEvent]:
        for unit, committed in wrong.unknown.items():
            yield ledger_materialization(self.location, ledger.table, unit, committed)
        for unit in wrong.withdrawn:
            at = self._known[key][unit].at
            if (key, unit, at.storage_id) in self._withdrawn:
                continue
            self._withdrawn.add((key, unit, at.storage_id))
            outcome = CheckOutcome(
                unit,
                passed=False,
                sentence="the ledger has no committed load of it any more: the materialization that Dagster shows no longer "
                "holds. The next load brings it in again",
            )
            about = {partition_of(ledger.table, unit): at}
            yield from evaluations(self.location, ledger.table, ROW_COUNTS, [outcome], about)


def _reported(record: dg.EventLogRecord) -> Reported:
    event = record.asset_materialization
    load = event.metadata.get(LOAD_ID) if event is not None else None
    at = CheckedMaterialization(storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp)
    return Reported(at, str(load.value) if load is not None else None)
