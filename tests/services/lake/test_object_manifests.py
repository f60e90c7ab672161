"""The manifests of a lake in a bucket: read once, looked at anew where they are damaged, and forgotten with their loads."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest

from dltsync_core.errors import LakeError
from dltsync_core.lake import paths
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.storage import object_store as object_storage
from tests.services.lake.bucket_lakes import FEBRUARY, JANUARY, lake_in
from tests.support.lake_loads import ORDERS, publish
from tests.support.object_stores import Bucket


@pytest.fixture
def lake(bucket: Bucket, tmp_path: Path) -> Lake:
    return lake_in(bucket, tmp_path / "state")


def test_no_manifest_is_asked_for_twice(
    lake: Lake, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table has thousands, and a store that answers each in its own time; what is published elsewhere is seen all the same."""
    for number in range(3):
        publish(lake, "partition", f"[{number},{number + 1})", [number])
    other, asked = lake_in(bucket, tmp_path / "other"), list[str]()
    original = object_storage.ObjectStorage._contents

    def noting(storage: object_storage.ObjectStorage, keys: Sequence[str]) -> dict[str, bytes]:
        asked.extend(keys)
        return original(storage, keys)

    monkeypatch.setattr(object_storage.ObjectStorage, "_contents", noting)

    def look() -> None:
        assert len(other.inspect(ORDERS).units) == len(other.current(ORDERS)) == number + 1
        assert other.count(ORDERS) == number + 1
        assert other.highest_sequence(ORDERS) == other.highest_sequence_of(ORDERS, [])

    look()
    look()
    assert len(asked) == 3
    number = 3
    asked.clear()
    late = publish(lake, "partition", JANUARY, [4])
    asked.clear()
    look()
    assert asked == [paths.manifest_key(ORDERS, late.load_id)]


def test_a_damaged_manifest_is_looked_at_until_it_is_gone(lake: Lake, bucket: Bucket, tmp_path: Path) -> None:
    publish(lake, "partition", JANUARY, [1])
    good = publish(lake, "partition", FEBRUARY, [2])
    lake.inspect(ORDERS)
    address = lake._storage.address(paths.manifest_key(ORDERS, good.load_id))
    other = lake_in(bucket, tmp_path / "other")
    content = bucket.files.cat_file(address)
    bucket.files.pipe_file(address, content[:100])
    for _ in range(2):
        assert [finding.kind for finding in other.inspect(ORDERS).findings if "manifest" in finding.key] == [
            "torn manifest"
        ]
        with pytest.raises(LakeError, match="is not a manifest"):
            other.current(ORDERS)
    bucket.files.pipe_file(address, content)
    assert set(other.current(ORDERS)) == {JANUARY, FEBRUARY}
    assert other.inspect(ORDERS).findings == ()


def test_manifests_in_memory_are_those_that_are_listed(lake: Lake, bucket: Bucket, tmp_path: Path) -> None:
    """And each is there once, parsed: a process that lives for months published and replaced thousands."""
    other = lake_in(bucket, tmp_path / "other")
    publish(lake, "partition", JANUARY, [1])
    gone = [weakref.ref(manifest) for manifest in (*other.inspect(ORDERS).manifests, *other.current(ORDERS)[JANUARY])]
    assert gone[0]() is gone[1]() is not None
    publish(lake, "partition", JANUARY, [1, 2])
    other.inspect(ORDERS)
    gc.collect()
    assert [manifest() for manifest in gone] == [None, None]
