"""What rows of system views are made from: the declared catalogue, row counts, the sessions there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql.catalogue import Database, Table
from sqlserver_sandbox.tsql.values.datetimes import parse_datetime


@dataclass(frozen=True)
class SessionRow:
    """One row of sys.dm_exec_sessions."""

    session_id: int
    login: str
    host: str
    program: str
    database_id: int
    isolation: int
    open_transactions: int


@dataclass(frozen=True)
class Facts:
    """`count_rows` gives the rows of each partition of a table, first partition first, in the statement's own snapshot."""

    count_rows: Callable[[Database, Table], list[int]]
    sessions: Callable[[], list[SessionRow]]


@dataclass(frozen=True)
class Source:
    """`database` is the one whose view is read; `databases` gives all of them."""

    facts: Facts
    database: Database
    databases: Callable[[], tuple[Database, ...]]


def stored_time(text: str) -> object:
    """A catalogue time as datetime stores it."""
    return parse_datetime(text, SqlType("varchar"), SqlType("datetime"), None) if text else None
