"""What went wrong with one unit, as text that may be shown: our own errors as they are, others without secrets."""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass

from dltsync_core.config import PipelineConfig
from dltsync_core.errors import DiskFull, SyncError
from dltsync_core.lake.storage.object_errors import secrets_in_options
from dltsync_core.redaction import redacted, secrets_in_url


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
    """The text with the configured password, state URL and storage options blotted out, however they are spelt."""
    return redacted(text, secrets_of(config))


def secrets_of(config: PipelineConfig) -> tuple[str, ...]:
    """What must never be shown."""
    password, url, options = config.database.password, config.state.state_url, config.state.storage_options
    return (
        *((password.get_secret_value(),) if password is not None else ()),
        *(secrets_in_url(url.get_secret_value()) if url is not None else ()),
        *(secrets_in_options(options.get_secret_value()) if options is not None else ()),
    )


def traceback_of(error: BaseException, config: PipelineConfig) -> str:
    """The way to an unexpected error, for the log. Drivers and libraries may have put secrets into what they raised."""
    return without_secrets("".join(traceback.format_exception(error)), config)
