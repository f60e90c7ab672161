"""What makes Dagster's instances cheap for tests: less to read for each database, and copies of what is in one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.sql import ScriptDirectory  # type: ignore[attr-defined]  # alembic's, which Dagster brings


@contextmanager
def revisions_read_once() -> Iterator[None]:
    """Dagster stamps each database that it makes with alembic's newest revision, and alembic imports a hundred scripts to know
    it: here once for each kind of database, not for each of them."""
    read: dict[str, Any] = {}
    from_config = ScriptDirectory.from_config

    def once(config: Any) -> Any:
        place = config.get_main_option("script_location")
        if place not in read:
            read[place] = from_config(config)
        return read[place]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", once)
        yield


class Copied:
    """The runs and events of an ephemeral instance at one moment."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._databases = []
        for database in _databases(instance):
            copy = sqlite3.connect(":memory:")
            database.backup(copy)
            self._databases.append(copy)

    def into(self, instance: dg.DagsterInstance) -> None:
        """All of it, in place of what that ephemeral instance holds."""
        for copy, database in zip(self._databases, _databases(instance), strict=True):
            copy.backup(database)


def _databases(instance: dg.DagsterInstance) -> list[sqlite3.Connection]:
    """Those in memory, by the connections that an instance keeps open to them."""
    storages: tuple[Any, ...] = (instance.event_log_storage, instance.run_storage)
    return [storage._held_conn.connection.driver_connection for storage in storages]
