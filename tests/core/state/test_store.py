"""Opening the ledger: nothing created by looking, nothing readable by others, and clear words when it cannot be used."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from dltsync_core.clock import utc_now
from dltsync_core.errors import ConfigError, NotWritable, StateError, SyncError
from dltsync_core.identity import TableName
from dltsync_core.state import server_store as server
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.store import Store
from dltsync_core.state.tables import FIRST_VERSION, VERSION, fences, versions

LOOK = """
import sqlite3, sys; connection = sqlite3.connect(sys.argv[1])
print(*(row[0] for row in connection.execute('SELECT i FROM x ORDER BY i')))
connection.execute('INSERT INTO x VALUES (2)'); connection.commit()
print(*connection.execute('SELECT max(i) FROM x').fetchone()); connection.close()
"""

as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def files_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_looking_at_a_ledger_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    with Ledger(Store(tmp_path / "state", writable=False), "dltsync") as ledger:
        assert ledger.committed_units(TableName("dbo", "T")).live == {}
        assert ledger.tables() == ()
    assert files_below(tmp_path) == []


def test_looking_at_a_ledger_leaves_its_directory_as_it_was(tmp_path: Path) -> None:
    Store(tmp_path).close()
    before = files_below(tmp_path)
    with Ledger(Store(tmp_path, writable=False), "dltsync") as ledger:
        assert ledger.tables() == ()
    assert files_below(tmp_path) == before == ["ledger.db"]


def test_only_the_owner_may_read_the_state(tmp_path: Path) -> None:
    Store(tmp_path / "state").close()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / "ledger.db").stat().st_mode) == 0o600


def test_side_files_of_an_open_ledger_are_private_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE x (i int)")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    store.close()
    assert set(modes.values()) == {0o600}
    assert "ledger.db-wal" in modes


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


def test_a_ledger_opened_for_planning_keeps_nothing_open(tmp_path: Path) -> None:
    with Store(tmp_path, writable=False).kept_open():
        assert files_below(tmp_path) == []


@pytest.mark.xdist_group("postgres")
def test_looking_at_a_server_without_a_ledger_makes_no_tables(postgres_url: str, tmp_path: Path) -> None:
    with Ledger(Store(tmp_path / "state", postgres_url, writable=False), "dltsync") as ledger:
        assert ledger.committed_units(TableName("dbo", "T")).live == {}
        assert ledger.tables() == ()
    engine = sa.create_engine(postgres_url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    assert files_below(tmp_path) == []


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, whatever its name says" * 200)
    with pytest.raises(
        StateError, match=r"is damaged.*\n.*newest copy from .*backups.*learns from lake and warehouse"
    ) as caught:
        Store(tmp_path)
    assert str(tmp_path / "ledger.db") in str(caught.value)


def test_the_copies_to_go_back_to_are_named_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "mine.db").write_bytes(b"this is no database, whatever its name says" * 200)
    with pytest.raises(StateError) as caught:
        Store(tmp_path / "state", f"sqlite:///{tmp_path}/mine.db")
    assert f"newest copy from {tmp_path / 'state' / 'backups'}" in caught.value.remedy


def test_a_ledger_of_a_newer_program_is_not_touched(tmp_path: Path, store_url: str | None) -> None:
    store = Store(tmp_path, store_url)
    with store.writing() as connection:
        connection.execute(sa.insert(versions).values(version=VERSION + 1, applied_at="then"))
    store.close()
    for writable in (True, False):
        with pytest.raises(StateError, match="written by a newer dltsync"):
            Store(tmp_path, store_url, writable=writable)


def test_a_ledger_of_an_unreleased_version_is_not_touched(tmp_path: Path, store_url: str | None) -> None:
    store = Store(tmp_path, store_url)
    with store.writing() as connection:
        connection.execute(sa.update(versions).values(version=FIRST_VERSION - 1))
    store.close()
    for writable in (True, False):
        with pytest.raises(StateError, match=r"version 2, which was never released.*\n.*move it away"):
            Store(tmp_path, store_url, writable=writable)


@as_root
def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(NotWritable, match=r"cannot be written.*\n.*state_directory") as caught:
            Store(tmp_path / "state")
    finally:
        tmp_path.chmod(0o700)
    assert str(tmp_path / "state") in str(caught.value)


def test_a_file_in_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a directory")
    with pytest.raises(NotWritable, match="state"):
        Store(tmp_path / "state")


@as_root
def test_a_ledger_that_may_only_be_read_can_still_be_planned_from(tmp_path: Path) -> None:
    Store(tmp_path).close()
    (tmp_path / "ledger.db").chmod(0o400)
    with Ledger(Store(tmp_path, writable=False), "dltsync") as ledger:
        assert ledger.tables() == ()
    with pytest.raises(NotWritable):
        Store(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "no url at all: hunter22",
        "nosuchdatabase://bob:hunter22@host/db",
        "postgresql+nosuchdriver://bob:hunter22@host/db",
        "sqlite://",
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="state_url") as caught:
        Store(tmp_path, url)
    assert "hunter22" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__ and ''}"


def test_what_a_driver_says_is_repeated_without_the_password(tmp_path: Path) -> None:
    store = Store(tmp_path, f"sqlite:///{tmp_path}/other.db?note=hunter22")
    with pytest.raises(SyncError) as caught, store.reading() as connection:
        connection.exec_driver_sql("SELECT * FROM hunter22")
    store.close()
    assert "hunter22" not in str(caught.value)
    assert "no such table: ***" in str(caught.value)


def test_a_server_that_does_not_answer_is_named_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"(?s)127\.0\.0\.1:9/ledger.*state_url and that the database is up") as caught:
        Store(tmp_path, "postgresql+psycopg://bob:hunter22@127.0.0.1:9/ledger")
    assert "hunter22" not in f"{caught.value!s} {caught.value.__cause__!r}"


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


def cut_connections(url: str) -> None:
    """As a restart of the server does, or a firewall."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    engine.dispose()


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


def test_a_file_by_url_is_the_same_as_by_directory(tmp_path: Path) -> None:
    Store(tmp_path / "here", f"sqlite:///{tmp_path}/there/mine.db").close()
    assert files_below(tmp_path) == ["there", "there/mine.db"]
    assert stat.S_IMODE((tmp_path / "there" / "mine.db").stat().st_mode) == 0o600


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
