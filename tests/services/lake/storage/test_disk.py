"""A full, read-only or unwritable disk is a sentence with a path, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest

from dltsync_core.config import StateConfig
from dltsync_core.errors import DiskFull, LakeError, NotWritable
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.manifest import Manifest
from dltsync_core.lake.open_lake import open_lake
from dltsync_core.lake.storage.disk import explain
from tests.support.lake_loads import ORDERS, facts_of, final_facts, publish, stage
from tests.support.object_stores import Bucket
from tests.support.small_disk import mounted_disk

WIDE = pa.schema([("bytes", pa.binary())])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    with mounted_disk(tmp_path / "small", megabytes=1) as place:
        yield place


def noise(size: int) -> pa.RecordBatch:
    """Bytes that no codec makes smaller."""
    return pa.record_batch([pa.array([os.urandom(1024) for _ in range(size // 1024)], pa.binary())], schema=WIDE)


def fill(lake: Lake) -> None:
    """Four megabytes, a hundred kilobytes at a time."""
    with lake.stage(facts_of("static", schema=WIDE, row_group_rows=100)) as load:
        for _ in range(40):
            load.write(noise(100 * 1024))
        load.finish(final_facts(load.rows))


def test_a_full_disk_is_named_and_nothing_stays(small_disk: Path) -> None:
    lake = Lake(small_disk / "lake", "shop", keep_generations=1)
    with pytest.raises(DiskFull, match=str(small_disk)) as caught:
        fill(lake)
    assert "free some space" in str(caught.value)
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []
    assert lake.current(ORDERS) == {}


def test_a_disk_that_fills_while_files_are_closed_leaves_nothing(small_disk: Path) -> None:
    """The rows wait in memory until the load is finished; then there is no room."""
    lake = Lake(small_disk / "lake", "shop", keep_generations=1)
    load = lake.stage(facts_of("static", schema=WIDE))
    load.write(noise(3 * 1024 * 1024))
    with pytest.raises(DiskFull):
        load.finish(final_facts(load.rows))
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_what_was_there_survives_a_full_disk(small_disk: Path) -> None:
    lake = Lake(small_disk / "lake", "shop", keep_generations=1)
    manifest = publish(lake, "static", WHOLE_TABLE, [1, 2, 3])
    with pytest.raises(DiskFull):
        fill(lake)
    assert lake.verify(manifest, checksums=True) == []
    assert lake.count(ORDERS) == 3


@pytest.mark.survives(
    "lake",
    "the disk fills between the files of a load and its manifest",
    "no room left on the disk, with the path and the bytes that are free",
    "the earlier load is current, the new one's files are gone",
)
def test_a_disk_without_room_for_the_manifest_takes_the_files_back(small_disk: Path) -> None:
    lake = Lake(small_disk / "lake", "shop", keep_generations=1)
    before = publish(lake, "static", WHOLE_TABLE, [1, 2, 3])
    staged = stage(lake, facts_of("static"), [1, 2])
    rest = small_disk / "somebody-elses"
    with rest.open("wb", buffering=0) as file, suppress(OSError):
        while True:  # until there is no room for a single page
            file.write(b"x" * 4096)
    with pytest.raises(DiskFull, match="_manifests") as caught:
        lake.publish(staged, fence=9)
    assert "free some space" in str(caught.value)
    assert lake.current(ORDERS) == {WHOLE_TABLE: (before,)}
    assert len(list(lake.directory.glob("*/data/**/*.parquet"))) == 1
    rest.unlink()
    publish(lake, "static", WHOLE_TABLE, [7])
    assert lake.count(ORDERS) == 1


def test_a_disk_without_room_for_a_copy_is_named_and_keeps_nothing(
    small_disk: Path, bucket: Bucket, tmp_path: Path
) -> None:
    """Files of an object store are read through copies."""
    wide = publish_wide(lake_at(bucket, tmp_path / "state"))
    elsewhere = lake_at(bucket, small_disk / "state")
    with pytest.raises(DiskFull, match=str(small_disk)), elsewhere.files(wide):
        pass
    assert list(small_disk.rglob("*.parquet")) == []


def lake_at(bucket: Bucket, state: Path) -> Lake:
    options = {"parquet_directory": bucket.url, "storage_options": bucket.options, "state_directory": state}
    return open_lake(StateConfig.model_validate(options), "shop")


def publish_wide(lake: Lake) -> Manifest:
    """Two megabytes."""
    with lake.stage(facts_of("static", schema=WIDE)) as load:
        load.write(noise(2 * 1024 * 1024))
        return lake.publish(load.finish(final_facts(load.rows)), fence=1)


def test_a_limit_on_file_sizes_is_a_full_disk_too(tmp_path: Path) -> None:
    """ulimit -f, as batch systems set it."""
    lake = Lake(tmp_path / "lake", "shop", keep_generations=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
    try:
        with pytest.raises(DiskFull):
            fill(lake)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_read_only_disk_is_named(small_disk: Path) -> None:
    """Root may write anywhere but here, so this shows what a user meets with a directory of somebody else's."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    lake = Lake(small_disk / "lake", "shop", keep_generations=1)
    with pytest.raises(NotWritable, match=str(small_disk)):
        lake.stage(facts_of("static"))


def test_a_file_where_the_lake_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a directory")
    lake = Lake(tmp_path / "lake", "shop", keep_generations=1)
    with pytest.raises(NotWritable, match="lake"):
        lake.stage(facts_of("static"))


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EACCES, NotWritable),
        (errno.EROFS, NotWritable),
        (errno.EIO, LakeError),
    ],
)
def test_each_refusal_has_its_error(tmp_path: Path, number: int, kind: type[Exception]) -> None:
    error = explain(OSError(number, os.strerror(number)), tmp_path / "file", "writing")
    assert type(error) is kind
    assert "file" in error.problem
