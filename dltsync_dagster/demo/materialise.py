"""Dagster's part of the demo: the sensors look, and what they ask for is run, in this process and on a real instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import dagster as dg
from typing_extensions import Self

from dltsync_core.committed import CommittedUnit, Probe
from dltsync_core.config import PipelineConfig
from dltsync_core.errors import SyncError
from dltsync_core.run.events import Event, EventSink
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.planning.timed_probes import TimedProbes
from dltsync_core.run.result import RunResult, UnitResult
from dltsync_dagster.build import build_definitions, build_location
from dltsync_dagster.run_requests import RANGE_END, RANGE_START
from dltsync_dagster.sensors import BOUNDARIES, HASHES, TIMESTAMPS
from dltsync_dagster.settings import LocationSettings


class DagsterRunFailed(SyncError):
    """A run that a sensor had asked for did not succeed."""


@dataclass(frozen=True)
class Request:
    """What a sensor asked for, in words."""

    sensor: str
    table: str
    target: str
    reason: str
    request: dg.RunRequest


@dataclass(frozen=True)
class Look:
    """One evaluation of every sensor."""

    requests: tuple[Request, ...]
    quiet: Mapping[str, str]


class WatchedPipeline:
    """The core's pipeline, with a second listener to its events and a memory for its results."""

    def __init__(self, config: PipelineConfig, sink: EventSink, results: list[RunResult]) -> None:
        self._pipeline = IncrementalSQLServerParquetPipeline(config)
        self._sink, self._results = sink, results

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipeline.close()

    def run(self, *, on_event: EventSink, **arguments: Any) -> RunResult:
        def both(event: Event) -> None:
            on_event(event)
            self._sink(event)

        result = self._pipeline.run(on_event=both, **arguments)
        self._results.append(result)
        return result

    def partition_keys(self, table_name: str) -> list[str]:
        return self._pipeline.partition_keys(table_name)

    def probe(self, table_name: str) -> Mapping[str, Probe]:
        return self._pipeline.probe(table_name)

    def probe_within(self, *names: Any, **arguments: Any) -> TimedProbes:
        return self._pipeline.probe_within(*names, **arguments)

    def committed_of(self, table_names: Sequence[str]) -> Mapping[str, Mapping[str, CommittedUnit]]:
        return self._pipeline.committed_of(table_names)

    def committed(self, table_name: str) -> Mapping[str, CommittedUnit]:
        return self._pipeline.committed(table_name)

    def validate_all_tables(self, *names: Sequence[str], **arguments: Any) -> dict[str, Any]:
        return self._pipeline.validate_all_tables(*names, **arguments)

    @property
    def scd_handler(self) -> Any:
        return self._pipeline.scd_handler


class Orchestra:
    """The location over the demo's config, on the instance that `make dev` will show."""

    def __init__(self, config: PipelineConfig, instance: dg.DagsterInstance, sink: EventSink) -> None:
        self._instance = instance
        self._results: list[RunResult] = []

        def open_pipeline(composed: PipelineConfig) -> AbstractContextManager[Any]:
            return WatchedPipeline(composed, sink, self._results)

        settings = LocationSettings()
        self._definitions = build_definitions(config, settings=settings, open_pipeline=open_pipeline)
        self._named = build_location(config, settings=settings).named

    def look(self) -> Look:
        """Evaluate the sensors once, as the daemon would; what they observed is recorded."""
        requests: list[Request] = []
        quiet: dict[str, str] = {}
        for name in (BOUNDARIES, TIMESTAMPS, HASHES):
            context = dg.build_sensor_context(instance=self._instance, definitions=self._definitions)
            found = self._definitions.resolve_sensor_def(self._named(name))(context)
            if not isinstance(found, dg.SensorResult):
                raise TypeError(f"sensor {name} returned {type(found).__name__}")
            for event in found.asset_events:
                self._instance.report_runless_asset_event(event)
            requests += [_described(name, request) for request in found.run_requests or []]
            if found.skip_reason is not None:
                quiet[name] = str(found.skip_reason.skip_message)
        return Look(tuple(requests), quiet)

    def run(self, request: Request) -> tuple[UnitResult, ...]:
        """Materialise what a sensor asked for. Returns what the core did. Raises DagsterRunFailed."""
        asked = request.request
        self._results.clear()
        job = self._definitions.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection=set(asked.asset_selection or []), asset_check_selection=set(asked.asset_check_keys or [])
        )
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = job.execute_in_process(
            instance=self._instance,
            partition_key=asked.partition_key,
            tags={**asked.tags, "dagster/sensor_name": self._named(request.sensor)},
            run_config={**asked.run_config, **quiet},
            raise_on_error=False,
        )
        units = tuple(unit for each in self._results for unit in each.units)
        if not result.success:
            raise DagsterRunFailed(
                f"the Dagster run for {request.table} failed: {_failure(result)}",
                remedy="`dltsync demo --ui` shows the run with its log",
            )
        return units


def _described(sensor: str, request: dg.RunRequest) -> Request:
    tags = request.tags
    target = f"{tags[RANGE_START]} … {tags[RANGE_END]}" if RANGE_START in tags else request.partition_key or "the table"
    (key,) = request.asset_selection or []
    return Request(sensor, key.path[-1], target, tags.get("dltsync/reason", ""), request)


def _failure(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                return str(data.user_failure_data.description)
            if data.error is not None:
                return str((data.error.cause or data.error).message).strip()
    return "see its log"
