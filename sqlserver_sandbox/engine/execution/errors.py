"""What an error ends: its statement, its batch, the transaction, the connection."""

from __future__ import annotations

from sqlserver_sandbox.engine.execution.options import Options
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.refusal import NOT_SUPPORTED

ENDS_TRANSACTION = frozenset({235, 241, 242, 244, 245, 248, 295, 1205, 3952, 3960, 3961, 8114, 8169})
"""Errors that end the batch and roll back even while XACT_ABORT is OFF: conversions of text, deadlocks, snapshot conflicts."""
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
    return error.number in ENDS_TRANSACTION or error.class_ >= FATAL_CLASS or options.xact_abort


def ends_batch(error: SqlError, options: Options) -> bool:
    """Whether the statements after it are not run."""
    return error.number in ENDS_TRANSACTION or options.xact_abort or error.number not in ENDS_STATEMENT
