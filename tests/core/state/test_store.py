"""Opening the ledger: nothing created by looking, nothing readable by others, and clear words when it cannot be used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from dltsync_core.errors import ConfigError, NotWritable, StateError, SyncError
from dltsync_core.identity import TableName
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.store import Store
from dltsync_core.state.tables import FIRST_VERSION, VERSION, versions

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


def test_a_ledger_opened_for_planning_keeps_nothing_open(tmp_path: Path) -> None:
    with Store(tmp_path, writable=False).kept_open():
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


def test_a_file_by_url_is_the_same_as_by_directory(tmp_path: Path) -> None:
    Store(tmp_path / "here", f"sqlite:///{tmp_path}/there/mine.db").close()
    assert files_below(tmp_path) == ["there", "there/mine.db"]
    assert stat.S_IMODE((tmp_path / "there" / "mine.db").stat().st_mode) == 0o600
