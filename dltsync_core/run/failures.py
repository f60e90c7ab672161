"""What went wrong with one unit, as text that may be shown: our own errors as they are, others without secrets."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from dltsync_core.config import PipelineConfig
from dltsync_core.errors import DiskFull, SyncError
from dltsync_core.lake.store_faults import without_options

HIDDEN = "***"


@dataclass(frozen=True)
class Failure:
    """`type` is the error's class, `exit_code` what the command line returns for it."""

    message: str
    type: str
    exit_code: int


def failure_of(error: BaseException, config: PipelineConfig) -> Failure:
    """The failure an error is. A full disk is recognised whoever ran into it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" at {error.filename}" if error.filename else ""
        error = DiskFull(f"no room left{place}", remedy="free some space and run again")
    if isinstance(error, SyncError):
        attempts = error.facts.get("attempts", 1)
        tried = f"\n  (after {attempts} attempts)" if isinstance(attempts, int) and attempts > 1 else ""
        return Failure(f"{error}{tried}", type(error).__name__, error.exit_code)
    text = str(error) or "no message"
    return Failure(without_secrets(text, config), type(error).__name__, SyncError.exit_code)


def without_secrets(text: str, config: PipelineConfig) -> str:
    """The text with the configured password, state URL and storage options blotted out."""
    for secret in (config.database.password, config.state.state_url):
        value = secret.get_secret_value() if secret is not None else ""
        if value:
            text = text.replace(value, HIDDEN)
    options = config.state.storage_options
    return text if options is None else without_options(text, options.get_secret_value())
