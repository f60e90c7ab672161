"""Units held against every other run: for what writes outside of a load, such as a repair or an answer to recovery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dltsync_core.identity import TableName, Target
from dltsync_core.run.context import RunContext
from dltsync_core.state.leases import Held


def highest_mark(context: RunContext, target: Target) -> int:
    """The highest fence that the warehouse has seen of a table; 0 for none."""
    with context.warehouse_turn:
        found = context.warehouse.markers(target, context.config.pipeline_name)
    return max((marker.fence for marker in found.values()), default=0)


@contextmanager
def with_unit_lock(context: RunContext, table: TableName, target: Target, units: Sequence[str]) -> Iterator[Held]:
    """Nobody else is at the units while the block runs. Waits as a run does; raises LeaseHeld, StateError."""
    with context.leases.held(
        table,
        units,
        at_least=max(highest_mark(context, target), context.lake.highest_sequence(table)),
        wait_seconds=context.config.state.lease_wait_seconds,
        on_wait=context.reporter.waiting,
        raise_if_stopped=context.raise_if_stopped,
    ) as held:
        yield held
