"""The catalogue as one statement sees it: databases in its snapshot, system views made from them."""

from __future__ import annotations

import re
from functools import lru_cache

from sqlserver_sandbox.engine.execution.session_state import SessionState
from sqlserver_sandbox.engine.store.row_counts import count_rows
from sqlserver_sandbox.engine.store.store import MASTER
from sqlserver_sandbox.engine.sysviews.facts import Facts, SessionRow
from sqlserver_sandbox.engine.sysviews.registry import build
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.bind.context import SystemView
from sqlserver_sandbox.tsql.catalogue import Database, Table

_EVERYTHING = re.compile(r"(?<!\()\s*\*")
"""A star that is not the one of COUNT(*): SELECT * needs every column."""


class StatementCatalogue:
    """Reads each database's catalogue once per statement, in the session's transaction.

    `text` is the batch that the statement stands in: no column that it does not mention is made ready. Without text all are.
    """

    def __init__(self, session: SessionState, text: str = "") -> None:
        self._session = session
        self._store = session.store
        self._database_id = session.database_id
        self._seen: dict[int, Database] = {}
        self._text = text
        self._views: dict[tuple[int, str, str], SystemView | None] = {}
        self.is_passing = False
        """Something was looked at that no catalogue's version tells: counted rows, sessions, a name that is not there."""
        self.listed: tuple[int, ...] | None = None
        """The databases that there are, once they were asked for."""

    @property
    def versions(self) -> tuple[tuple[int, int], ...]:
        """(database id, version) of the catalogues that were looked at."""
        return tuple((d.database_id, d.version) for d in self._seen.values())

    @property
    def current(self) -> Database:
        return self.by_id(self._database_id)

    def by_id(self, database_id: int) -> Database:
        if database_id not in self._seen:
            self._seen[database_id] = self._session.transaction.touch(database_id)
        return self._seen[database_id]

    def databases(self) -> tuple[Database, ...]:
        with self._store.commit_mutex:  # none is dropped meanwhile
            self.listed = tuple(self._store.database_ids())
            return tuple(self.by_id(i) for i in self.listed)

    def database(self, name: str) -> Database | None:
        found = self._store.find(name)
        self.is_passing |= found is None
        return self.by_id(found) if found is not None else None

    def system_view(self, database: Database, schema: str, name: str) -> SystemView | None:
        key = (database.database_id, schema.lower(), name.lower())
        if key not in self._views:
            canned = self._session.canned.of(database.database_id)
            self._check_server_view(schema, name)
            facts = Facts(self.count_rows, self._session_rows)
            seen = self._session.login.access.visible(database)
            self._views[key] = build(facts, seen, self.databases, schema, name, canned, mentioned_words(self._text))
        return self._views[key]

    def _check_server_view(self, schema: str, name: str) -> None:
        """300. SQL Server docs, sys.dm_tran_session_transactions and its like: VIEW SERVER STATE."""
        if f"{schema}.{name}".lower().startswith("sys.dm_tran_") and not self._views_server_state():
            raise SqlError(
                300, "VIEW SERVER STATE permission was denied on object 'server', database 'master'.", class_=14
            )

    def _views_server_state(self) -> bool:
        access = self._session.login.access
        if access.is_sysadmin:
            return True
        master = self.database(MASTER)
        return master is not None and access.holds_on_server(master, "VIEW SERVER STATE")

    def _session_rows(self) -> list[SessionRow]:
        """SQL Server docs, sys.dm_exec_sessions: everyone sees their own session."""
        self.is_passing = True
        if not self._views_server_state():
            return [self._session.row()]
        return _session_rows(self._session)

    def count_rows(self, database: Database, table: Table) -> list[int]:
        """The rows of each partition as the catalogue reports them: a fault can make them wrong."""
        self.is_passing = True
        counts = count_rows(self._session.connection, database, table)
        if self._session.interference is None:
            return counts
        return self._session.interference.counted(database.name, database.full_name(table), counts)


@lru_cache(maxsize=256)
def mentioned_words(text: str) -> frozenset[str] | None:
    """The words of a batch in lower case; None where it may need columns that it does not name."""
    if not text or _EVERYTHING.search(text):
        return None
    return frozenset(re.findall(r"\w+", text.lower()))


def _session_rows(session: SessionState) -> list[SessionRow]:
    return [other.row() for other in sorted(session.others(), key=lambda x: x.login.spid)]
