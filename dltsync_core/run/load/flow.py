"""The flow of one unit: extract, publish, load, validate, commit. A crash anywhere costs time and never rows.

Each stage leaves something the next plan recognises: staged files are private and read by nobody; a published load that no
committed unit names is loaded again; the warehouse is replaced by scope or key, so loading twice changes nothing; the ledger is
written last, compare-and-set.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from dltsync_core import checkpoints
from dltsync_core.committed import CommitChange
from dltsync_core.config import SCDTableConfig
from dltsync_core.errors import (
    Fenced,
    LakeError,
    LakeUnreachable,
    StateError,
    SyncError,
    ValidationFailed,
)
from dltsync_core.identity import new_load_id
from dltsync_core.plan.steps import Action
from dltsync_core.run.context import RunContext
from dltsync_core.run.load.from_lake import InLake, find_in_lake
from dltsync_core.run.load.group_load import GroupLoader, WaitingLoad
from dltsync_core.run.load.prepublish_checks import count_increment, refusal, rows_in_lake
from dltsync_core.run.load.records import commit_change, load_requests
from dltsync_core.run.load.resume import ResumableRows
from dltsync_core.run.load.stage import Staged, stage_unit
from dltsync_core.run.load.undo import confirm_loads, release_loads, undone
from dltsync_core.run.load.unit import UnitWork
from dltsync_core.run.load.verify import (
    counts_after_load,
    disagreement,
    figures_after_load,
    other_values,
    stamps_differ,
)
from dltsync_core.run.planning.resolved import PreparedTable
from dltsync_core.run.result import UnitResult
from dltsync_core.run.retry import with_retries
from dltsync_core.state.lease_rows import Lease
from dltsync_core.state.leases import Held
from dltsync_core.state.records import LoadStatus
from dltsync_core.validate.counts import difference

log = logging.getLogger("dltsync.run")


class TableRun:
    """Some units of one table, under one lease."""

    def __init__(self, context: RunContext, prepared: PreparedTable, held: Held, loader: GroupLoader) -> None:
        self._context = context
        self._loader = loader
        self._held = held
        self._prepared = prepared
        self._shape = prepared.resolved
        self._committed_units = prepared.committed_units
        self._reporter = context.reporter

    def run_group(self, works: Sequence[UnitWork]) -> tuple[UnitResult, ...]:
        """Bring units to their commit together: all of them, or none. Never raises an Exception: failures are results."""
        raised: Exception | None = None
        try:
            with self._loader.coming(works[:1]):  # the others of a group follow it, one after another
                self._bring_in(works)
            confirm_loads(self._context, self._shape, works)
            self._commit(works)
        except Exception as error:  # noqa: BLE001 -- one unit's surprise must not stop the other tables
            raised = undone(self._context, self._shape, works, error)
        finally:
            release_loads(self._context, self._shape, works)
            for work in works:
                if work.staged is not None:
                    work.staged.load.discard()
        if raised is not None:
            # Reported outside of its handling: a log handler that fails would print what is being handled, secrets and all.
            return self._reporter.failed(self._shape.name, works, self._overtaken() or raised)
        return tuple(work.result("committed") for work in works)

    def _bring_in(self, works: Sequence[UnitWork]) -> None:
        for work in works:
            work.began()
            self._reporter.record(work, LoadStatus.PLANNED, detail=work.reason)
        checkpoints.reached(checkpoints.PLANNED)
        if all(work.step.action is Action.RELOAD for work in works):
            for work in works:
                self._reload(work)
        else:
            self._read(works)

    def _overtaken(self) -> Fenced | None:
        """What really happened when another run has taken our units over, whatever error that led to."""
        if self._held.given_back:
            return None
        try:
            self._held.renew()
            self._held.check()
        except Fenced as fenced:
            return fenced
        except SyncError:  # then the ledger is the problem, and the first error says so
            return None
        return None

    # -- stages -----------------------------------------------------------------------------------------------------

    def _read(self, works: Sequence[UnitWork]) -> None:
        with self._loader.reading(self._shape.name):
            for work in works:
                self._extract(work)
                self._add_up(work)
            self._publish(works)
        for work in works:
            self._load(work, last=work is works[-1])
            self._validate(work)

    def _reload(self, work: UnitWork) -> None:
        """Fill the warehouse from the lake. What proves to be damaged, or cannot be merged, is read from the source."""
        try:
            found = self._load_from_lake(work)
        except LakeUnreachable:
            raise
        except (LakeError, ValidationFailed) as error:
            what = "is damaged after all" if isinstance(error, LakeError) else "cannot be merged"
            self._read_instead(work, f"the lake {what}: {error.problem}")
            return
        self._validate(work)
        self._context.lake.expire(found.manifests[-1])

    def _load_from_lake(self, work: UnitWork) -> InLake:
        committed_unit = self._committed_units.live[work.step.unit]
        found = work.in_lake = find_in_lake(self._context, self._shape, work.step, committed_unit.lake)
        work.load_id, work.manifest = committed_unit.load_id, found.manifests[-1]
        work.files = tuple(a for manifest in found.manifests for a in self._context.lake.addresses(manifest))
        work.contracts = self._shape.contracts
        work.lake_rows = rows_in_lake(self._context, self._shape, found)
        checkpoints.reached(checkpoints.RELOADING)
        self._load(work)
        return found

    def _read_instead(self, work: UnitWork, reason: str) -> None:
        """Another load of the same unit, of all its rows, within the same unit of work."""
        self._begin_anew(work, reason)
        self._read([work])

    def _begin_anew(self, work: UnitWork, reason: str) -> None:
        self._reporter.note(work, LoadStatus.FAILED, detail=reason)
        if work.staged is not None:
            work.staged.load.discard()
        work.load_id, work.in_lake, work.manifest, work.lake_rows = new_load_id(), None, None, None
        work.reason = f"{work.reason}; {reason}"
        work.step = replace(work.step, action=Action.LOAD, reason=reason, window_low=None, window_high=None)
        self._reporter.note(work, LoadStatus.PLANNED, detail=reason)

    def _extract(self, work: UnitWork) -> None:
        kept, step = ResumableRows(), work.step
        committed = self._shape.committed_watermark(self._committed_units)

        def attempt() -> Staged:
            return stage_unit(self._context, self._shape, step, work.load_id, committed, kept)

        try:
            staged = with_retries(
                self._context, attempt, stage="extracting", table=step.table, unit=step.unit, load_id=work.load_id
            )
        finally:
            kept.discard()
        work.staged, work.step = staged, staged.step
        work.rows_read += staged.rows_read
        work.bytes_written += staged.files.bytes
        work.extract_seconds += staged.seconds
        self._reporter.reached(
            work,
            LoadStatus.EXTRACTED,
            rows=staged.rows_read,
            size=staged.files.bytes,
            message="; ".join(staged.warnings),
        )

    def _add_up(self, work: UnitWork) -> None:
        """An increment only adds and changes versions. When it and what was loaded before do not make what the source has, all
        versions are read in its place, or the unit fails: decided while lake and warehouse are as they were."""
        if work.step.action is not Action.LOAD_INCREMENT:
            return
        try:
            found = count_increment(self._context, self._shape, work.read)
        except LakeUnreachable:
            raise
        except LakeError as error:
            if not self._prepared.options.heal:
                raise
            self._begin_anew(work, f"the lake is damaged: {error.problem}")
        else:
            if found.adds_up:
                work.lake_rows = found.loaded
                return
            if not self._may_resync():
                raise refusal(self._shape, work.read, found)
            self._begin_anew(work, f"the increment does not add up: {found}; all are read again")
        self._extract(work)

    def _publish(self, works: Sequence[UnitWork]) -> None:
        """Make a group visible. The last member retires what vanished: until then the lake shows too much, never too
        little, and a stop in between is seen by the next plan."""
        self._context.raise_if_stopped()
        for work in works:
            staged = work.read
            last = work is works[-1]
            whole = work.step.kind == "scd" and work.step.action is Action.LOAD
            manifest = self._context.lake.publish(
                staged.files,
                fence=self._lease().fence,
                retire=work.step.replaces if last else (),
                retire_all=whole,
                still_ours=self._held.check,
            )
            work.manifest = manifest
            work.files = self._context.lake.addresses(manifest)
            work.contracts = self._shape.contracts
        for work in works:
            self._reporter.reached(work, LoadStatus.PUBLISHED, rows=work.read.rows_read, size=work.bytes_written)
        checkpoints.reached(checkpoints.PUBLISHED)

    def _load(self, work: UnitWork, *, last: bool = True) -> None:
        """`last` of its group: only then all rows of what was removed have been taken over."""
        self._context.raise_if_stopped()
        if work.manifest is None:
            raise StateError(f"{work.step.table} {work.step.unit}: nothing was published to load")
        self._reporter.unit("loading", work, rows=work.rows_to_load)
        retires = work.step.replaces if last else ()
        about = work.step.table, work.step.unit, work.load_id
        with ExitStack() as files, self._context.reporter.about(*about):
            fence = self._lease().fence
            requests = list(load_requests(self._context, self._shape, work, files, retires, fence=fence))
            self._loader.load(WaitingLoad(self._shape, work, requests, self._may_write))
        self._reporter.reached(work, LoadStatus.LOADED, rows=work.rows_to_load)
        checkpoints.reached(checkpoints.LOADED)

    def _may_write(self) -> None:
        """Raises Stopped or Fenced."""
        self._context.raise_if_stopped()
        self._lease()

    def _validate(self, work: UnitWork) -> None:
        started = time.perf_counter()
        counts = work.counts = counts_after_load(self._context, self._shape, work)
        work.validate_seconds += time.perf_counter() - started
        if not counts.equal:
            if work.step.action in (Action.LOAD_INCREMENT, Action.RELOAD) and self._may_resync():
                self._read_instead(
                    work, f"the load does not add up ({difference(counts)}): all versions are read again"
                )
                return
            raise disagreement(self._shape, work, counts)
        if stamps_differ(work):
            self._read_instead(work, "a stamp changed below what the increment read, so all versions are read again")
            return
        self._compare_load(work)
        self._reporter.reached(work, LoadStatus.VALIDATED, rows=counts.source)
        checkpoints.reached(checkpoints.VALIDATED)

    def _compare_load(self, work: UnitWork) -> None:
        """A load that replaced a unit: what its files say of their columns, against what the warehouse made of them. Raises
        ValidationFailed."""
        started = time.perf_counter()
        work.compared = figures_after_load(self._context, work)
        work.validate_seconds += time.perf_counter() - started
        if any(not figure.equal for figure in work.compared):
            raise other_values(work)

    def _commit(self, works: Sequence[UnitWork]) -> None:
        changes = [commit_change(self._context, self._shape, work, self._committed_units) for work in works]
        gone = sorted({unit for work in works for unit in work.step.replaces})
        changes += [CommitChange(unit, self._committed_units.generation(unit), None) for unit in gone]
        committed = [self._reporter.line(work, LoadStatus.COMMITTED, rows=work.known.source_rows) for work in works]
        events = [*(line for work in works for line in work.lines), *committed]
        self._context.ledger.commit(self._shape.name, changes, events, lease=self._lease(), give_back=True)
        self._held.given_back = True
        checkpoints.reached(checkpoints.COMMITTED)
        for work in works:
            self._reporter.unit("committed", work, rows=work.rows_to_load)

    def _may_resync(self) -> bool:
        return isinstance(self._shape.config, SCDTableConfig) and self._shape.config.on_count_mismatch == "resync"

    def _lease(self) -> Lease:
        """The lease, asked for again before every effect. Raises Fenced when another run has taken over."""
        self._held.check()
        return self._held.lease
