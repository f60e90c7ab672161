"""What a run leaves for operators beside its result: entries of the log about itself, a JSON summary, Prometheus metrics."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dltsync_core.clock import utc_now
from dltsync_core.config import PipelineConfig
from dltsync_core.errors import EnvironmentProblem, NotWritable, SyncError
from dltsync_core.identity import new_run_id
from dltsync_core.log_file import replace_whole
from dltsync_core.logging import bound, log_file_of, reported
from dltsync_core.redaction import redacted, secrets_of
from dltsync_core.run.result import RunResult, UnitResult

log = logging.getLogger("dltsync.run")

LOCK_SECONDS = 10.0
"""How long a run waits for another one that writes the same metrics. Then it leaves them as they are, with a warning."""


class RunReports:
    """Writes the files of one run. Give it the result with `ended`."""

    def __init__(self, config: PipelineConfig, run_id: str) -> None:
        self._config, self.run_id = config, run_id
        self._result: RunResult | None = None

    def ended(self, result: RunResult) -> None:
        """The run has this result."""
        self._result = result

    def write(self, error: BaseException | None) -> None:
        """Write both files. One that cannot be written is a warning of the log: the run is over, and its rows are committed."""
        config = self._config
        try:
            if config.summary_file is not None:
                text = json.dumps(self._summary(error), indent=2, ensure_ascii=False, default=str)
                replace_whole(config.summary_file, redacted(text, secrets_of(config)) + "\n")
            if config.metrics_file is not None:
                with FileLock(f"{config.metrics_file}.lock", timeout=LOCK_SECONDS):
                    write_metrics(config.metrics_file, config.pipeline_name, self._result)
        except (OSError, Timeout, ValueError) as problem:
            log.warning("the summary or the metrics of this run could not be written: %s", problem)

    def _summary(self, error: BaseException | None) -> Mapping[str, Any]:
        facts: dict[str, Any] = {"pipeline_name": self._config.pipeline_name, "ended_at": utc_now().isoformat()}
        if self._result is not None:
            return {**facts, **self._result.as_dict()}
        if isinstance(error, SyncError):
            said = {"type": type(error).__name__, "message": error.problem, "remedy": error.remedy or None}
        else:
            said = {"type": type(error).__name__, "message": "the run was ended", "remedy": None}
        return {**facts, "run_id": self.run_id, "success": False, "error": said}


@contextmanager
def reported_run(config: PipelineConfig, run_id: str | None) -> Iterator[RunReports]:
    """The log and the files of a run, for the block that is the run. An error of the block is logged and raised again.

    Raises EnvironmentProblem without the extra that the metrics need, and NotWritable for a file that cannot be made, before the
    block begins.
    """
    _check(config)
    reports = RunReports(config, run_id or new_run_id())
    raised: BaseException | None = None
    with log_file_of(config), bound(run_id=reports.run_id):
        log.info("run started", extra={"dltsync": {"event": "run started"}})
        try:
            yield reports
        except BaseException as error:
            raised = error
            said = error.problem if isinstance(error, SyncError) else type(error).__name__
            facts = {"event": "run failed", "message": said}
            log.error("run failed: %s", said, extra={"dltsync": facts, **reported("raised")})  # noqa: TRY400 -- the caller reports it
            raise
        finally:
            reports.write(raised)


def write_metrics(path: Path, pipeline: str, result: RunResult | None) -> None:
    """Replace the metrics of the pipeline and of the tables of this run; those of other tables and pipelines stay, so that runs
    of single tables (Dagster's) share a file. `result` is None for a run that failed before it had one. Raises OSError, and
    ValueError for a file that holds no metrics."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile  # an extra

    before = _read_metrics(path)
    registry = CollectorRegistry()
    now = utc_now().timestamp()
    fresh = _series(pipeline, result, now)
    tables = {str(unit.table) for unit in result.units} if result is not None else set[str]()
    for name, (help_text, labels) in METRICS.items():
        gauge = Gauge(name, help_text, labels, registry=registry)
        others = {
            values: number
            for values, number in before.get(name, {}).items()
            if values[0] != pipeline
            or (len(labels) > 1 and (values[1] not in tables or name == "dltsync_table_last_success_timestamp_seconds"))
        }
        for values, number in {**others, **fresh.get(name, {})}.items():
            gauge.labels(*values).set(number)
    write_to_textfile(str(path), registry)


METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "dltsync_run_timestamp_seconds": ("When the last run ended, in seconds since 1970.", ("pipeline",)),
    "dltsync_run_success": ("1 when no unit of the last run failed, else 0.", ("pipeline",)),
    "dltsync_run_duration_seconds": ("How long the last run took.", ("pipeline",)),
    "dltsync_run_peak_memory_bytes": ("Most memory that the process of the last run had.", ("pipeline",)),
    "dltsync_table_units": ("Units of a table in its last run, by outcome.", ("pipeline", "table", "status")),
    "dltsync_table_rows_read": ("Rows that the last run of a table read from the source.", ("pipeline", "table")),
    "dltsync_table_bytes_written": ("Bytes that the last run of a table wrote to the lake.", ("pipeline", "table")),
    "dltsync_table_duration_seconds": ("Seconds of all units in the last run of a table.", ("pipeline", "table")),
    "dltsync_table_last_success_timestamp_seconds": (
        "When a run of a table last ended without a failed unit, in seconds since 1970.",
        ("pipeline", "table"),
    ),
}
"""Every metric: its help and its labels. All are gauges of the last run; Prometheus keeps the history."""

_Series = dict[str, dict[tuple[str, ...], float]]


def _series(pipeline: str, result: RunResult | None, now: float) -> _Series:
    """The values of a run, by metric and labels."""
    of_run = {"dltsync_run_timestamp_seconds": now, "dltsync_run_success": float(result is not None and result.success)}
    if result is not None:
        of_run["dltsync_run_duration_seconds"] = result.total_duration_seconds
        if result.peak_memory_mb is not None:
            of_run["dltsync_run_peak_memory_bytes"] = result.peak_memory_mb * 1_000_000
    found: _Series = {name: {(pipeline,): value} for name, value in of_run.items()}
    by_table: dict[str, list[UnitResult]] = {}
    for unit in result.units if result is not None else ():
        by_table.setdefault(str(unit.table), []).append(unit)
    for table, units in by_table.items():
        _add_table(found, (pipeline, table), units, now)
    return found


def _add_table(found: _Series, labels: tuple[str, str], units: Sequence[UnitResult], now: float) -> None:
    for status in ("committed", "skipped", "failed"):
        key = (*labels, status)  # on a line of its own: within brackets this needs Python 3.11
        found.setdefault("dltsync_table_units", {})[key] = sum(unit.status == status for unit in units)
    sums = {
        "dltsync_table_rows_read": sum(unit.rows_read for unit in units),
        "dltsync_table_bytes_written": sum(unit.bytes_written for unit in units),
        "dltsync_table_duration_seconds": sum(unit.duration_seconds for unit in units),
    }
    for name, value in sums.items():
        found.setdefault(name, {})[labels] = value
    if all(unit.status != "failed" for unit in units):
        found.setdefault("dltsync_table_last_success_timestamp_seconds", {})[labels] = now


def _read_metrics(path: Path) -> _Series:
    """The values of a file that `write_metrics` wrote; nothing when there is none."""
    from prometheus_client.parser import text_string_to_metric_families  # an extra

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return {
        family.name: {
            tuple(sample.labels.get(label, "") for label in METRICS[family.name][1]): sample.value
            for sample in family.samples
        }
        for family in text_string_to_metric_families(text)
        if family.name in METRICS
    }


def _check(config: PipelineConfig) -> None:
    if config.metrics_file is not None and importlib.util.find_spec("prometheus_client") is None:
        raise EnvironmentProblem(
            "metrics_file needs the package prometheus-client, which is not installed",
            remedy="pip install 'dltsync[metrics]', or remove metrics_file from the config",
        )
    for name in ("summary_file", "metrics_file"):
        path: Path | None = getattr(config, name)
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    raise IsADirectoryError(0, "it is a directory")
        except OSError as problem:
            raise NotWritable(
                f"{name}: {path} cannot be written: {problem.strerror}",
                remedy=f"choose another {name}, or give this user the right to write there",
                path=str(path),
            ) from problem
