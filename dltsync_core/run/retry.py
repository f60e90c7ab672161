"""Trying again within a run: the policy of `connect.retrying`, with the run's patience, its voice and its stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dltsync_core.connect.retrying import Budget, Failed, retried
from dltsync_core.identity import TableName
from dltsync_core.run.events import Event, Stage
from dltsync_core.run.services import Services, log

T = TypeVar("T")


def patiently(
    services: Services, work: Callable[[], T], *, stage: Stage, table: TableName, unit: str, load_id: str | None = None
) -> T:
    """What `work` returns, tried again while its failure may pass and the run has patience left.

    Every failure that can pass is logged and told as an event of this stage and unit. Raises the last error, and Stopped as
    soon as the run is told to stop.
    """
    processing = services.config.processing

    def attempt() -> T:
        services.keep_going()
        return work()

    def tell(failure: Failed) -> None:
        log.warning("%s %s: %s", table, unit, failure.message)
        services.voice.say(Event(stage, table, unit, load_id, message=failure.message))

    return retried(
        attempt,
        Budget(processing.retry_attempts, processing.retry_budget_seconds),
        purse=services.patience,
        sleep=services.sleep,
        on_failure=tell,
    )
