"""What every part of one run needs: the rooms it uses, its reporter, its stop, how they are opened, and the locks of
units for what writes outside of a load (a repair, an answer to recovery)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from dltsync_core.committed import Marker
from dltsync_core.config import PipelineConfig
from dltsync_core.connect.retry import SharedRetryBudget
from dltsync_core.identity import TableName, Target, new_run_id, slashed
from dltsync_core.lake.lake import Lake
from dltsync_core.logging import bound
from dltsync_core.process import this_process
from dltsync_core.run.failures import Stopped
from dltsync_core.run.ports import Source
from dltsync_core.run.reporting import RunReporter
from dltsync_core.state.leases import Held, Leases
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.ledger_retry import LOOKING_SECONDS, Patience
from dltsync_core.state.store import Store
from dltsync_core.warehouse.port import Warehouse

log = logging.getLogger("dltsync.run")


def wait_unless_stopped(stop: threading.Event, seconds: float) -> None:
    """Wait, but not longer than until `stop` is set. Raises Stopped then."""
    if stop.wait(seconds):
        raise Stopped


def source_name_of(config: PipelineConfig) -> str:
    """Server and database as committed units name them."""
    return slashed(config.database.server, config.database.database).casefold()


@dataclass(frozen=True)
class RunContext:
    """The rooms of one run. `server` and `database` name the source in footers; `stop` ends the run early.
    `warehouse_turn` is held around every use of the warehouse, so that the time a unit waits for others of its own run does
    not count against the time it may wait for strangers. `patience` is what all units together may wait between attempts.
    """

    config: PipelineConfig
    source: Source
    lake: Lake
    warehouse: Warehouse
    ledger: Ledger
    leases: Leases
    reporter: RunReporter
    run_id: str
    stop: threading.Event
    warehouse_turn: threading.RLock = field(default_factory=threading.RLock)
    patience: SharedRetryBudget = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "patience", SharedRetryBudget(self.config.processing.run_retry_budget_seconds))

    @property
    def source_name(self) -> str:
        """Which server and database committed units belong to. Without the port: it changes when nothing else does."""
        return source_name_of(self.config)

    @contextmanager
    def warehouse_opened(self) -> Iterator[None]:
        """The warehouse, open and ours, for a load and the looks that belong to it."""
        with self.warehouse_turn, self.warehouse.opened():
            yield

    def raise_if_stopped(self) -> None:
        """Raises Stopped once the run was told to stop."""
        if self.stop.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, but not longer than until the run is told to stop. Raises Stopped then."""
        wait_unless_stopped(self.stop, seconds)


class Rooms(NamedTuple):
    """What stays when a run ends: it belongs to the pipeline."""

    source: Source
    lake: Lake
    warehouse: Warehouse


@contextmanager
def opened_ledger(
    config: PipelineConfig, reporter: RunReporter, stop: threading.Event, *, writable: bool
) -> Iterator[Ledger]:
    """The pipeline's ledger, for the block. Who only looks waits for it for a shorter time. Raises StateError."""
    state = config.state
    url = state.state_url.get_secret_value() if state.state_url is not None else None
    seconds = state.ledger_retry_seconds if writable else min(state.ledger_retry_seconds, LOOKING_SECONDS)
    patience = Patience(seconds, sleep=partial(wait_unless_stopped, stop), tell=reporter.warning)
    store = Store(state.state_directory, url, writable=writable, patience=patience)
    with Ledger(store, config.pipeline_name) as ledger:
        yield ledger


@contextmanager
def opened_context(
    config: PipelineConfig,
    rooms: Rooms,
    reporter: RunReporter,
    *,
    run_id: str | None,
    writable: bool,
    log_in_first: bool,
) -> Iterator[RunContext]:
    """A run with a ledger of its own, for the block, in which connections to the source stay open between uses. With
    `log_in_first` a login that fails leaves no trace on the disk. Raises StateError, and then ConnectError."""
    stop, run_id = threading.Event(), run_id or new_run_id()
    with ExitStack() as stack:
        stack.enter_context(bound(run_id=run_id))
        stack.enter_context(rooms.source.kept_open())
        if log_in_first:
            rooms.source.check()
        ledger = stack.enter_context(opened_ledger(config, reporter, stop, writable=writable))
        reporter.attach(ledger, run_id)
        yield RunContext(
            config=config,
            source=rooms.source,
            lake=rooms.lake,
            warehouse=rooms.warehouse,
            ledger=ledger,
            leases=Leases(
                ledger.store, config.pipeline_name, holder=str(this_process()), seconds=config.state.lease_seconds
            ),
            reporter=reporter,
            run_id=run_id,
            stop=stop,
        )


def highest_mark(context: RunContext, target: Target) -> int:
    """The highest fence that the warehouse has seen of a table; 0 for none."""
    with context.warehouse_turn:
        return highest_fence(context.warehouse.markers(target, context.config.pipeline_name))


def highest_fence(markers: Mapping[str, Marker]) -> int:
    """The highest fence of a table's loads, by their markers; 0 for none."""
    return max((marker.fence for marker in markers.values()), default=0)


@contextmanager
def with_unit_lock(context: RunContext, table: TableName, target: Target, units: Sequence[str]) -> Iterator[Held]:
    """No other run is at the units while the block runs. Waits as a run does; raises LeaseHeld, StateError."""
    with context.leases.held(
        table,
        units,
        at_least=max(highest_mark(context, target), context.lake.highest_sequence(table)),
        wait_seconds=context.config.state.lease_wait_seconds,
        on_wait=context.reporter.waiting,
        raise_if_stopped=context.raise_if_stopped,
    ) as held:
        yield held
