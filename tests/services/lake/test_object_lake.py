"""A lake in a bucket of S3, Azure or Google: published, read, replaced and cleared up as on a disk.

On Azure and Google `make test-slow` runs them; one look at Google stands in test_store_logins.py.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dltsync_core.errors import Fenced, LakeError
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.storage import object_store as object_storage
from tests.services.lake.bucket_lakes import FEBRUARY, JANUARY, lake_in, rows_of
from tests.support.lake_loads import ORDERS, facts_of, publish, stage
from tests.support.object_stores import Bucket


@pytest.fixture
def lake(bucket: Bucket, tmp_path: Path) -> Lake:
    return lake_in(bucket, tmp_path / "state")


def test_a_partition_is_replaced_and_its_neighbours_stay(lake: Lake, bucket: Bucket) -> None:
    publish(lake, "partition", JANUARY, [1, 2])
    publish(lake, "partition", FEBRUARY, [10])
    manifest = publish(lake, "partition", JANUARY, [1, 2, 3])
    assert rows_of(lake) == [1, 2, 3, 10]
    assert lake.count(ORDERS) == 4
    assert len(bucket.data_names()) == 2
    assert len([key for key in bucket.names() if "/_retired/" in key and key.endswith(".parquet")]) == 1
    (address,) = lake.addresses(manifest)
    assert address.startswith(bucket.url)
    assert bucket.files.exists(address)
    assert lake.verify(manifest, checksums=True) == []


@pytest.mark.parametrize("keep", [0, 1])
def test_generations_beyond_those_kept_are_gone_from_the_store(bucket: Bucket, tmp_path: Path, keep: int) -> None:
    lake = lake_in(bucket, tmp_path, keep_generations=keep)
    for number in range(keep + 2):
        publish(lake, "partition", JANUARY, [number])
    assert rows_of(lake) == [keep + 1]
    assert len(bucket.data_names()) == 1
    assert len([key for key in bucket.names() if "/_retired/" in key and key.endswith(".parquet")]) == keep


def test_increments_add_up(lake: Lake) -> None:
    publish(lake, "scd", WHOLE_TABLE, [1, 2], retire_all=True)
    publish(lake, "scd", WHOLE_TABLE, [2, 3])
    assert rows_of(lake) == [1, 2, 2, 3]
    assert lake.count(ORDERS, WHOLE_TABLE, ["OrderNo"]) == 3


def test_another_machine_sees_the_same_and_fetches_what_it_reads(lake: Lake, bucket: Bucket, tmp_path: Path) -> None:
    manifest = publish(lake, "scd", WHOLE_TABLE, list(range(1000)))
    other = lake_in(bucket, tmp_path / "other")
    assert other.current(ORDERS) == lake.current(ORDERS)
    assert other.highest_sequence(ORDERS) == manifest.sequence
    assert rows_of(other) == list(range(1000))
    assert other.count(ORDERS, WHOLE_TABLE, ["OrderNo"]) == 1000
    assert [footer.rows for footer in other.footers(manifest)] == [1000]
    assert other.size_bytes() == manifest.bytes


def test_the_late_publisher_is_fenced_and_its_upload_is_gone(lake: Lake, bucket: Bucket, tmp_path: Path) -> None:
    other = lake_in(bucket, tmp_path / "other")
    slow = stage(other, facts_of("partition", JANUARY), [1])
    winner = lake.publish(stage(lake, facts_of("partition", JANUARY), [1, 2]), fence=2)
    before = bucket.names()
    with pytest.raises(Fenced):
        other.publish(slow, fence=1)
    assert bucket.names() == before
    assert rows_of(lake) == [1, 2]
    assert not slow.directory.exists()
    assert lake.current(ORDERS) == {JANUARY: (winner,)}


def test_what_was_just_published_is_not_fetched_again_unless_the_copy_is_damaged(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = publish(lake, "static", WHOLE_TABLE, list(range(100)))
    with monkeypatch.context() as patch:
        patch.setattr(object_storage.ObjectStorage, "_reading", refuse)
        with lake.files(manifest) as (path,):
            assert pq.read_table(path).num_rows == 100
    (copy,) = tmp_path.rglob("cache/*.parquet")
    damaged = bytearray(copy.read_bytes())
    damaged[100] ^= 0xFF
    copy.write_bytes(damaged)
    assert rows_of(lake) == list(range(100))
    with pytest.raises(LakeError, match=r"Lake\.files"):
        lake.paths(manifest)  # an object store hands out none


def refuse(*_: object) -> None:
    raise AssertionError("the store was asked")


def test_the_cache_is_bounded_and_a_borrowed_file_outlives_it(bucket: Bucket, tmp_path: Path) -> None:
    lake = lake_in(bucket, tmp_path / "state", lake_cache_mb=0)
    first = publish(lake, "partition", JANUARY, [1, 2])
    with lake.files(first) as (path,):
        publish(lake, "partition", FEBRUARY, [10])
        assert pq.read_table(path).num_rows == 2
    assert list(tmp_path.rglob("*.parquet")) == []
    assert rows_of(lake) == [1, 2, 10]
    assert list(tmp_path.rglob("*.parquet")) == []
