"""A pipeline whose partitions have the names of time windows, for the tables that have some. All other tables pass unchanged.

The location knows partitions by their keys only, so the two kinds of keys are exchanged here, at the door of the core:
everything beyond works with windows as it does with boundaries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa
from duckdb import DuckDBPyRelation

from dltsync_core.committed import CommittedUnit, Probe
from dltsync_core.config import PipelineConfig
from dltsync_core.display import number_of
from dltsync_core.errors import ConfigError, SyncError
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.plan.selection import find_table
from dltsync_core.run.events import Event, EventSink, ignore
from dltsync_core.run.planning.timed_probes import TableProbes, TimedProbes
from dltsync_core.run.read_lake import ReadFrom
from dltsync_core.run.result import RunResult, UnitResult
from dltsync_dagster.port import OpenPipeline, Pipeline, VersionRepair
from dltsync_dagster.time_windows import REMEDY, TimeWindows

V = TypeVar("V")


def with_time_windows(open_pipeline: OpenPipeline, windows: Mapping[TableName, TimeWindows]) -> OpenPipeline:
    """Opens what `open_pipeline` opens, with the partitions of these tables as windows."""
    if not windows:
        return open_pipeline

    @contextmanager
    def opened(config: PipelineConfig) -> Iterator[Pipeline]:
        with open_pipeline(config) as pipeline:
            yield WindowedPipeline(pipeline, config, windows)

    return opened


class WindowedPipeline:
    """Obeys `port.Pipeline`. Raises ConfigError for slots that fit no window, as `time_windows` says."""

    def __init__(self, pipeline: Pipeline, config: PipelineConfig, windows: Mapping[TableName, TimeWindows]) -> None:
        self._pipeline = pipeline
        self._config = config
        self._windows = {name.folded: one for name, one in windows.items()}

    def run(
        self,
        *,
        table_names: Sequence[str] | None = None,
        partition_keys: Sequence[str] | None = None,
        full_refresh: bool = False,
        force: bool = False,
        on_event: EventSink = ignore,
        run_id: str | None = None,
    ) -> RunResult:
        """Bring tables or windows up to date. Of a run over whole tables, what lies in no window is a failed table: it
        was loaded, and no partition of Dagster shows it."""
        units = partition_keys
        if partition_keys is not None and table_names is not None and len(table_names) == 1:
            units = self._slots_now(table_names[0], partition_keys)

        def passed_on(event: Event) -> None:
            windows = self._windows.get(event.table.folded)
            unit = event.unit if windows is None or event.unit == WHOLE_TABLE else _key_or_none(windows, event.unit)
            if unit is not None:
                on_event(_renamed(event, unit, windows))

        result = self._pipeline.run(
            table_names=table_names,
            partition_keys=units,
            full_refresh=full_refresh,
            force=force,
            on_event=passed_on,
            run_id=run_id,
        )
        found = (self._result(unit) for unit in result.units)
        return replace(result, units=tuple(unit for unit in found if unit is not None))

    def partition_keys(self, table_name: str) -> list[str]:
        """The windows that the table has a slot for, in order."""
        units = self._pipeline.partition_keys(table_name)
        windows = self._of(table_name)
        return units if windows is None else [key for unit in units if (key := windows.key_of(unit)) is not None]

    def probe(self, table_name: str) -> Mapping[str, Probe]:
        """The probe of each window."""
        probes, windows = self._pipeline.probe(table_name), self._of(table_name)
        return probes if windows is None else _probes(table_name, windows, probes)

    def probe_within(
        self,
        table_names: Sequence[str],
        seconds: float,
        *,
        alone: Collection[str] = (),
        units_only: Collection[str] = (),
    ) -> TimedProbes:
        """The units and probes of windows. A table whose slots fit no window has that as its error."""
        found = self._pipeline.probe_within(table_names, seconds, alone=alone, units_only=units_only)
        return replace(found, tables={name: self._windowed(name, one) for name, one in found.tables.items()})

    def _windowed(self, name: TableName, found: TableProbes | SyncError) -> TableProbes | SyncError:
        windows = self._windows.get(name.folded)
        if windows is None or isinstance(found, SyncError):
            return found
        try:
            units = [key for unit in found.units if (key := windows.key_of(unit)) is not None]
            return replace(found, units=tuple(units), probes=_probes(str(name), windows, found.probes))
        except SyncError as error:
            return error

    def committed_of(self, table_names: Sequence[str]) -> Mapping[str, Mapping[str, CommittedUnit]]:
        """The committed windows of many tables."""
        found = self._pipeline.committed_of(table_names)
        return {
            name: units if (windows := self._of(name)) is None else _by_window(windows, units)
            for name, units in found.items()
        }

    def committed(self, table_name: str) -> Mapping[str, CommittedUnit]:
        """The committed windows. Slots of former boundaries are left out."""
        units, windows = self._pipeline.committed(table_name), self._of(table_name)
        return units if windows is None else _by_window(windows, units)

    def validate_all_tables(
        self,
        table_names: Sequence[str] | None = None,
        *,
        partition_keys: Sequence[str] | None = None,
        fingerprint: str | None = None,
        row_diff: bool = False,
    ) -> dict[str, Any]:
        """The report of the core; its units are windows, and a difference outside of them is a problem of the table."""
        units = partition_keys
        if partition_keys is not None and table_names is not None and len(table_names) == 1:
            units = self._slots_now(table_names[0], partition_keys)
        report = self._pipeline.validate_all_tables(
            table_names, partition_keys=units, fingerprint=fingerprint, row_diff=row_diff
        )
        return {**report, "tables": [self._reported(table) for table in report["tables"]]}

    def read(
        self,
        table_name: str,
        *,
        partition_keys: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        read_from: ReadFrom = "auto",
    ) -> AbstractContextManager[pa.RecordBatchReader]:
        """The rows of a table or of some windows."""
        units = self._committed_slots(table_name, partition_keys)
        return self._pipeline.read(table_name, partition_keys=units, columns=columns, read_from=read_from)

    def relation(
        self,
        table_name: str,
        *,
        partition_keys: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        read_from: ReadFrom = "auto",
    ) -> DuckDBPyRelation:
        """The same rows as a relation."""
        units = self._committed_slots(table_name, partition_keys)
        return self._pipeline.relation(table_name, partition_keys=units, columns=columns, read_from=read_from)

    @property
    def scd_handler(self) -> VersionRepair:
        """Integrity of the versions of scd tables, which have no partitions."""
        return self._pipeline.scd_handler

    def _of(self, table_name: str) -> TimeWindows | None:
        return self._windows.get(find_table(self._config.tables, table_name).name.folded)

    def _slots_now(self, table_name: str, keys: Sequence[str]) -> list[str]:
        return self._slots(table_name, keys, lambda: self._pipeline.partition_keys(table_name), "the server has")

    def _committed_slots(self, table_name: str, keys: Sequence[str] | None) -> list[str] | None:
        if keys is None:
            return None
        return self._slots(table_name, keys, lambda: self._pipeline.committed(table_name), "there is")

    def _slots(self, table_name: str, keys: Sequence[str], known: Any, whose: str) -> list[str]:
        windows = self._of(table_name)
        if windows is None:
            return list(keys)
        slots = _by_window(windows, {unit: unit for unit in known()})
        missing = [key for key in keys if key not in slots]
        if missing:
            raise ConfigError(
                f"{table_name}: {whose} no partition for the time window {missing[0]}"
                f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}",
                remedy="load it first"
                if whose == "there is"
                else "create the partition (SPLIT), set a retention of the table wider, or choose other windows",
            )
        return [slots[key] for key in keys]

    def _result(self, unit: UnitResult) -> UnitResult | None:
        windows = self._windows.get(unit.table.folded)
        if windows is None or unit.unit == WHOLE_TABLE:
            return unit
        try:
            key = windows.key_of(unit.unit)
            if key is None and (rows := self._rows(unit)):
                raise _outside(str(unit.table), unit.unit, rows)
        except SyncError as error:
            why = unit.error or str(error)
            return replace(
                unit, unit=WHOLE_TABLE, status="failed", error=why, error_type=unit.error_type or type(error).__name__
            )
        if key is None:
            return replace(unit, unit=WHOLE_TABLE) if unit.status == "failed" else None
        return replace(unit, unit=key)

    def _rows(self, unit: UnitResult) -> int:
        """Of a skipped unit those that are committed."""
        if unit.counts is not None:
            return unit.counts.source
        committed = self._pipeline.committed(str(unit.table)).get(unit.unit)
        return committed.rows if committed is not None else unit.rows_read

    def _reported(self, table: dict[str, Any]) -> dict[str, Any]:
        windows = self._of(table["table"])
        if windows is None:
            return table
        units, problems = [], list(table["problems"])
        for unit in table["units"]:
            key = _key_or_none(windows, unit["unit"])
            if key is not None or unit["unit"] == WHOLE_TABLE:
                units.append({**unit, "unit": key or WHOLE_TABLE})
            else:
                problems += unit["messages"]
        return {**table, "units": units, "problems": problems}


def _renamed(event: Event, unit: str, windows: TimeWindows | None) -> Event:
    """The event about the window. A result that comes with it is about it too."""
    changes: dict[str, Any] = {"unit": unit}
    if (result := getattr(event, "result", None)) is not None:
        changes["result"] = replace(result, unit=unit)
    if windows is not None and (replaced := getattr(event, "replaces", ())):
        changes["replaces"] = tuple(key for old in replaced if (key := _key_or_none(windows, old)) is not None)
    return replace(event, **changes)


def _by_window(windows: TimeWindows, units: Mapping[str, V]) -> dict[str, V]:
    return {key: value for unit, value in units.items() if (key := _key_or_none(windows, unit)) is not None}


def _probes(table: str, windows: TimeWindows, probes: Mapping[str, Probe]) -> dict[str, Probe]:
    """By window. Raises ConfigError for rows outside of all windows."""
    found: dict[str, Probe] = {}
    for unit, probe in probes.items():
        key = windows.key_of(unit)
        if key is not None:
            found[key] = probe
        elif probe.rows:
            raise _outside(table, unit, probe.rows)
    return found


def _key_or_none(windows: TimeWindows, unit: str) -> str | None:
    try:
        return windows.key_of(unit)
    except (ConfigError, ValueError):
        return None


def _outside(table: str, unit: str, rows: int) -> ConfigError:
    return ConfigError(
        f"{table}: {number_of(rows, 'row lies', 'rows lie')} in {unit}, outside of the table's time windows",
        remedy=f"let the windows begin earlier or end later, or {REMEDY}",
        partition=unit,
    )
