"""Readers of manifests see whole loads only; readers of a plain glob see the current table; nothing is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.errors import LakeError, UnsupportedColumn
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.lake import paths
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.load import StagedFile
from dltsync_core.lake.manifest import in_order, live, manifest_from
from dltsync_core.lake.storage.port import LocalStorage
from tests.support.lake_loads import (
    ORDERS,
    as_load,
    batch_of,
    facts_of,
    final_facts,
    manifest_of,
    next_fence,
    publish,
    stage,
)

JANUARY, FEBRUARY, BOTH = "[2024-01-01,2024-02-01)", "[2024-02-01,2024-03-01)", "[2024-01-01,2024-03-01)"


def globbed(lake: Lake) -> list[int]:
    """What somebody sees who knows nothing of us: all Parquet files below data."""
    pattern = str(lake.data_directory(ORDERS) / "**/*.parquet")
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT OrderNo FROM read_parquet(?) ORDER BY 1", [pattern]).fetchall()
    return [row[0] for row in rows]


def test_nothing_is_visible_before_it_is_published(lake: Lake) -> None:
    assert lake.current(ORDERS) == {}
    staged = stage(lake, facts_of("static"), [1])
    assert lake.current(ORDERS) == {}
    assert lake.count(ORDERS) == 0
    lake.publish(staged, fence=next_fence(lake, staged))
    assert lake.count(ORDERS) == 1
    assert not staged.directory.exists()


def test_looking_creates_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", "shop", keep_generations=1)
    assert (lake.current(ORDERS), lake.count(ORDERS), lake.size_bytes()) == ({}, 0, 0)
    assert not (tmp_path / "lake").exists()


def test_a_partition_is_replaced_and_its_neighbours_stay(lake: Lake) -> None:
    publish(lake, "partition", JANUARY, [1, 2])
    publish(lake, "partition", FEBRUARY, [10])
    publish(lake, "partition", JANUARY, [1, 2, 3])
    assert globbed(lake) == [1, 2, 3, 10]
    assert lake.count(ORDERS, JANUARY) == 3
    assert lake.count(ORDERS) == 4


class Counting(LocalStorage):
    """Counts what is read and how many files it was shown."""

    read_keys = 0
    shown = 0

    def read(self, key: str) -> bytes | None:
        self.read_keys += 1
        return super().read(key)

    def _below(self, prefix: str) -> Iterator[tuple[str, str]]:
        for found in super()._below(prefix):
            self.shown += "_manifests" not in found[0]
            yield found


def test_a_publication_costs_the_same_however_many_partitions_there_are(tmp_path: Path) -> None:
    """Each read all manifests three times and walked over all partitions five times: with 3,650 of them, hours. Looks at
    everything come ever more rarely."""
    lake = Lake(tmp_path, "shop", keep_generations=1)
    storage = lake._storage = Counting(lake.directory)
    costs = []
    for number in range(20):
        unit = f"[{number:03},{number + 1:03})"
        staged = stage(lake, facts_of("partition", unit), [number])
        storage.read_keys = storage.shown = 0
        fence = lake.highest_sequence_of(ORDERS, [unit]) + 1
        assert lake.verify(lake.publish(staged, fence=fence)) == []
        costs.append((storage.read_keys, storage.shown))
    assert fence == 20
    assert costs[4] == costs[19]
    assert max(costs[4]) <= 3, costs


def test_units_that_were_merged_away_are_retired(lake: Lake) -> None:
    publish(lake, "partition", JANUARY, [1])
    publish(lake, "partition", FEBRUARY, [10])
    staged = stage(lake, facts_of("partition", BOTH), [1, 10])
    lake.publish(staged, fence=next_fence(lake, staged), retire=[JANUARY, FEBRUARY])
    assert list(lake.current(ORDERS)) == [BOTH]
    assert globbed(lake) == [1, 10]


def test_increments_are_added_until_a_full_load_replaces_them(lake: Lake) -> None:
    publish(lake, "scd", WHOLE_TABLE, [1, 2], retire_all=True)
    publish(lake, "scd", WHOLE_TABLE, [2, 3])
    assert len(lake.current(ORDERS)[WHOLE_TABLE]) == 2
    assert globbed(lake) == [1, 2, 2, 3]
    assert lake.count(ORDERS, WHOLE_TABLE, ["OrderNo"]) == 3
    publish(lake, "scd", WHOLE_TABLE, [1, 3], retire_all=True)
    assert len(lake.current(ORDERS)[WHOLE_TABLE]) == 1
    assert globbed(lake) == [1, 3]


def test_change_files_give_the_current_table_in_plain_duckdb(lake: Lake) -> None:
    """The query the documentation shows: the newest change of each key wins, by the directory's own name."""
    for note in ("old", "new"):
        facts = facts_of("scd")
        with lake.stage(facts) as load:
            load.write(batch_of([1] if note == "new" else [1, 2], note=note))
            staged = load.finish(final_facts(load.rows))
        lake.publish(staged, fence=next_fence(lake, staged))
    pattern = str(lake.data_directory(ORDERS) / "**/*.parquet")
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT OrderNo, Note FROM read_parquet(?) "
            "QUALIFY row_number() OVER (PARTITION BY OrderNo ORDER BY dltsync_load DESC) = 1 ORDER BY OrderNo",
            [pattern],
        ).fetchall()
    assert rows == [(1, "new"), (2, "old")]


def test_a_static_table_reads_as_its_source_and_a_partition_shows_its_directory(lake: Lake) -> None:
    publish(lake, "static", WHOLE_TABLE, [1], table=TableName("dbo", "Static"))
    publish(lake, "partition", JANUARY, [1])
    with duckdb.connect() as connection:
        for table, hive, expected in (
            (TableName("dbo", "Static"), "true", ["OrderNo", "Amount", "Note"]),
            (ORDERS, "true", ["OrderNo", "Amount", "Note", "dltsync_partition"]),
            (ORDERS, "false", ["OrderNo", "Amount", "Note"]),
        ):
            pattern = str(lake.data_directory(table) / "**/*.parquet")
            relation = connection.sql(f"FROM read_parquet('{pattern}', hive_partitioning = {hive})")
            assert relation.columns == expected


@pytest.mark.parametrize("name", ["dltsync_partition", "DLTSYNC_LOAD"])
def test_a_column_that_hive_directories_would_hide_is_refused(lake: Lake, name: str) -> None:
    schema = batch_of([1]).schema.append(batch_of([1]).schema.field("Note").with_name(name))
    with pytest.raises(UnsupportedColumn, match="exclude_columns"):
        lake.stage(facts_of("static", schema=schema))


@pytest.mark.parametrize(("keep", "kept"), [(0, 0), (1, 1), (2, 2)])
def test_old_generations_are_kept_as_asked(tmp_path: Path, keep: int, kept: int) -> None:
    lake = Lake(tmp_path, "shop", keep_generations=keep)
    for number in range(4):
        publish(lake, "partition", JANUARY, [number])
    retired = list(tmp_path.rglob("_retired/**/*.parquet"))
    assert len(retired) == kept
    assert globbed(lake) == [3]
    if kept:
        newest = max(retired, key=lambda path: path.parts[-4])
        with duckdb.connect() as connection:
            assert connection.sql(f"SELECT OrderNo FROM '{newest}'").fetchall() == [(2,)]


def test_a_table_configured_as_another_kind_leaves_nothing_of_the_old_one(lake: Lake) -> None:
    publish(lake, "partition", JANUARY, [1])
    publish(lake, "partition", FEBRUARY, [2])
    publish(lake, "static", WHOLE_TABLE, [1, 2])
    assert list(lake.current(ORDERS)) == [WHOLE_TABLE]
    assert globbed(lake) == [1, 2]
    publish(lake, "partition", JANUARY, [1])
    assert list(lake.current(ORDERS)) == [JANUARY]


class Stop(Exception):
    """The process ends here."""


STEPS = ["take_in", "put", "move", "delete"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_a_stop_anywhere_leaves_whole_loads_and_the_next_one_clears_up(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """A stop at any step of publishing: manifests show the old load or the new one, never a part or both."""
    publish(lake, "partition", JANUARY, [1])
    publish(lake, "partition", JANUARY, [1, 2])
    facts = facts_of("partition", JANUARY, row_group_rows=1, max_file_bytes=1)
    with lake.stage(facts) as load:
        for number in (1, 2, 3):
            load.write(batch_of([number]))
        staged = load.finish(final_facts(3))
    original = getattr(LocalStorage, step)

    def stopping(self: LocalStorage, *arguments: object) -> None:
        if after:
            original(self, *arguments)
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, step, stopping)
        if step == "take_in":  # what would tidy up a failure does not run in a process that is gone
            patch.setattr(LocalStorage, "delete", lambda self, key: None)
        with pytest.raises(Stop):
            lake.publish(staged, fence=next_fence(lake, staged))
    (manifest,) = lake.current(ORDERS)[JANUARY]
    published = step in {"move", "delete"} or (step == "put" and after)
    assert lake.count(ORDERS) == (3 if published else 2)
    assert lake.verify(manifest, checksums=True) == []
    publish(lake, "partition", JANUARY, [7])
    assert globbed(lake) == [7]
    assert lake.count(ORDERS) == 1


def test_a_failed_rename_takes_back_what_was_renamed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = facts_of("partition", JANUARY, row_group_rows=1, max_file_bytes=1)
    with lake.stage(facts) as load:
        for number in (1, 2):
            load.write(batch_of([number]))
        staged = load.finish(final_facts(2))
    original = LocalStorage.take_in

    def second_fails(self: LocalStorage, source: StagedFile, key: str) -> None:
        if source == staged.files[1]:
            raise LakeError("the disk went away")
        original(self, source, key)

    monkeypatch.setattr(LocalStorage, "take_in", second_fails)
    with pytest.raises(LakeError, match="went away"):
        lake.publish(staged, fence=next_fence(lake, staged))
    assert list(lake.directory.rglob("data/**/*.parquet")) == []
    assert lake.current(ORDERS) == {}


def test_missing_torn_and_changed_files_are_told(lake: Lake) -> None:
    manifest = publish(lake, "static", WHOLE_TABLE, list(range(100)))
    (path,) = lake.paths(manifest)
    whole = path.read_bytes()
    assert lake.verify(manifest) == []
    path.write_bytes(whole[:-10])
    assert "bytes where the manifest says" in lake.verify(manifest)[0]
    path.write_bytes(whole[:-10] + b"0123456789")
    assert "torn or no Parquet file" in lake.verify(manifest)[0]
    changed = bytearray(whole)
    changed[10] ^= 0xFF
    path.write_bytes(changed)
    assert lake.verify(manifest) == []
    assert "changed after it was published" in lake.verify(manifest, checksums=True)[0]
    path.unlink()
    assert "is missing" in lake.verify(manifest)[0]
    with pytest.raises(LakeError, match="is missing"):
        lake.count(ORDERS)


def test_a_damaged_manifest_is_named_and_not_skipped(lake: Lake) -> None:
    manifest = publish(lake, "static", WHOLE_TABLE, [1])
    path = lake.directory / paths.manifest_key(ORDERS, manifest.load_id)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(LakeError, match=manifest.load_id):
        lake.current(ORDERS)


def test_manifests_are_readable_by_other_programs(lake: Lake) -> None:
    manifest = publish(lake, "partition", JANUARY, [1, 2])
    content = json.loads((lake.directory / paths.manifest_key(ORDERS, manifest.load_id)).read_text())
    assert content["unit"] == JANUARY
    assert content["rows"] == 2
    assert [column["name"] for column in content["columns"]] == ["OrderNo", "Amount", "Note"]
    assert (lake.directory / content["files"][0]["path"]).is_file()


def test_a_manifest_survives_being_written_and_read(lake: Lake) -> None:
    manifest = publish(lake, "partition", JANUARY, [1, 2])
    assert manifest_from(manifest.to_json().encode(), path="m") == manifest


@pytest.mark.parametrize("table", ["../../etc/passwd", "a/b", "..", "*[x]?", "o'r\"d;e\nrs", "😀" * 30, "x" * 128])
def test_no_name_leads_out_of_the_lake(lake: Lake, table: str) -> None:
    name = TableName("..", table)
    manifest = publish(lake, "partition", "[%2E%2E/%2E%2E,+inf)", [1], table=name)
    (path,) = lake.paths(manifest)
    assert path.is_relative_to(lake.directory)
    assert lake.count(name) == 1


UNITS = ["a", "b", "c"]
loads = st.lists(
    st.tuples(st.sampled_from(UNITS), st.booleans(), st.lists(st.sampled_from(UNITS), max_size=2), st.booleans()),
    max_size=12,
)


@given(loads)
def test_clearing_up_never_changes_what_is_live(history: Sequence[tuple[str, bool, list[str], bool]]) -> None:
    """Replaced manifests go oldest first; wherever that stops, the answer is the same. (In any other order a load that had
    been replaced twice over came back.)"""
    template = manifest_of("a")
    manifests = [
        replace(
            as_load(template, load_id=f"L{number:02d}", unit=unit),
            sequence=number,
            replaces_unit=replaces,
            retires=tuple(retires),
            retires_all=everything,
        )
        for number, (unit, replaces, retires, everything) in enumerate(history)
    ]
    current = live(manifests)
    assert live(current) == current
    replaced = [m for m in in_order(manifests) if m not in current]
    for cleared in range(len(replaced) + 1):
        assert live(m for m in manifests if m not in replaced[:cleared]) == current
    assert live(reversed(manifests)) == current
