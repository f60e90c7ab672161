"""Units held against every other run: for what writes outside of a load, such as a repair or an answer to recovery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dltsync_core.identity import TableName
from dltsync_core.run.services import Services
from dltsync_core.state.leases import Held
from dltsync_core.warehouse.port import Target


def highest_mark(services: Services, target: Target) -> int:
    """The highest fence that the warehouse has seen of a table; 0 for none."""
    with services.warehouse_turn:
        found = services.warehouse.markers(target, services.config.pipeline_name)
    return max((marker.fence for marker in found.values()), default=0)


@contextmanager
def exclusively(services: Services, table: TableName, target: Target, units: Sequence[str]) -> Iterator[Held]:
    """Nobody else is at the units while the block runs. Waits as a run does; raises LeaseHeld, StateError."""
    with services.leases.held(
        table,
        units,
        at_least=max(highest_mark(services, target), services.lake.highest_sequence(table)),
        wait_seconds=services.config.state.lease_wait_seconds,
        on_wait=services.voice.waiting,
        keep_going=services.keep_going,
    ) as held:
        yield held
