"""Trying again within a run: the policy of `connect.retry`, with the run's retry budget, its reporter and its stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dltsync_core.connect.retry import Budget, FailedAttempt, run_with_retries
from dltsync_core.identity import TableName
from dltsync_core.run.context import RunContext
from dltsync_core.run.events import Stage

T = TypeVar("T")


def with_retries(
    context: RunContext, work: Callable[[], T], *, stage: Stage, table: TableName, unit: str, load_id: str | None = None
) -> T:
    """What `work` returns, tried again while its failure may pass and the run has patience left.

    Every failure that can pass is logged, and is an event of this stage and unit. Raises the last error, and Stopped as
    soon as the run is told to stop.
    """
    processing = context.config.processing

    def attempt() -> T:
        context.raise_if_stopped()
        return work()

    def report(failure: FailedAttempt) -> None:
        context.reporter.retrying(stage, table, unit, load_id, failure.message)

    return run_with_retries(
        attempt,
        Budget(processing.retry_attempts, processing.retry_budget_seconds),
        shared_budget=context.patience,
        sleep=context.sleep,
        on_failure=report,
    )
