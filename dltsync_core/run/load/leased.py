"""A unit belongs to one run at a time: it is leased before anything of it is read, and planned anew when another was at it.

The lease's fence orders everything the run writes. A process that was stopped for longer than its lease lasts and wakes up
again finds a higher fence at the lake, at the warehouse and at the ledger, each of which refuses it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from dltsync_core.errors import StateConflict, SyncError
from dltsync_core.identity import TableName
from dltsync_core.plan.retention import reading_also
from dltsync_core.plan.steps import Action, Step
from dltsync_core.run.context import RunContext, highest_mark, log
from dltsync_core.run.events import Event
from dltsync_core.run.failures import Stopped
from dltsync_core.run.load.flow import TableRun
from dltsync_core.run.load.group_load import GroupLoader
from dltsync_core.run.load.unit import UnitWork
from dltsync_core.run.planning.resolved import PreparedTable
from dltsync_core.run.planning.table import plan_table
from dltsync_core.run.result import UnitResult
from dltsync_core.state.leases import Held


class LeasedRun:
    """The units of one table, each under a lease. Families of units may run in different threads."""

    def __init__(self, context: RunContext, prepared: PreparedTable, loader: GroupLoader) -> None:
        self._context = context
        self._loader = loader
        self._prepared = prepared
        self._marked: int | None = None
        self._guard = threading.Lock()

    def run_group(self, steps: Sequence[Step]) -> tuple[UnitResult, ...]:
        """Bring units to their commit together: all of them, or none. Never raises an Exception: failures are results."""
        works = [UnitWork(step) for step in steps]
        table, units = self._prepared.resolved.name, _units(steps)
        done: tuple[UnitResult, ...] = ()
        try:
            with (
                self._context.reporter.about(table, steps[0].unit),
                self._context.leases.held(
                    table,
                    units,
                    at_least=self._highest_fence(table, units),
                    wait_seconds=self._context.config.state.lease_wait_seconds,
                    on_wait=self._context.reporter.waiting,
                    raise_if_stopped=self._context.raise_if_stopped,
                ) as held,
            ):
                if self._moved(table, units):
                    done = self._planned_anew(steps, held)
                else:
                    done = TableRun(self._context, self._prepared, held, self._loader).run_group(works)
        except (SyncError, Stopped) as error:
            if not done:
                return self._context.reporter.failed(table, works, error)
            log.warning("%s: the lease could not be given back, it expires by itself: %s", table, error)
        return done

    def _highest_fence(self, table: TableName, units: Sequence[str]) -> int:
        """Over lake and warehouse, so that a ledger that was lost never hands out a fence once more. Everything is looked at
        once; for each unit then only what may have come to it since.

        What the plan saw of the warehouse is enough: a load with a fence that is too low by now is refused there. To look again
        would be to wait for the loads of other tables before anything of this one is read."""
        lake = self._context.lake
        with self._guard:
            if self._marked is None:
                marked = self._prepared.warehouse_fence
                if marked is None:
                    marked = highest_mark(self._context, self._prepared.resolved.target)
                self._marked = max(marked, lake.highest_sequence(table))
        return max(self._marked, lake.highest_sequence_of(table, units))

    def _moved(self, table: TableName, units: Sequence[str]) -> bool:
        """Whether another run committed one of the units since the plan was made."""
        now = self._context.ledger.generations(table, units)
        return any(now.get(unit, 0) != self._prepared.committed_units.generation(unit) for unit in units)

    def _planned_anew(self, steps: Sequence[Step], held: Held) -> tuple[UnitResult, ...]:
        resolved = self._prepared.resolved
        options = replace(self._prepared.options, repair_state=False)  # the table's other units may be in other hands
        if resolved.config.kind == "partition":
            options = replace(options, partition_keys=frozenset(step.unit for step in steps))
        facts = reading_also(resolved.facts, ())  # what is out of retention and to be read all the same is found anew
        prepared = plan_table(self._context, resolved.config, facts, options)
        not_read = {one.unit: one.reason for one in prepared.plan.not_read}
        wanted = {step.unit for step in steps} - not_read.keys()
        planned = [step for step in prepared.plan.steps if step.unit in wanted]
        if {step.unit for step in planned} != wanted or not set(_units(planned)) <= set(held.lease.units):
            raise StateConflict(
                f"{resolved.name} {steps[0].unit}: another run changed the table's units while this one waited",
                remedy="run again: it will see what the other run did",
                table=str(resolved.name),
                unit=steps[0].unit,
            )
        works = [UnitWork(step) for step in planned if step.action is not Action.SKIP]
        done = TableRun(self._context, prepared, held, self._loader).run_group(works) if works else ()
        left = [step for step in planned if step.action is Action.SKIP]
        left += [replace(step, reason=not_read[step.unit]) for step in steps if step.unit in not_read]
        return (*done, *(skipped(self._context, prepared, step, "another run was at it meanwhile; ") for step in left))


def skipped(context: RunContext, prepared: PreparedTable, step: Step, why: str = "") -> UnitResult:
    """The result of a unit that is left alone."""
    committed_unit = prepared.committed_units.live.get(step.unit)
    reason, load_id = f"{why}{step.reason}", committed_unit.load_id if committed_unit else None
    result = UnitResult(
        table=step.table,
        kind=step.kind,
        unit=step.unit,
        status="skipped",
        reason=reason,
        load_id=load_id,
        watermark=committed_unit.watermark if committed_unit else None,
        probe_signature=committed_unit.probe.signature if committed_unit else None,
    )
    context.reporter.say(Event("skipped", step.table, step.unit, load_id, rows=0, message=reason, result=result))
    return result


def _units(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(sorted({unit for step in steps for unit in (step.unit, *step.replaces)}))
