"""A ledger on a real PostgreSQL: what its server and its logins do to it; and a ledger in a file that several processes use."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from dltsync_core.clock import iso, utc_now
from dltsync_core.errors import NotWritable, StateError
from dltsync_core.identity import TableName
from dltsync_core.state import server_store as server
from dltsync_core.state.backup import back_up
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.store import Store
from dltsync_core.state.tables import VERSION, fences, versions
from tests.support.postgres_server import cut_connections


def files_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.mark.xdist_group("postgres")
def test_a_server_ledger_of_a_newer_program_is_not_touched(postgres_url: str, tmp_path: Path) -> None:
    store = Store(tmp_path, postgres_url)
    with store.writing() as connection:
        connection.execute(sa.insert(versions).values(version=VERSION + 1, applied_at=iso(utc_now())))
    store.close()
    for writable in (True, False):
        with pytest.raises(StateError, match="newer"):
            Store(tmp_path, postgres_url, writable=writable)


LOOK = """
import sqlite3, sys; connection = sqlite3.connect(sys.argv[1])
print(*(row[0] for row in connection.execute('SELECT i FROM x ORDER BY i')))
connection.execute('INSERT INTO x VALUES (2)'); connection.commit()
print(*connection.execute('SELECT max(i) FROM x').fetchone()); connection.close()
"""


def test_while_a_run_keeps_the_ledger_open_others_read_and_write_it(tmp_path: Path) -> None:
    """Closing the last connection copies the log into the file: three commits' time, for each of nine commits of a unit."""
    store = Store(tmp_path)
    with store.kept_open():
        for number in range(2):
            with store.writing() as connection:
                connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS x (i int)")
                connection.exec_driver_sql(f"INSERT INTO x VALUES ({number})")
            assert "ledger.db-wal" in files_below(tmp_path)
        told = subprocess.run(
            [sys.executable, "-c", LOOK, str(tmp_path / "ledger.db")], capture_output=True, text=True, check=True
        )
        assert told.stdout.split() == ["0", "1", "2"]
    assert files_below(tmp_path) == ["ledger.db"]
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT sum(i) FROM x").scalar_one() == 3


@pytest.mark.xdist_group("postgres")
def test_looking_at_a_server_without_a_ledger_makes_no_tables(postgres_url: str, tmp_path: Path) -> None:
    with Ledger(Store(tmp_path / "state", postgres_url, writable=False), "dltsync") as ledger:
        assert ledger.committed_units(TableName("dbo", "T")).live == {}
        assert ledger.tables() == ()
    engine = sa.create_engine(postgres_url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    assert files_below(tmp_path) == []


@pytest.mark.xdist_group("postgres")
@pytest.mark.survives(
    "state",
    "a login that may read the tables of a PostgreSQL ledger and not change them",
    "the right that is missing, and what to give",
    "nothing was written; planning works",
)
def test_a_login_that_may_only_read_can_plan_and_is_told_what_it_lacks(postgres_url: str, tmp_path: Path) -> None:
    owner = Store(tmp_path, postgres_url)
    role = f"reader_{os.urandom(4).hex()}"
    with owner.writing() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'hunter22'")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    reader_url = postgres_url.replace("//ledger@", f"//{role}:hunter22@")
    try:
        with Ledger(Store(tmp_path, reader_url, writable=False), "dltsync") as ledger:
            assert ledger.tables() == ()
        reader = Store(tmp_path, reader_url)
        with pytest.raises(NotWritable, match="permission denied for table dltsync_loads") as caught:
            Ledger(reader, "dltsync").prune(utc_now())
        reader.close()
        assert "give this login the right" in caught.value.remedy
        assert "hunter22" not in f"{caught.value!s} {caught.value.__cause__!r}"
    finally:
        with owner.writing() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
        owner.close()


@pytest.mark.xdist_group("postgres")
def test_who_waits_for_a_transaction_that_does_not_end_is_told(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LOCK_SECONDS", 1)
    first, second = Store(tmp_path, postgres_url), Store(tmp_path, postgres_url)
    with first.writing() as connection:
        connection.execute(sa.delete(fences))
        connection.execute(sa.insert(fences).values(table_key="t", fence=1))
        with pytest.raises(StateError, match="stayed locked by another process"), second.writing() as other:
            other.execute(sa.insert(fences).values(table_key="t", fence=1))
    first.close()
    second.close()


@pytest.mark.xdist_group("postgres")
def test_a_connection_that_was_cut_costs_at_most_the_transaction_it_was_in(postgres_url: str, tmp_path: Path) -> None:
    store = Store(tmp_path, postgres_url)

    def put(key: str, *, cut: bool) -> None:
        with store.writing() as connection:
            connection.execute(sa.insert(fences).values(table_key=key, fence=1))
            if cut:
                cut_connections(postgres_url)

    put("before", cut=False)
    cut_connections(postgres_url)
    put("between", cut=False)
    with pytest.raises(StateError, match="state_url and that the database is up"):
        put("inside", cut=True)
    put("after", cut=False)
    with store.reading() as connection:
        found = {row.table_key for row in connection.execute(sa.select(fences.c.table_key))}
    store.close()
    assert found == {"before", "between", "after"}


@pytest.mark.xdist_group("postgres")
def test_many_processes_may_open_an_empty_server_ledger_at_once(postgres_url: str, tmp_path: Path) -> None:
    """On a server nothing makes them queue but the tables themselves: all but one find them made by another."""
    start = threading.Barrier(8)
    failed: list[BaseException] = []

    def open_it() -> None:
        start.wait(60)
        try:
            Store(tmp_path, postgres_url).close()
        except BaseException as error:  # noqa: BLE001 -- told by the main thread
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []


IN_LITTLE_ROOM = """
import resource, signal, sys
from pathlib import Path
import sqlalchemy as sa
from dltsync_core.errors import DiskFull
from dltsync_core.state.store import Store
store = Store(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))
try:
    with store.writing() as connection:
        connection.execute(sa.text("CREATE TABLE big AS SELECT randomblob(1000000) AS b"))
except DiskFull as error:
    print(error)
"""


def test_a_limit_of_a_file_s_size_is_a_full_disk_to_the_ledger(tmp_path: Path) -> None:
    """SQLite calls it an I/O error, as it does a quota; what there is to do is the same."""
    ended = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_ROOM, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "no room left for the ledger" in ended.stdout, ended.stderr
    assert "free some space" in ended.stdout


@pytest.mark.xdist_group("postgres")
def test_a_ledger_on_a_server_is_not_copied_and_says_whose_work_that_is(postgres_url: str, tmp_path: Path) -> None:
    store = Store(tmp_path, postgres_url)
    assert back_up(store, tmp_path / "b", now=utc_now(), retention_days=90) is None
    with pytest.raises(StateError, match=r"(?s)makes no copies of it.*that server's own means") as caught:
        store.copy_to(tmp_path / "b" / "copy.db")
    store.close()
    assert "postgresql://" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
