"""One error tree. Each message says what is wrong, where, and what to do about it.

Everything dltsync raises on purpose derives from `SyncError`. Facts ride along as attributes, `is_transient` says
whether the same thing tried again can succeed, and `exit_code` is what the command line returns for it.
"""

from __future__ import annotations

from typing import ClassVar


class SyncError(Exception):
    """An error that dltsync can explain.

    `problem` says what is wrong and where; `remedy` says what to do. Neither may hold a secret: messages reach logs,
    terminals and Dagster metadata. Extra keyword facts (table, column, partition, number …) are kept in `facts`.
    """

    is_transient: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, *, remedy: str = "", **facts: object) -> None:
        super().__init__(problem if not remedy else f"{problem}\n  -> {remedy}")
        self.problem = problem
        self.remedy = remedy
        self.facts: dict[str, object] = facts


class ConfigError(SyncError):
    """The request or the config is invalid or impossible. Nothing was read or written."""

    exit_code = 2


class EnvironmentProblem(SyncError):
    """This machine lacks something: a system library, a directory that can be written, room on the disk."""

    exit_code = 3


class DriverMissing(EnvironmentProblem):
    """An ODBC driver or one of the system libraries it links cannot be loaded."""


class NotWritable(EnvironmentProblem):
    """A directory or file of the lake, the state or the warehouse cannot be written."""


class DiskFull(EnvironmentProblem):
    """The disk was full while writing. Private files have been removed; nothing was published."""


class ConnectError(SyncError):
    """No usable connection to the server."""

    exit_code = 4


class LoginFailed(ConnectError):
    """The server answered and refused the user or the database (18456, 4060, 18452 …)."""


class ServerUnreachable(ConnectError):
    """No server answered at this address within the connection timeout, or the connection broke."""

    is_transient = True


class CircuitOpen(ServerUnreachable):
    """Several connections to this server failed in a row, so none is tried for a while. Nothing was sent."""


class CertificateNotTrusted(ConnectError):
    """TLS is on and the server's certificate is not trusted by this machine."""


class QueryError(SyncError):
    """The server refused a statement. `facts` carry `number` (the engine's error number, when known) and `sqlstate`."""

    exit_code = 5


class TransientQueryError(QueryError):
    """The server refused a statement for now: deadlock victim, throttled, snapshot conflict, failover."""

    is_transient = True


class StatementTimeout(TransientQueryError):
    """A statement did not end within command_timeout and was cancelled: it hangs, or it is too slow for its limit."""


class UnsupportedServer(QueryError):
    """The server lacks a system view, column or function that dltsync reads: too old, or another engine."""


class CatalogError(SyncError):
    """The server does not have the object that the config names, or it differs from the config."""

    exit_code = 2


class TableNotFound(CatalogError):
    """No such table, or this login may not see it."""


class ColumnNotFound(CatalogError):
    """No such column in a table that exists."""


class NotPartitioned(CatalogError):
    """A table configured as partition table is not on a partition scheme."""


class UnsupportedColumn(CatalogError):
    """A column cannot be loaded exactly (yet). Exclude it, or choose another representation."""


class FidelityError(SyncError):
    """A value does not fit the exact type chosen for its column. The load was stopped; nothing was published."""

    exit_code = 6


class ExtractError(SyncError):
    """Rows could not be read completely: the count and the stream disagree, or the source changed during the read."""


class LakeError(SyncError):
    """A lake file or manifest is missing, torn or of another pipeline."""

    exit_code = 7


class OtherFormat(LakeError):
    """A file of the lake was written by another version of dltsync. It may be valid: only a person can decide."""


class LakeUnreachable(LakeError):
    """The lake's object store did not answer, or refused for now (throttled, unavailable). Nothing was published."""

    is_transient = True


class WarehouseError(SyncError):
    """The warehouse refused a load or holds something unexpected."""

    exit_code = 8


class WarehouseBusy(WarehouseError):
    """Another process has the warehouse file open and did not close it in time."""

    is_transient = True


class ValidationFailed(SyncError):
    """The rows of a load violate a check (keys, counts, quality rules: nothing was published), or source, lake and warehouse
    differ after it. The load was not committed."""

    exit_code = 9


class StateError(SyncError):
    """The ledger cannot be read or written."""

    exit_code = 10


class LedgerUnavailable(StateError):
    """The ledger's database is away or refused for now. A running transaction is written whole or not at all; the next read of
    the ledger shows which."""

    is_transient = True


class StateConflict(StateError):
    """Another run committed the same table or partition in between. Nothing was overwritten."""

    is_transient = True


class NeedsAnswer(StateError):
    """The state is ambiguous, and only a person can decide. Nothing was changed."""


class LeaseHeld(StateError):
    """Another run holds the lease on the same table or partition for longer than this one waits. Nothing was changed."""

    is_transient = True


class Fenced(StateConflict):
    """Another run took this unit over; this run published nothing."""


class DriftError(SyncError):
    """The columns of the source table changed in a way that its policy does not allow."""

    exit_code = 11


class RunFailed(SyncError):
    """Units of a run failed (and the caller asked for an exception). `facts["result"]` is the whole result."""
