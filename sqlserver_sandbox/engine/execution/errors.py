"""What an error ends: its statement, its batch, the transaction, the connection."""

from __future__ import annotations

from sqlserver_sandbox.engine.execution.options import Options
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.refusal import NOT_SUPPORTED

ENDS_TRANSACTION = frozenset({235, 241, 242, 244, 245, 248, 295, 1205, 3952, 3960, 3961, 8114, 8169})
"""Errors that end the batch and roll back even while XACT_ABORT is OFF: conversions of text, deadlocks, snapshot conflicts."""
DEFERRED_NAMES = frozenset({207, 208})
"""A name that is found missing when the statement begins is not caught by a TRY around it (SQL Server docs: TRY...CATCH)."""
SWITCH_ERRORS = frozenset(
    {1088, 3756, 4900, *range(4903, 4916), 4918, *range(4938, 4988), 4993, 7722, 7728, 7729, 7733, *range(11400, 11407)}
    | {11412, 11413, 13546, 13577, 22750, 22751, 22842, 22843}
)
"""What SWITCH and TRUNCATE … WITH (PARTITIONS …) raise."""
# fmt: off
ENDS_STATEMENT = frozenset({
    220, 232, 512, 515, 517, 535, 536, 537, 544, 547, 1222, 2601, 2627, 2628, 3902, 3903, 8115, 8134, 8152, 8170, 50000,
})
# fmt: on
"""Errors after which the batch goes on while XACT_ABORT is OFF. All others end the batch and leave the transaction."""
FATAL_CLASS = 20
"""An error of this severity or above ends the connection."""


def ends_transaction(error: SqlError, options: Options) -> bool:
    """Whether the error rolls back, not only its own statement."""
    if error.number == NOT_SUPPORTED:
        return False
    return _ends_all(error.number) or error.class_ >= FATAL_CLASS or options.xact_abort


def _ends_all(number: int) -> bool:
    """A failing SWITCH or TRUNCATE of partitions rolls back whatever XACT_ABORT is, as observed at SQL Server."""
    return number in ENDS_TRANSACTION or number in SWITCH_ERRORS


def is_caught(error: SqlError, try_level: int | None, nesting: int) -> bool:
    """Whether the CATCH of a TRY that began `try_level` batches deep gets it. The sandbox's refusals are never caught."""
    if try_level is None or error.number == NOT_SUPPORTED or not 10 < error.class_ < FATAL_CLASS:
        return False
    return not (error.number in DEFERRED_NAMES and nesting == try_level)


def ends_batch(error: SqlError, options: Options) -> bool:
    """Whether the statements after it are not run."""
    return _ends_all(error.number) or options.xact_abort or error.number not in ENDS_STATEMENT
