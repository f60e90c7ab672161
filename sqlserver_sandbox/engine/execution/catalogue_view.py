"""The catalogue as one statement sees it: databases in its snapshot, system views made from them."""

from __future__ import annotations

from sqlserver_sandbox.engine.store.store import Store
from sqlserver_sandbox.engine.store.transaction import TransactionState
from sqlserver_sandbox.engine.sysviews import registry as system_views
from sqlserver_sandbox.engine.sysviews.source import Facts
from sqlserver_sandbox.engine.testing.canned import NOTHING
from sqlserver_sandbox.tsql.bind.context import SystemView
from sqlserver_sandbox.tsql.catalogue import Database


class StatementCatalogue:
    """Reads each database's catalogue once per statement, in the session's transaction."""

    def __init__(self, store: Store, transaction: TransactionState, database_id: int, facts: Facts) -> None:
        self._store = store
        self._transaction = transaction
        self._database_id = database_id
        self._facts = facts
        self._seen: dict[int, Database] = {}
        self._views: dict[tuple[int, str, str], SystemView | None] = {}

    @property
    def current(self) -> Database:
        return self.by_id(self._database_id)

    def by_id(self, database_id: int) -> Database:
        if database_id not in self._seen:
            self._seen[database_id] = self._transaction.touch(database_id)
        return self._seen[database_id]

    def databases(self) -> tuple[Database, ...]:
        return tuple(self.by_id(i) for i in self._store.database_ids())

    def database(self, name: str) -> Database | None:
        found = self._store.find(name)
        return self.by_id(found) if found is not None else None

    def system_view(self, database: Database, schema: str, name: str) -> SystemView | None:
        key = (database.database_id, schema.lower(), name.lower())
        if key not in self._views:
            self._views[key] = system_views.build(
                self._facts,
                database,
                self.databases,
                schema,
                name,
                self._store.canned.get(database.database_id, NOTHING),
            )
        return self._views[key]
