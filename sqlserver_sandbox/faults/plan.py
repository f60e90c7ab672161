"""A plan of misbehaviour as values: what goes wrong, where, and how often.

Kinds of statement, as `Where.kind` names them: select, insert, update, delete, truncate, bulk (the rows of INSERT BULK),
begin, commit, rollback (as text or as a driver's own request), definition (CREATE, ALTER, DROP), set, procedure, other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

KINDS = frozenset(
    {
        "select",
        "insert",
        "update",
        "delete",
        "truncate",
        "bulk",
        "begin",
        "commit",
        "rollback",
        "definition",
        "set",
        "procedure",
        "other",
    }
)


@dataclass(frozen=True)
class Where:
    """Which occasions a fault is for. Every part that is given must agree; what is None does not matter.

    `connection` is the number of the connection since the plan was set, from 1. `application`, `table` and `pattern` are
    regular expressions, searched without regard to case: in the client's program name, in `schema.table` as the statement
    writes it, and in the text of the batch. Of the occasions that agree, the first `skip` are let pass, then `times` are hit
    (None: all), each with `probability`, drawn from the plan's seed. With `per_connection` every connection counts anew.
    """

    connection: int | None = None
    application: str | None = None
    database: str | None = None
    table: str | None = None
    kind: str | None = None
    pattern: str | None = None
    skip: int = 0
    times: int | None = 1
    probability: float = 1.0
    per_connection: bool = False


# ---- at a connection -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class ResetAtAccept:
    """The connection is taken and reset at once, before a byte."""


@dataclass(frozen=True)
class BreakTls:
    """The handshake goes wrong: `garbage` instead of the server's hello, or `close` in the middle of it."""

    how: str = "garbage"


@dataclass(frozen=True)
class RefuseLogin:
    """The login is answered with this error."""

    number: int = 18456
    message: str | None = None


# ---- at a statement --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Fail:
    """The statement ends with an error of SQL Server's severity and with its effect on the transaction.

    Before it did anything; with `rows`, after so many of its rows were sent. `message`, `severity` and `state` replace those
    of the number; a number that is not known needs a message.
    """

    number: int
    message: str | None = None
    severity: int | None = None
    state: int = 1
    rows: int | None = None


@dataclass(frozen=True)
class Drop:
    """The connection breaks: `reset` (RST) or `close` (FIN).

    `before` the statement did anything; `after` it took effect, its answer lost; with `rows` or `bytes` after so much of
    its answer.
    """

    when: str = "before"
    rows: int | None = None
    bytes: int | None = None
    how: str = "reset"


@dataclass(frozen=True)
class Stall:
    """Nothing comes: for `seconds`, or (None) until the client cancels or leaves; with `deaf` a cancel is not heard either.

    Before the statement does anything; with `rows` or `bytes` after so much of its answer.
    """

    seconds: float | None = None
    deaf: bool = False
    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Drip:
    """From this answer on the connection gives `bytes_per_second`."""

    bytes_per_second: int = 1024


@dataclass(frozen=True)
class Failover:
    """The database moves: every connection breaks, and the next `logins` logins get 40613."""

    logins: int = 1


# ---- untrue answers --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Tear:
    """The answer's rows are not the table's: `rows` fewer (negative) or more (positive, the first one again)."""

    rows: int = -1


@dataclass(frozen=True)
class Miscount:
    """sys.partitions, sys.dm_db_partition_stats and sp_statistics are off by `rows` in each partition, never below 0."""

    rows: int = 1


Action: TypeAlias = ResetAtAccept | BreakTls | RefuseLogin | Fail | Drop | Stall | Drip | Failover | Tear | Miscount


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    do: Action
    where: Where = Where()


@dataclass(frozen=True)
class Plan:
    """Everything that goes wrong. Where several faults meet at one occasion, the first of them happens."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0
