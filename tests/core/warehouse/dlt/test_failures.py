"""What a driver or dlt refused becomes the error that says what to do, without a secret."""

from __future__ import annotations

import pytest

from dltsync_core.errors import (
    ConfigError,
    DiskFull,
    FidelityError,
    NotWritable,
    SyncError,
    WarehouseBusy,
    WarehouseError,
)
from dltsync_core.warehouse.dlt.failures import explained


class DriverError(Exception):
    """As psycopg2 raises them."""

    def __init__(self, message: str, pgcode: str | None) -> None:
        super().__init__(message)
        self.pgcode = pgcode


class ConfigFieldMissingException(KeyError):
    """dlt's, by its name."""


class MissingDependencyException(Exception):
    """dlt's, by its name."""


def wrapped(error: Exception) -> Exception:
    """As dlt wraps what a driver raised."""
    outer = RuntimeError("Pipeline execution failed at `step=load`, and much more")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "expected", "remedy"),
    [
        (DriverError("canceling statement due to lock timeout", "55P03"), WarehouseBusy, "lock_timeout_seconds"),
        (DriverError("deadlock detected", "40P01"), WarehouseBusy, "run again"),
        (DriverError("permission denied for database", "42501"), NotWritable, "right to create schemas"),
        (DriverError("cannot execute INSERT in a read-only transaction", "25006"), NotWritable, "right to create"),
        (DriverError("could not extend file: No space left on device", "53100"), DiskFull, "room"),
        (DriverError("numeric field overflow", "22003"), FidelityError, "exclude the column"),
        (DriverError("cannot alter type of a column used by a view", "0A000"), WarehouseError, "drop the view"),
        (DriverError("something else", "XX000"), WarehouseError, "correct what the message names"),
        (ConfigFieldMissingException("password"), ConfigError, "DESTINATION__POSTGRES__CREDENTIALS"),
        (MissingDependencyException("psycopg2"), ConfigError, "pip install"),
    ],
    ids=lambda value: getattr(value, "pgcode", None) or getattr(value, "__name__", ""),
)
def test_each_refusal_has_its_error_and_a_remedy(error: Exception, expected: type[SyncError], remedy: str) -> None:
    for raised in (error, wrapped(error)):
        found = explained(raised, "postgres", "loading", [])
        assert type(found) is expected
        assert remedy in found.remedy


def test_the_drivers_words_are_told_and_secrets_are_not() -> None:
    error = wrapped(DriverError("FATAL: login with  s3cret\nrefused", "28P01"))
    found = explained(error, "postgres", "opening a connection", ["s3cret"])
    assert "FATAL: login with *** refused" in str(found)
    assert "postgres" in str(found)
