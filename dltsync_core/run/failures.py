"""What went wrong with one unit, as text that may be shown: our own errors as they are, others without secrets."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from dltsync_core.config import PipelineConfig
from dltsync_core.disk_full import disk_full, is_disk_full
from dltsync_core.errors import SyncError
from dltsync_core.redaction import redacted, secrets_of


class Stopped(Exception):
    """The run was told to stop; this unit published nothing more. No SyncError: nothing went wrong."""

    def __init__(self) -> None:
        super().__init__("stopped before it was done; nothing half finished is visible, run again to go on")


@dataclass(frozen=True)
class Failure:
    """`type` is the error's class, `exit_code` what the command line returns for it."""

    message: str
    type: str
    exit_code: int


def failure_of(error: BaseException, config: PipelineConfig) -> Failure:
    """The failure an error is. A full disk is recognised wherever it was met."""
    if isinstance(error, OSError) and is_disk_full(error):
        error = disk_full(f"at {error.filename}" if error.filename else "on the disk", "" if error.filename else error)
    if isinstance(error, SyncError):
        attempts = error.facts.get("attempts", 1)
        tried = f"\n  (after {attempts} attempts)" if isinstance(attempts, int) and attempts > 1 else ""
        return Failure(f"{error}{tried}", type(error).__name__, error.exit_code)
    text = str(error) or "no message"
    return Failure(redacted(text, secrets_of(config)), type(error).__name__, SyncError.exit_code)


def traceback_of(error: BaseException, config: PipelineConfig) -> str:
    """The traceback of an unexpected error for the log, without the secrets that drivers and libraries may have put into it."""
    return redacted("".join(traceback.format_exception(error)), secrets_of(config))
