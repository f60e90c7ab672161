"""Paths that cannot work are told before a row is read, and the ledger's promises are kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.errors import ConfigError, NotWritable, StateError, SyncError
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.support.local_warehouse import TARGET, LocalWarehouse, orders
from tests.support.memory_shop import MemoryShop


class Unasked(MemoryShop):
    """A shop whose server nobody may ask anything."""

    changes: dict[str, Any]

    def pipeline(self) -> IncrementalSQLServerParquetPipeline:
        config = self.config()
        for field, path in self.changes.items():
            section, name = field.split(".")
            part = getattr(config, section).model_copy(update={name: path})
            config = config.model_copy(update={section: part})
        return IncrementalSQLServerParquetPipeline(config, source=Forbidden(), warehouse=self.warehouse)


class Forbidden:
    def __getattr__(self, name: str) -> Any:
        if name == "close":
            return lambda: None
        raise AssertionError(f"the source was asked: {name}")


FIELDS = ["state.state_directory", "state.parquet_directory", "destination.path"]


def _shop(root: Path, field: str, path: Path) -> Unasked:
    shop = Unasked(root)
    shop.changes = {field: path}
    return shop


def _told(shop: Unasked, error: type[SyncError]) -> SyncError:
    before = sorted(shop.root.rglob("*"))
    with pytest.raises(error) as caught:
        shop.run()
    assert sorted(shop.root.rglob("*")) == before
    return caught.value


@pytest.mark.parametrize("field", FIELDS)
def test_a_file_where_a_directory_is_needed(tmp_path: Path, field: str) -> None:
    """It was told to make the directory writable, which it is."""
    (tmp_path / "file").write_text("not ours")
    told = _told(_shop(tmp_path, field, tmp_path / "file" / "below"), NotWritable)
    assert told.problem == f"{field}: {tmp_path / 'file'} is a file, and a directory is needed there"
    assert "writable" not in told.remedy
    assert (tmp_path / "file").read_text() == "not ours"


def test_a_lake_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    told = _told(_shop(tmp_path, "state.parquet_directory", tmp_path / "lake"), NotWritable)
    assert "is a file, and a directory is needed" in told.problem


def test_a_warehouse_that_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    told = _told(_shop(tmp_path, "destination.path", tmp_path / "house"), NotWritable)
    assert "is a directory, and the warehouse is a file" in told.problem
    assert str(tmp_path / "house" / "dltsync.duckdb") in told.remedy


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "lake").symlink_to(tmp_path / "unmounted")
    told = _told(_shop(tmp_path, "state.parquet_directory", tmp_path / "lake"), NotWritable)
    assert "is a link that leads nowhere" in told.problem


@pytest.mark.parametrize("field", FIELDS)
def test_a_directory_that_cannot_be_written(tmp_path: Path, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root every directory can be written, so the operating system's answer is played."""
    closed = tmp_path / "closed"
    closed.mkdir()
    really = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and really(path, mode))
    told = _told(_shop(tmp_path, field, closed / "below" / "x"), NotWritable)
    assert told.problem == f"{field}: the directory {closed} cannot be written"
    assert "make it writable" in told.remedy


def test_a_warehouse_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = tmp_path / "house.duckdb"
    house.write_bytes(b"")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != house)
    told = _told(_shop(tmp_path, "destination.path", house), NotWritable)
    assert f"{house} cannot be written" in told.problem


@pytest.mark.parametrize("place", ["what?/house.duckdb", "house?.duckdb"])
def test_a_question_mark_in_the_path_of_the_warehouse(tmp_path: Path, place: str) -> None:
    """DuckDB fails only when it commits: every row was read by then."""
    told = _told(_shop(tmp_path, "destination.path", tmp_path / place), ConfigError)
    assert "destination.path: " in told.problem
    assert "holds a `?`" in told.problem


def test_a_plan_tells_as_well(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    shop = _shop(tmp_path, "state.parquet_directory", tmp_path / "lake")
    looks: list[Callable[[IncrementalSQLServerParquetPipeline], Any]] = [
        lambda pipeline: pipeline.plan(),
        lambda pipeline: pipeline.recover(),
    ]
    for look in looks:
        with shop.pipeline() as pipeline, pytest.raises(NotWritable, match="is a file"):
            look(pipeline)


@pytest.mark.parametrize("part", ["warehouse", "work", "files"])
def test_other_characters_in_a_path_do_no_harm(tmp_path: Path, part: str) -> None:
    """A `%` in the state directory failed within dlt after every row was read."""
    odd = tmp_path / ("100%s ;#&" if part == "work" else "100%s ;#&='\"*[]{}: ü\\$")
    odd.mkdir()
    work = {"work_directory": odd / "work"} if part == "work" else {}
    house = LocalWarehouse(
        tmp_path, file_name=f"{odd.name}/house.duckdb" if part == "warehouse" else "house.duckdb", **work
    )
    if part == "files":
        house.root = odd
    house.load(TARGET, orders({1: "a", 2: "b"}))
    assert house.warehouse.count(TARGET) == 2


def test_a_damaged_ledger_that_is_moved_away_costs_no_reading(tmp_path: Path) -> None:
    """As the message says: it said that every table would be read again."""
    shop = MemoryShop(tmp_path)
    shop.run()
    ledger = tmp_path / "state" / "ledger.db"
    for beside in ledger.parent.glob("ledger.db-*"):
        beside.unlink()
    ledger.write_bytes(b"garbage" * 1000)
    with pytest.raises(StateError, match="is damaged") as caught:
        shop.run()
    assert "learns from lake and warehouse what is loaded, and reads only what they cannot tell" in caught.value.remedy
    assert str(tmp_path / "state" / "backups") in caught.value.remedy
    ledger.rename(tmp_path / "damaged.db")
    result = shop.run()
    assert result.success
    assert {unit.status for unit in result.units} == {"skipped"}
    assert sum(unit.rows_read for unit in result.units) == 0
    shop.assert_same()
