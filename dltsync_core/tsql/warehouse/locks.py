"""The application lock of a target: one writer at a time, whatever process it is in.

The resource is a fixed prefix and a digest, because sp_getapplock cuts names of more than 255 characters without an error and
compares them by case. The procedure returns a code and raises nothing: 0 granted, 1 granted after a wait, below 0 not granted.
"""

from __future__ import annotations

from dltsync_core.tsql.fragments import Literal, Sql, Statement, sql

OPEN_TRANSACTION = 51001
LOCK_NOT_GRANTED = 51002
FENCED = 51003
BOUNDARIES_MOVED = 51004
OTHER_ROWS = 51005
ALREADY_SETTLED = 51006
OTHER_HISTORY = 51007
"""Numbers of the errors that the statements of this folder raise themselves (THROW takes 50000 and above)."""


def take_session_lock(resource: str, wait_ms: int) -> Statement:
    """One row `code`. The lock belongs to the session until it is released or the session ends."""
    return sql(
        "SET NOCOUNT ON;\nDECLARE @code int;\n"
        "EXEC @code = sys.sp_getapplock @Resource = {resource}, @LockMode = 'Exclusive', @LockOwner = 'Session', "
        "@LockTimeout = {wait};\nSELECT @code AS code;",
        resource=Literal(resource),
        wait=Literal(wait_ms),
    ).render()


def release_session_lock(resource: str) -> Statement:
    """One row `code`."""
    return sql(
        "SET NOCOUNT ON;\nDECLARE @code int;\n"
        "EXEC @code = sys.sp_releaseapplock @Resource = {resource}, @LockOwner = 'Session';\nSELECT @code AS code;",
        resource=Literal(resource),
    ).render()


def take_transaction_lock(resource: str, wait_ms: int) -> Sql:
    """Inside a transaction, with `@code` declared: the same lock until the transaction ends. A session lock is lost without
    notice when the connection breaks, so the transaction that publishes takes it again."""
    return sql(
        "EXEC @code = sys.sp_getapplock @Resource = {resource}, @LockMode = 'Exclusive', @LockOwner = 'Transaction', "
        "@LockTimeout = {wait};\n"
        "IF @code < 0 THROW 51002, N'dltsync: the application lock of the target was not granted', 1;\n",
        resource=Literal(resource),
        wait=Literal(wait_ms),
    )
