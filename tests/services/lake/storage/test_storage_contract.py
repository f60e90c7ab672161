"""What publishing relies on, of every kind of store: a directory, and a bucket of S3, Azure and Google over HTTP."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import threading
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core.clock import utc_now
from dltsync_core.errors import LakeError
from dltsync_core.lake.load import StagedFile
from dltsync_core.lake.manifest import ManifestFile
from dltsync_core.lake.storage.object_store import ObjectStorage
from dltsync_core.lake.storage.port import LakeStorage, LocalStorage
from tests.support.object_stores import ON_AZURE, ON_GCS, Bucket


@pytest.fixture(
    params=["disk", "s3_bucket", pytest.param("azure_bucket", marks=ON_AZURE), pytest.param("gcs_bucket", marks=ON_GCS)]
)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> LakeStorage:
    if request.param == "disk":
        return LocalStorage(tmp_path / "lake")
    bucket: Bucket = request.getfixturevalue(request.param)
    return ObjectStorage(bucket.url, bucket.options, work=tmp_path / "work", cache_bytes=10_000_000)


def staged(storage: LakeStorage, rows: int = 10, name: str = "L") -> StagedFile:
    path = storage.staging_directory(f"t/_staging/{name}") / f"{name}-0.parquet"
    pq.write_table(pa.table({"n": range(rows)}), path)
    content = path.read_bytes()
    return StagedFile(path, rows, len(content), hashlib.sha256(content).hexdigest())


def named(file: StagedFile, key: str) -> ManifestFile:
    return ManifestFile(key, file.rows, file.bytes, file.sha256)


def test_an_empty_store_holds_nothing_and_says_so(storage: LakeStorage) -> None:
    assert storage.list("") == []
    assert storage.sizes("t/data") == {}
    assert storage.read("t/_manifests/a.json") is None
    assert storage.read_all(["a", "b"]) == {}
    assert list(storage.staged_directories()) == []
    storage.delete("t/data/nothing")
    storage.move("t/data/nothing", "t/_retired/nothing")
    assert storage.list("") == []


def test_what_was_taken_in_is_there_as_it_was_staged(storage: LakeStorage) -> None:
    file = staged(storage)
    key = "t/data/dltsync_partition=a/f1-L-0.parquet"
    storage.take_in(file, key)
    assert storage.sizes("t") == {key: file.bytes}
    assert storage.list("t/data") == [key]
    assert storage.metadata(key).num_rows == 10
    for checked in (False, True):
        with storage.local_file(named(file, key), checked=checked) as path:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
            assert path.name == "f1-L-0.parquet"


def test_a_settled_file_can_still_be_read(storage: LakeStorage) -> None:
    file = staged(storage)
    storage.take_in(file, "t/data/f1-L-0.parquet")
    storage.settle([file])
    with storage.local_file(named(file, "t/data/f1-L-0.parquet"), checked=True) as path:
        assert pq.read_table(path).num_rows == 10


def test_a_name_is_given_once(storage: LakeStorage) -> None:
    storage.put("t/_manifests/a.json", b"one")
    storage.put("t/_manifests/a.json", b"one")
    with pytest.raises(LakeError, match="exists already with another content"):
        storage.put("t/_manifests/a.json", b"two")
    assert storage.read("t/_manifests/a.json") == b"one"
    assert storage.list("t") == ["t/_manifests/a.json"]


def test_of_many_who_give_one_name_to_different_things_at_once_one_does(
    storage: LakeStorage, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The condition is the store's own: nobody asks first and writes then."""
    rivals, start, told = [storage], threading.Barrier(6), list[str]()
    if isinstance(storage, ObjectStorage):  # a driver of his own for each
        rivals = [another(storage, tmp_path / f"{n}") for n in range(3)]

    def give(number: int) -> None:
        mine = rivals[number % len(rivals)]
        mine.list("t")  # connected before the start
        start.wait(60)
        for turn in range(3):
            try:
                mine.put(f"t/_manifests/{turn}.json", f"{number}".encode())
                told.append(f"{turn} {number}")
            except LakeError as error:
                assert "exists already with another content" in str(error)  # noqa: PT017 -- in a thread

    threads = [threading.Thread(target=give, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(told) == [
        f"{turn} {(storage.read(f't/_manifests/{turn}.json') or b'').decode()}" for turn in range(3)
    ]


def test_a_name_is_given_once_where_a_file_can_have_no_second_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network disks know no hard links."""

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    storage = LocalStorage(tmp_path)
    storage.put("t/_manifests/a.json", b"one")
    with pytest.raises(LakeError, match="exists already with another content"):
        storage.put("t/_manifests/a.json", b"two")
    assert storage.read("t/_manifests/a.json") == b"one"
    assert [path.name for path in (tmp_path / "t" / "_manifests").iterdir()] == ["a.json"]


def another(storage: ObjectStorage, work: Path) -> LakeStorage:
    return ObjectStorage(storage._url, storage._options, work=work, cache_bytes=0)


@pytest.mark.slow
def test_a_file_that_is_sent_in_many_parts_arrives_whole(storage: LakeStorage) -> None:
    """More than any driver sends in one request."""
    path = storage.staging_directory("t/_staging/L") / "L-0.parquet"
    content = random.Random(1).randbytes(70_000_000)
    path.write_bytes(content)
    file = StagedFile(path, 1, len(content), hashlib.sha256(content).hexdigest())
    storage.take_in(file, "t/data/f1-L-0.parquet")
    storage.settle([file])
    assert storage.sizes("t") == {"t/data/f1-L-0.parquet": len(content)}
    storage.move("t/data/f1-L-0.parquet", "t/_retired/u/f1/data/a")
    assert storage.sizes("t") == {"t/_retired/u/f1/data/a": len(content)}


def test_many_small_objects_are_read_at_once_and_those_that_went_are_left_out(storage: LakeStorage) -> None:
    keys = [f"t/_manifests/{number}.json" for number in range(8)]
    for key in keys:
        storage.put(key, key.encode())
    storage.delete(keys[3])
    assert storage.read_all(keys) == {key: key.encode() for key in keys if key != keys[3]}


def test_a_moved_object_has_one_name(storage: LakeStorage) -> None:
    storage.put("t/data/a", b"a")
    storage.move("t/data/a", "t/_retired/u/f1/data/a")
    storage.move("t/data/a", "t/_retired/u/f1/data/a")
    assert storage.list("") == ["t/_retired/u/f1/data/a"]
    assert storage.read("t/_retired/u/f1/data/a") == b"a"


def test_an_object_tells_since_when_it_is_there(storage: LakeStorage) -> None:
    assert storage.placed_at("t/data/a") is None
    before = utc_now() - timedelta(seconds=60)
    storage.take_in(staged(storage), "t/data/a")
    placed = storage.placed_at("t/data/a")
    assert placed is not None
    assert before < placed < utc_now() + timedelta(seconds=60)


def test_a_prefix_is_a_directory_and_no_beginning_of_a_name(storage: LakeStorage) -> None:
    storage.put("t/data/a", b"a")
    storage.put("t/data2/b", b"b")
    storage.put("t2/data/c", b"c")
    assert storage.list("t/data") == ["t/data/a"]
    assert storage.list("t") == ["t/data/a", "t/data2/b"]


@pytest.mark.parametrize("checked", [True, False])
def test_a_file_that_is_not_the_manifests_is_never_handed_out(storage: LakeStorage, checked: bool) -> None:
    """Without a fresh check a disk is believed; what comes from elsewhere is always checked when it arrives."""
    file, other = staged(storage), staged(storage, 11, "M")
    storage.take_in(other, "t/data/f1-M-0.parquet")
    if checked or isinstance(storage, ObjectStorage):
        with pytest.raises(LakeError, match="was changed after it was published"):
            storage.local_file(named(file, "t/data/f1-M-0.parquet"), checked=checked).__enter__()


def test_a_missing_file_is_named(storage: LakeStorage) -> None:
    file = named(staged(storage), "t/data/gone.parquet")
    with pytest.raises(LakeError, match=r"gone\.parquet is missing"):
        storage.local_file(file, checked=True).__enter__()
    with pytest.raises(LakeError, match=r"gone\.parquet is missing"):
        storage.metadata("t/data/gone.parquet")


def test_a_file_that_is_no_parquet_file_is_no_surprise(storage: LakeStorage) -> None:
    storage.put("t/data/x.parquet", b"PAR1 no PAR1")
    with pytest.raises(LakeError, match=r"x\.parquet is torn or no Parquet file"):
        storage.metadata("t/data/x.parquet")
