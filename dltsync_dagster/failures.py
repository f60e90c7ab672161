"""The core's errors as Dagster failures: the message, and a retry only for transient errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import dagster as dg

from dltsync_core import errors
from dltsync_core.errors import SyncError
from dltsync_core.run.result import UnitResult


class Attempt(Protocol):
    """The attempts of an op's context."""

    @property
    def retry_number(self) -> int:
        """0 at the first attempt."""
        ...


class RetryPolicy(Protocol):
    """The retries of the settings, or of one table."""

    @property
    def retries(self) -> int:
        """Further attempts."""
        ...

    @property
    def retry_delay_seconds(self) -> float:
        """Before the first one; doubled for each further one."""
        ...


@contextmanager
def explained(attempt: Attempt, settings: RetryPolicy) -> Iterator[None]:
    """Turn a SyncError into Dagster's failure or retry request. Other errors are bugs and pass unchanged."""
    try:
        yield
    except SyncError as error:
        # `from None`: the message is complete; a traceback does not help a user of the UI.
        raise failure_for(
            str(error), {"dltsync/error": type(error).__name__}, attempt, settings, transient=error.is_transient
        ) from None


def failure_of_units(failed: Sequence[UnitResult], attempt: Attempt, settings: RetryPolicy) -> Exception:
    """One failure for all failed units. It is retried only when the error of each one is transient."""
    lines = [f"{unit.table} {unit.unit}: {unit.error}" for unit in failed]
    metadata: Mapping[str, str | list[str]] = {
        "dltsync/error": ", ".join(sorted({unit.error_type or "unknown" for unit in failed})),
        "dltsync/failed_units": [unit.unit for unit in failed],
    }
    transient = all(is_transient(unit.error_type) for unit in failed)
    return failure_for("\n".join(lines), metadata, attempt, settings, transient=transient)


def failure_for(
    message: str,
    metadata: Mapping[str, str | list[str]],
    attempt: Attempt,
    settings: RetryPolicy,
    *,
    transient: bool,
) -> Exception:
    """The exception to raise: RetryRequested for a transient error while attempts are left, else a final Failure."""
    failure = dg.Failure(description=message, metadata=metadata, allow_retries=False)
    if not transient or attempt.retry_number >= settings.retries:
        return failure
    again = dg.RetryRequested(
        max_retries=settings.retries,
        seconds_to_wait=settings.retry_delay_seconds * 2**attempt.retry_number,
    )
    again.__cause__ = failure
    return again


def is_transient(error_type: str | None) -> bool:
    """Whether an error of that name, from a unit's result, is transient."""
    found = getattr(errors, error_type or "", None)
    return isinstance(found, type) and issubclass(found, SyncError) and found.is_transient
