"""What a killed process left is removed, what may belong to a live one is not."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dltsync_core.clock import utc_now
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake import cleanup as clearing
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.storage.directory_lock import LONGER_THAN_ANY_LEASE, DirectoryLock, is_abandoned
from dltsync_core.lake.storage.disk import remove_tree
from tests.support.lake_loads import ORDERS, batch_of, facts_of, publish, stage


def staged_in(lake: Lake) -> list[Path]:
    return sorted(lake.directory.glob("*/_staging/*"))


def test_rows_that_were_set_aside_belong_to_their_process_until_it_has_judged_them(lake: Lake) -> None:
    with lake.stage(facts_of("static")) as load:
        load.write(batch_of([1]))
        aside = load.resumable_files()
    assert lake.sweep(utc_now()) == 0
    assert sum(batch.num_rows for batch in aside.batches()) == 1
    aside.discard()
    assert staged_in(lake) == []


def foreign(directory: Path) -> Path:
    """A directory that was claimed on another machine: nobody here can tell whether its owner lives."""
    directory.mkdir()
    directory_lock = DirectoryLock(directory)
    directory_lock.release()
    (directory / ".owner").write_text('{"machine": "elsewhere", "boot": "x"}')
    return directory


@pytest.mark.parametrize("said", ["elsewhere", "nothing", "half a sentence"])
def test_an_owner_that_cannot_be_asked_is_believed_for_longer_than_any_lease(tmp_path: Path, said: str) -> None:
    directory = foreign(tmp_path / "staged")
    if said == "nothing":
        (directory / ".owner").unlink()
    if said == "half a sentence":
        (directory / ".owner").write_text('{"machi')
    assert not is_abandoned(directory, utc_now())
    assert not is_abandoned(directory, utc_now() + LONGER_THAN_ANY_LEASE - timedelta(minutes=5))
    assert is_abandoned(directory, utc_now() + LONGER_THAN_ANY_LEASE + timedelta(minutes=5))


def test_work_on_another_machine_keeps_its_directory_young(tmp_path: Path) -> None:
    directory = foreign(tmp_path / "staged")
    later = time.time() + LONGER_THAN_ANY_LEASE.total_seconds()
    (directory / "0.parquet").touch()
    os.utime(directory / "0.parquet", (later, later))
    assert not is_abandoned(directory, utc_now() + LONGER_THAN_ANY_LEASE + timedelta(minutes=5))


def test_a_machine_that_was_started_anew_holds_nothing(tmp_path: Path) -> None:
    directory = foreign(tmp_path / "staged")
    owner = (directory / ".owner").read_text()
    directory_lock = DirectoryLock(directory)
    own = (directory / ".owner").read_text()
    directory_lock.release()
    boot = own.split('"boot": "')[1].split('"')[0]
    if not boot:
        pytest.skip("this system does not tell one start from another")
    (directory / ".owner").write_text(own.replace(boot, "before"))
    assert is_abandoned(directory, utc_now())
    assert owner != own


@pytest.mark.parametrize("old", [False, True])
def test_files_that_lost_their_manifest_are_put_aside_when_nobody_can_name_them_any_more(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    """Of a unit that is never published again: its own next publication would have cleared them."""
    orphaned = publish(lake, "partition", "[1,2)", [1])
    (lake.directory / "sales_Orders-25b15a7a" / "_manifests" / f"{orphaned.load_id}.json").unlink()
    publish(lake, "partition", "[2,3)", [2])
    assert len(list(lake.directory.glob("*/data/**/*.parquet"))) == 2

    def later() -> datetime:
        return utc_now() + (LONGER_THAN_ANY_LEASE + timedelta(hours=1) if old else timedelta())

    monkeypatch.setattr(clearing, "utc_now", later)
    next_run = Lake(lake.directory.parent, "shop", keep_generations=1)
    publish(next_run, "partition", "[3,4)", [3])
    aside = list(lake.directory.glob("*/_retired/_unnamed/**/*.parquet"))
    assert len(aside) == (1 if old else 0)
    assert lake.count(ORDERS) == 2


def test_a_staged_load_is_gone_after_its_publication(lake: Lake) -> None:
    staged = stage(lake, facts_of("static"), [1])
    lake.publish(staged, fence=1)
    assert staged_in(lake) == []
    assert lake.current(ORDERS)[WHOLE_TABLE][0].rows == 1
    remove_tree(staged.directory)
