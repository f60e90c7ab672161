"""Carry out plans: groups of steps in parallel, results in plan order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

from dltsync_core.identity import TableName
from dltsync_core.plan.steps import Action, Step
from dltsync_core.run.context import RunContext
from dltsync_core.run.load.group_load import GroupLoader
from dltsync_core.run.load.leased import LeasedRun, skipped
from dltsync_core.run.planning.resolved import PreparedTable
from dltsync_core.run.result import UnitResult
from dltsync_core.run.workers import Task, run_tasks

WAITING_LOADS = 28
"""Units that may wait for the warehouse while others are read: each has a thread, a lease, and published files."""


def execute(context: RunContext, tables: Sequence[PreparedTable], *, parallel: bool) -> list[UnitResult]:
    """Every step of every plan, as a result. Failures are results too; only an interrupt is raised."""
    processing = context.config.processing
    readers = processing.max_workers if parallel else 1
    per_table = processing.partition_parallel_limit if parallel else 1
    waiting = WAITING_LOADS if parallel else 0
    loader = GroupLoader(context, readers=readers, readers_per_table=per_table)
    results: dict[tuple[TableName, str], UnitResult] = {}
    tasks = []
    for prepared in tables:
        for step in prepared.plan.steps:
            if step.action is Action.SKIP:
                results[_key(step)] = skipped(context, prepared, step)
        run = LeasedRun(context, prepared, loader)
        table = str(prepared.plan.table)
        tasks += [Task(table, partial(run.run_group, group)) for group in prepared.plan.groups_to_load]
    with context.ledger.store.kept_open() if tasks else nullcontext():
        finished = run_tasks(
            tasks,
            workers=readers + waiting,
            per_group=per_table + waiting,
            stop=context.stop,
        )
    for done in finished:
        results.update({(result.table, result.unit): result for result in done})
    return [results[_key(step)] for prepared in tables for step in prepared.plan.steps]


def _key(step: Step) -> tuple[TableName, str]:
    return step.table, step.unit
