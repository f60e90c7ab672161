"""What stays wrong with a ledger's server is said at once, with its remedy."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from dltsync_core.errors import DiskFull, LedgerUnavailable, NotWritable, StateError
from dltsync_core.state.ledger_retry import Patience
from dltsync_core.state.store import Store
from dltsync_core.state.tables import fences
from tests.support.postgres_server import PostgresServer

on_postgres = pytest.mark.xdist_group("postgres")

WRONG: list[tuple[str, str, type[Exception], str]] = [
    ("//ledger@", "//nobody@", StateError, "refused the login.*correct user and password"),
    ("//ledger@", "//locked:hunter22@", StateError, "refused the login.*correct user and password"),
    ("/ledger_", "/nosuch_", StateError, "has no such database.*create it"),
]


@on_postgres
def test_what_stays_wrong_is_said_at_once_with_its_remedy(own_postgres: PostgresServer, tmp_path: Path) -> None:
    """A user, a password, a database."""
    own_postgres.execute("CREATE DATABASE ledger_here")
    own_postgres.execute("CREATE ROLE locked LOGIN PASSWORD 'other'")
    access = own_postgres.data / "pg_hba.conf"
    access.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + access.read_text())
    own_postgres.execute("SELECT pg_reload_conf()")
    time.sleep(0.3)
    url = f"postgresql+psycopg://{own_postgres.address}/ledger_here"
    Store(tmp_path, url).close()
    told: list[str] = []
    for part, wrong, kind, words in WRONG:
        with pytest.raises(kind, match=f"(?s){words}") as caught:
            Store(tmp_path, url.replace(part, wrong), patience=Patience(30, tell=told.append))
        assert not isinstance(caught.value, LedgerUnavailable), wrong
        assert "hunter22" not in str(caught.value)
        assert told == [], wrong


@on_postgres
def test_a_table_that_is_missing_and_a_right_that_is_missing_are_said_at_once(
    postgres_url: str, tmp_path: Path
) -> None:
    told: list[str] = []
    store = Store(tmp_path, postgres_url, patience=Patience(30, tell=told.append))
    with store.writing() as connection:
        connection.exec_driver_sql("DROP TABLE dltsync_fences")
    with pytest.raises(StateError, match=r"(?s)lacks one of its tables.*dltsync_fences.*backup"):
        store.write(lambda connection: connection.execute(sa.insert(fences).values(table_key="x", fence=1)))
    with pytest.raises(NotWritable):
        store.read(
            lambda connection: connection.exec_driver_sql("SET TRANSACTION READ ONLY; DELETE FROM dltsync_loads")
        )
    assert told == []
    store.close()


@on_postgres
def test_a_disk_without_room_is_said_at_once(postgres_url: str, tmp_path: Path) -> None:
    told: list[str] = []
    store = Store(tmp_path, postgres_url, patience=Patience(30, tell=told.append))
    full = (
        "DO $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )
    with pytest.raises(DiskFull, match="no room left for the ledger"):
        store.write(lambda connection: connection.exec_driver_sql(full))
    assert told == []
    store.close()
