"""Copies of the ledger can be opened, are private, and do not pile up."""

from __future__ import annotations

import sqlite3
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

from dltsync_core.state.backup import back_up, superfluous
from dltsync_core.state.store import Store

NOON = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)


def test_a_copy_holds_what_the_ledger_held_and_is_private(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE note (text)")
        connection.exec_driver_sql("INSERT INTO note VALUES ('before')")
    copy = back_up(store, tmp_path / "backups", now=NOON, retention_days=90)
    store.close()
    assert copy == tmp_path / "backups" / "ledger-20260115T120000000000Z.db"
    raw = sqlite3.connect(copy)
    assert raw.execute("SELECT text FROM note").fetchall() == [("before",)]
    raw.close()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700


def test_there_is_nothing_to_copy_before_the_first_run(tmp_path: Path) -> None:
    assert back_up(Store(tmp_path, writable=False), tmp_path / "b", now=NOON, retention_days=90) is None
    assert list(tmp_path.iterdir()) == []


def name(moment: datetime) -> str:
    return f"ledger-{moment:%Y%m%dT%H%M%S%f}Z.db"


def test_copies_thin_out_to_one_a_day_and_end_with_the_retention() -> None:
    hourly_today = [name(NOON - timedelta(hours=h)) for h in range(12)]
    yesterday = [name(NOON - timedelta(days=1, hours=h)) for h in (0, 5)]
    last_week = name(NOON - timedelta(days=7))
    too_old = name(NOON - timedelta(days=91))
    removed = superfluous([*hourly_today, *yesterday, last_week, too_old], now=NOON, retention_days=90)
    assert sorted(removed) == sorted([*hourly_today[10:], yesterday[1], too_old])


def test_the_newest_copies_stay_whatever_their_age() -> None:
    ancient = [name(NOON - timedelta(days=1000 + d)) for d in range(10)]
    assert superfluous(ancient, now=NOON, retention_days=1) == []


def test_other_files_in_the_directory_are_left_alone() -> None:
    strangers = [f"note-{i}.txt" for i in range(30)]
    assert superfluous(strangers, now=NOON, retention_days=1) == []


def test_old_copies_are_removed_from_the_directory(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for day in range(14):
        back_up(store, tmp_path / "b", now=NOON + timedelta(days=day), retention_days=3)
    store.close()
    kept = sorted(path.name for path in (tmp_path / "b").iterdir())
    assert kept == [name(NOON + timedelta(days=day)) for day in range(4, 14)]


def test_what_a_killed_process_was_copying_is_removed_once_nobody_can_still_be_at_it() -> None:
    fresh, stale = (name(NOON - age).replace(".db", ".partial") for age in (timedelta(hours=1), timedelta(days=2)))
    assert superfluous([fresh, stale], now=NOON, retention_days=90) == [stale]
