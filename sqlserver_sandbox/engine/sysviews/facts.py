"""What the system views need beyond the declared catalogue: row counts and the sessions there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlserver_sandbox.tsql.catalogue import Database, Table


@dataclass(frozen=True)
class SessionRow:
    """One row of sys.dm_exec_sessions, and the explicit transaction that the session has open (`transaction_id` 0: none), with
    the databases it has written to and since when."""

    session_id: int
    login: str
    host: str
    program: str
    database_id: int
    isolation: int
    open_transactions: int
    transaction_id: int = 0
    written: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Facts:
    """`count_rows` gives the rows of each partition of a table, first partition first, in the statement's own snapshot."""

    count_rows: Callable[[Database, Table], list[int]]
    sessions: Callable[[], list[SessionRow]]
