"""The flow of one unit: extract, publish, load, validate, commit. A crash anywhere costs time and never rows.

Each stage leaves something the next plan recognises: staged files are private and read by nobody; a published load that no
head names is loaded again; the warehouse is replaced by scope or key, so loading twice changes nothing; the ledger is
written last, compare-and-set.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from dltsync_core import checkpoints
from dltsync_core.clock import utc_now
from dltsync_core.config import SCDTableConfig, StaticTableConfig
from dltsync_core.errors import (
    LakeError,
    LakeUnreachable,
    StateConflict,
    StateError,
    SyncError,
    ValidationFailed,
)
from dltsync_core.identity import new_load_id
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.heads import Head, HeadChange, lake_digest
from dltsync_core.plan.steps import Action
from dltsync_core.run.continuing import KeptRows
from dltsync_core.run.events import Event, Stage
from dltsync_core.run.extraction import Staged, stage_unit
from dltsync_core.run.failures import failure_of, traceback_of
from dltsync_core.run.prepared import PreparedTable
from dltsync_core.run.reloading import InLake, dispositions, find_in_lake
from dltsync_core.run.result import UnitResult
from dltsync_core.run.retry import patiently
from dltsync_core.run.services import Services, Stopped
from dltsync_core.run.validation import differences_after_load
from dltsync_core.run.work import UnitWork
from dltsync_core.state.leases import Held, Lease
from dltsync_core.state.records import LoadEvent, LoadStatus
from dltsync_core.validate.counts import ThreeCounts, difference
from dltsync_core.warehouse.port import Disposition, LoadRequest, Marker

log = logging.getLogger("dltsync.run")

_TOLD_DIFFERENCES = 5


class TableRun:
    """Some units of one table, under one lease. Without a lease nothing can be written, only failures be told."""

    def __init__(self, services: Services, prepared: PreparedTable, held: Held | None) -> None:
        self._services = services
        self._held = held
        self._shape = prepared.shape
        self._heads = prepared.heads

    def run_family(self, works: Sequence[UnitWork]) -> tuple[UnitResult, ...]:
        """Bring units to their commit together: all of them, or none. Never raises an Exception: failures are results."""
        raised: Exception | None = None
        try:
            for work in works:
                work.began()
                self._tell(work, LoadStatus.PLANNED, detail=work.reason)
            checkpoints.reached(checkpoints.PLANNED)
            if all(work.step.action is Action.RELOAD for work in works):
                for work in works:
                    self._reload(work)
            else:
                self._read(works)
            self._commit(works)
        except Exception as error:  # noqa: BLE001 -- one unit's surprise must not stop the other tables
            raised = error
        finally:
            for work in works:
                if work.staged is not None:
                    work.staged.load.discard()
        if raised is not None:
            # Told outside of its handling: a log handler that fails would print what is being handled, secrets and all.
            return self.failed(works, self._overtaken(works) or raised)
        return tuple(work.result("committed") for work in works)

    # -- stages -----------------------------------------------------------------------------------------------------

    def _read(self, works: Sequence[UnitWork]) -> None:
        for work in works:
            self._extract(work)
        self._publish(works)
        for work in works:
            self._load(work, last=work is works[-1])
            self._validate(work)

    def _reload(self, work: UnitWork) -> None:
        """Fill the warehouse from the lake. Files that turn out to be damaged are read from the source after all."""
        head = self._heads.live[work.step.unit]
        try:
            found = work.in_lake = find_in_lake(self._services, self._shape, work.step, head.lake)
            work.load_id, work.manifest = head.load_id, found.manifests[-1]
            work.files = tuple(a for manifest in found.manifests for a in self._services.lake.addresses(manifest))
            work.contracts = self._shape.mapping.contracts()
            checkpoints.reached(checkpoints.RELOADING)
            self._load(work)
        except LakeUnreachable:
            raise
        except LakeError as error:
            self._read_instead(work, f"the lake is damaged after all: {error.problem}")
            return
        self._validate(work)
        self._services.lake.tidy(found.manifests[-1])

    def _read_instead(self, work: UnitWork, reason: str) -> None:
        """Another load of the same unit, of all its rows, within the same unit of work."""
        self._tell(work, LoadStatus.FAILED, detail=reason)
        work.load_id, work.in_lake, work.manifest = new_load_id(), None, None
        work.reason = f"{work.reason}; {reason}"
        work.step = replace(work.step, action=Action.LOAD, reason=reason, window_low=None, window_high=None)
        self._tell(work, LoadStatus.PLANNED, detail=reason)
        self._read([work])

    def _extract(self, work: UnitWork) -> None:
        kept, step = KeptRows(), work.step
        committed = self._shape.committed_watermark(self._heads)

        def attempt() -> Staged:
            return stage_unit(self._services, self._shape, step, work.load_id, committed, kept)

        try:
            staged = patiently(
                self._services, attempt, stage="extracting", table=step.table, unit=step.unit, load_id=work.load_id
            )
        finally:
            kept.discard()
        work.staged, work.step = staged, staged.step
        work.rows_read += staged.rows_read
        work.bytes_written += staged.files.bytes
        work.extract_seconds += staged.seconds
        self._tell(work, LoadStatus.EXTRACTED, rows=staged.rows_read)
        self._say("extracted", work, rows=staged.rows_read, size=staged.files.bytes, message="; ".join(staged.warnings))

    def _publish(self, works: Sequence[UnitWork]) -> None:
        """Make a family visible. The last member retires what vanished: until then the lake shows too much, never too
        little, and a stop in between is seen by the next plan."""
        self._services.keep_going()
        for work in works:
            staged = _staged(work)
            last = work is works[-1]
            whole = work.step.kind == "scd" and work.step.action is Action.LOAD
            manifest = self._services.lake.publish(
                staged.files, fence=self._lease().fence, retire=work.step.replaces if last else (), retire_all=whole
            )
            work.manifest = manifest
            work.files = self._services.lake.addresses(manifest)
            work.contracts = self._shape.mapping.contracts()
        for work in works:
            self._tell(work, LoadStatus.PUBLISHED, rows=_staged(work).rows_read)
            self._say("published", work, rows=_staged(work).rows_read, size=work.bytes_written)
        checkpoints.reached(checkpoints.PUBLISHED)

    def _load(self, work: UnitWork, *, last: bool = True) -> None:
        """`last` of its family: only then all rows of what vanished have been taken over."""
        self._services.keep_going()
        if work.manifest is None:
            raise StateError(f"{work.step.table} {work.step.unit}: nothing was published to load")
        self._say("loading", work, rows=_rows(work))
        retires = work.step.replaces if last else ()
        if work.in_lake is not None:
            loads: list[str] = []
            for manifest, disposition in dispositions(self._shape, work.step, work.in_lake):
                loads.append(manifest.load_id)
                self._bring_in(work, manifest, disposition, loads)
        else:
            self._bring_in(work, work.manifest, self._shape.disposition_of(work.step), self._loads_of(work), retires)
        self._tell(work, LoadStatus.LOADED, rows=_rows(work))
        self._say("loaded", work, rows=_rows(work))
        checkpoints.reached(checkpoints.LOADED)

    def _bring_in(
        self,
        work: UnitWork,
        manifest: Manifest,
        disposition: Disposition,
        loads: Sequence[str],
        retires: tuple[str, ...] = (),
    ) -> None:
        """One load of the lake into the warehouse. `loads` are those the unit consists of afterwards."""
        about = work.step.table, work.step.unit, work.load_id
        with self._services.lake.files(manifest) as files, self._services.voice.about(*about):
            request = LoadRequest(
                target=self._shape.target,
                files=files,
                schema=self._shape.mapping.schema,
                disposition=disposition,
                load_id=manifest.load_id,
                hints={column.name: column.dlt_hint for column in self._shape.mapping.columns},
                marker=self._marker(work, manifest, loads),
                retires=retires,
            )
            with self._services.warehouse_turn:
                self._services.keep_going()
                self._lease()
                started = time.perf_counter()
                self._services.warehouse.load(request)
        work.load_seconds += time.perf_counter() - started

    def _validate(self, work: UnitWork) -> None:
        started = time.perf_counter()
        counts = work.counts = self._count(work)
        work.validate_seconds += time.perf_counter() - started
        if not counts.equal:
            if work.step.action in (Action.LOAD_INCREMENT, Action.RELOAD) and self._may_resync():
                self._resync(work, counts)
                return
            raise ValidationFailed(
                f"{work.step.table} {work.step.unit}: the places do not agree after the load: {difference(counts)}",
                remedy="nothing was committed; run again, and when it stays so compare the rows themselves",
                table=str(work.step.table),
                unit=work.step.unit,
            )
        self._compare_load(work)
        self._tell(work, LoadStatus.VALIDATED, rows=counts.source)
        self._say("validated", work, rows=counts.source)
        checkpoints.reached(checkpoints.VALIDATED)

    def _compare_load(self, work: UnitWork) -> None:
        """A load that replaced a unit: what its files say of their columns, against what the warehouse made of them. Raises
        ValidationFailed."""
        started = time.perf_counter()
        found = differences_after_load(self._services, self._shape, work)
        work.validate_seconds += time.perf_counter() - started
        if found:
            raise ValidationFailed(
                f"{work.step.table} {work.step.unit}: the warehouse holds other values than the lake: "
                + "; ".join(str(one) for one in found[:_TOLD_DIFFERENCES]),
                remedy="nothing was committed; run again, and when it stays so report it with this message",
                table=str(work.step.table),
                unit=work.step.unit,
                column=found[0].column,
            )

    def _resync(self, work: UnitWork, counts: ThreeCounts) -> None:
        """An increment that does not add up is followed by one load of the whole table, within the same unit of work."""
        reason = f"the increment does not add up ({difference(counts)}): versions were deleted, all are read again"
        if work.staged is not None:
            work.staged.load.discard()
        self._read_instead(work, reason)

    def _commit(self, works: Sequence[UnitWork]) -> None:
        changes = [
            HeadChange(work.step.unit, self._heads.generation(work.step.unit), self._head(work)) for work in works
        ]
        gone = sorted({unit for work in works for unit in work.step.replaces})
        changes += [HeadChange(unit, self._heads.generation(unit), None) for unit in gone]
        events = [self._event(work, LoadStatus.COMMITTED, rows=_known(work).source_rows) for work in works]
        self._services.ledger.commit(self._shape.name, changes, events, lease=self._lease())
        checkpoints.reached(checkpoints.COMMITTED)
        for work in works:
            self._say("committed", work, rows=_rows(work))

    # -- facts ------------------------------------------------------------------------------------------------------

    def _count(self, work: UnitWork) -> ThreeCounts:
        known = _known(work)
        with self._services.warehouse_turn:
            found = self._services.warehouse.count(self._shape.target, self._shape.scope_of(work.step.unit))
        kept = 0
        if isinstance(self._shape.config, StaticTableConfig) and self._shape.config.load_strategy == "upsert":
            kept = max(found - known.source_rows, 0)  # rows deleted at the source stay in the warehouse by definition
        return ThreeCounts(known.source_rows, self._lake_rows(work), found, kept)

    def _lake_rows(self, work: UnitWork) -> int:
        if work.step.kind == "scd":
            return self._services.lake.count(self._shape.name, work.step.unit, self._shape.keys)
        if work.manifest is None:
            return 0
        problems = self._services.lake.verify(work.manifest)
        if problems:
            raise LakeError(
                f"{work.step.table} {work.step.unit}: the published files are not whole: {problems[0]}",
                remedy="nothing was committed; check the disk and run again",
            )
        return work.manifest.rows

    def _may_resync(self) -> bool:
        return isinstance(self._shape.config, SCDTableConfig) and self._shape.config.on_count_mismatch == "resync"

    def _head(self, work: UnitWork) -> Head:
        known, counts = _known(work), work.counts
        if counts is None:
            raise StateError(f"{work.step.table} {work.step.unit}: nothing is committed that was not counted")
        return Head(
            table=self._shape.name,
            unit=work.step.unit,
            kind=work.step.kind,
            generation=self._heads.generation(work.step.unit) + 1,
            load_id=work.load_id,
            run_id=self._services.run_id,
            probe=known.probe,
            rows=counts.source,
            warehouse_rows=counts.warehouse,
            shape=self._shape.basis.shape,
            source=self._shape.basis.source,
            lake=lake_digest(self._loads_of(work)),
            committed_at=utc_now(),
            watermark=known.probe.watermark_high,
        )

    def _loads_of(self, work: UnitWork) -> list[str]:
        """The lake loads a unit consists of."""
        if work.step.kind != "scd":
            return [work.load_id]
        return [m.load_id for m in self._services.lake.current(self._shape.name).get(work.step.unit, ())]

    def _marker(self, work: UnitWork, manifest: Manifest, loads: Sequence[str]) -> Marker:
        known = _known(work)
        return Marker(
            pipeline=self._services.config.pipeline_name,
            table=self._shape.name,
            unit=work.step.unit,
            kind=work.step.kind,
            load_id=manifest.load_id,
            run_id=self._services.run_id,
            fence=self._lease().fence,
            rows=known.source_rows,
            probe=known.probe,
            watermark=manifest.watermark_high,
            shape=self._shape.basis.shape,
            source=self._shape.basis.source,
            lake=lake_digest(loads),
            written_at=utc_now(),
        )

    def _lease(self) -> Lease:
        """The lease, asked for again before every effect. Raises Fenced when another run has taken over."""
        if self._held is None:
            raise StateError(f"{self._shape.name}: nothing is written without a lease")
        self._held.check()
        return self._held.lease

    # -- telling ----------------------------------------------------------------------------------------------------

    def failed(self, works: Sequence[UnitWork], error: Exception) -> tuple[UnitResult, ...]:
        """Record and tell that units failed."""
        failure = failure_of(error, self._services.config)
        if not isinstance(error, (SyncError, Stopped)):
            log.error("%s: unexpected error\n%s", self._shape.name, traceback_of(error, self._services.config))
        for work in works:
            try:
                self._tell(work, LoadStatus.FAILED, detail=f"{failure.type}: {failure.message}")
            except SyncError as second:  # the ledger may be what failed; the first error is the one to report
                log.warning("%s: the failure could not be recorded: %s", self._shape.name, second)
            self._say("failed", work, message=failure.message)
        return tuple(work.result("failed", failure) for work in works)

    def _overtaken(self, works: Sequence[UnitWork]) -> StateConflict | None:
        """What really happened when files of ours vanished under us: another run published a newer load of the unit. That
        passes, whatever the error looks like that it led to."""
        try:
            live = self._services.lake.current(self._shape.name)
        except SyncError:  # then the lake is the problem, and the first error says so
            return None
        for work in works:
            shown = {manifest.load_id for manifest in live.get(work.step.unit, ())}
            if work.manifest is not None and work.manifest.load_id not in shown:
                return StateConflict(
                    f"{work.step.table} {work.step.unit}: another run published a newer load while this one was at work",
                    remedy="run again: it will see what the other run did",
                    table=str(work.step.table),
                    unit=work.step.unit,
                )
        return None

    def _event(self, work: UnitWork, status: LoadStatus, *, rows: int | None = None, detail: str = "") -> LoadEvent:
        step, run_id = work.step, self._services.run_id
        return LoadEvent(step.table, step.kind, step.unit, work.load_id, run_id, status, utc_now(), rows, detail)

    def _tell(self, work: UnitWork, status: LoadStatus, *, rows: int | None = None, detail: str = "") -> None:
        self._services.ledger.record(self._event(work, status, rows=rows, detail=detail))

    def _say(
        self, stage: Stage, work: UnitWork, *, rows: int | None = None, size: int | None = None, message: str = ""
    ) -> None:
        step = work.step
        self._services.voice.say(Event(stage, step.table, step.unit, work.load_id, rows, bytes=size, message=message))


def _staged(work: UnitWork) -> Staged:
    if work.staged is None:
        raise StateError(f"{work.step.table} {work.step.unit}: nothing was read yet")
    return work.staged


def _known(work: UnitWork) -> Staged | InLake:
    return work.in_lake if work.in_lake is not None else _staged(work)


def _rows(work: UnitWork) -> int:
    """The rows on their way to the warehouse."""
    return work.in_lake.rows if work.in_lake is not None else _staged(work).rows_read
