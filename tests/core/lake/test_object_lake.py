"""A lake in a bucket of S3, Azure or Google: published, read, replaced and cleared up as on a disk; what goes wrong is told.

On Azure and Google `make test-slow` runs them; one look at Google stands in test_store_logins.py.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dltsync_core.config import StateConfig
from dltsync_core.errors import EnvironmentProblem, Fenced, LakeError, LakeUnreachable, NotWritable
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake import object_storage, paths
from dltsync_core.lake.opening import open_lake
from dltsync_core.lake.store import Lake
from tests.core.lake.lake_loads import ORDERS, batch_of, facts_of, final_facts, publish, stage
from tests.fixtures_stores import Bucket

JANUARY, FEBRUARY = "[2024-01-01,2024-02-01)", "[2024-02-01,2024-03-01)"


def lake_in(bucket: Bucket, work: Path, **more: Any) -> Lake:
    given = {"parquet_directory": bucket.url, "storage_options": bucket.options, "state_directory": work}
    return open_lake(StateConfig(**{**given, **more}), "shop")


@pytest.fixture
def lake(bucket: Bucket, tmp_path: Path) -> Lake:
    return lake_in(bucket, tmp_path / "state")


def driver_of(lake: Lake) -> Any:
    """The store's driver as this lake holds it: what goes wrong there is put into it."""
    storage = lake._storage
    assert isinstance(storage, object_storage.ObjectStorage)
    return storage._open()[0]


def rows_of(lake: Lake) -> list[int]:
    """What a reader of manifests reads."""
    found: list[int] = []
    for manifests in lake.current(ORDERS).values():
        for manifest in manifests:
            with lake.files(manifest) as paths:
                found += [int(str(n)) for path in paths for n in pq.read_table(path).column("OrderNo").to_pylist()]
    return sorted(found)


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


@pytest.mark.parametrize("keep", [0, 2])
def test_generations_beyond_those_kept_are_gone_from_the_store(bucket: Bucket, tmp_path: Path, keep: int) -> None:
    lake = lake_in(bucket, tmp_path, keep_generations=keep)
    for rows in ([1], [1, 2], [1, 2, 3], [4]):
        publish(lake, "partition", JANUARY, rows)
    assert rows_of(lake) == [4]
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


def test_what_was_just_published_is_not_fetched_again(
    lake: Lake, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = publish(lake, "static", WHOLE_TABLE, [1, 2])
    monkeypatch.setattr(object_storage.ObjectStorage, "_reading", refuse)
    with lake.files(manifest) as (path,):
        assert pq.read_table(path).num_rows == 2


def refuse(*_: object) -> None:
    raise AssertionError("the store was asked")


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
        assert len(other.survey(ORDERS).units) == len(other.current(ORDERS)) == number + 1
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
    lake.survey(ORDERS)
    address = lake._storage.address(paths.manifest_key(ORDERS, good.load_id))
    other = lake_in(bucket, tmp_path / "other")
    content = bucket.files.cat_file(address)
    bucket.files.pipe_file(address, content[:100])
    for _ in range(2):
        assert [finding.kind for finding in other.survey(ORDERS).findings if "manifest" in finding.key] == [
            "torn manifest"
        ]
        with pytest.raises(LakeError, match="is not a manifest"):
            other.current(ORDERS)
    bucket.files.pipe_file(address, content)
    assert set(other.current(ORDERS)) == {JANUARY, FEBRUARY}
    assert other.survey(ORDERS).findings == ()


def test_manifests_in_memory_are_those_that_are_listed(lake: Lake, bucket: Bucket, tmp_path: Path) -> None:
    """And each is there once, parsed: a process that lives for months published and replaced thousands."""
    other = lake_in(bucket, tmp_path / "other")
    publish(lake, "partition", JANUARY, [1])
    gone = [weakref.ref(manifest) for manifest in (*other.survey(ORDERS).manifests, *other.current(ORDERS)[JANUARY])]
    assert gone[0]() is gone[1]() is not None
    publish(lake, "partition", JANUARY, [1, 2])
    other.survey(ORDERS)
    gc.collect()
    assert [manifest() for manifest in gone] == [None, None]


def test_the_cache_is_bounded_and_a_borrowed_file_outlives_it(bucket: Bucket, tmp_path: Path) -> None:
    lake = lake_in(bucket, tmp_path / "state", lake_cache_mb=0)
    first = publish(lake, "partition", JANUARY, [1, 2])
    with lake.files(first) as (path,):
        publish(lake, "partition", FEBRUARY, [10])
        assert pq.read_table(path).num_rows == 2
    assert list(tmp_path.rglob("*.parquet")) == []
    assert rows_of(lake) == [1, 2, 10]
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_damaged_copy_is_fetched_anew_and_never_handed_out(lake: Lake, tmp_path: Path) -> None:
    publish(lake, "static", WHOLE_TABLE, list(range(100)))
    (copy,) = tmp_path.rglob("cache/*.parquet")
    damaged = bytearray(copy.read_bytes())
    damaged[100] ^= 0xFF
    copy.write_bytes(damaged)
    assert rows_of(lake) == list(range(100))


@pytest.mark.survives(
    "lake",
    "an object of the lake overwritten or deleted by somebody else",
    "the file, and that its checksum differs or it is missing",
    "it is not loaded into the warehouse",
)
def test_an_object_that_somebody_changed_is_refused(lake: Lake, bucket: Bucket, tmp_path: Path) -> None:
    manifest = publish(lake, "static", WHOLE_TABLE, list(range(100)))
    (address,) = lake.addresses(manifest)
    content = bytearray(bucket.files.cat_file(address))
    content[100] ^= 0xFF
    bucket.files.pipe_file(address, bytes(content))
    other = lake_in(bucket, tmp_path / "other")
    with pytest.raises(LakeError, match="was changed after it was published"), other.files(manifest):
        pass
    assert "was changed" in other.verify(manifest, checksums=True)[0]
    bucket.files.rm_file(address)
    assert "is missing" in other.verify(manifest)[0]
    with pytest.raises(LakeError, match="is missing"):
        other.count(ORDERS)


@pytest.mark.survives(
    "lake",
    "an upload arrives with other bytes",
    "its checksum differs from the manifest's",
    "nothing of the load is in the bucket",
)
def test_an_upload_that_arrives_damaged_is_noticed_and_never_named(
    lake: Lake, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = stage(lake, facts_of("static"), [1, 2])
    files = driver_of(lake)
    original = files.put_file

    def damaging(local: str, remote: str, **more: Any) -> None:
        original(local, remote, **more)
        bucket.files.pipe_file(remote, b"x" * staged.bytes)

    monkeypatch.setattr(files, "put_file", damaging)
    with pytest.raises(LakeError, match="checksum"):
        lake.publish(staged, fence=1)
    assert bucket.names() == []


# -- what goes wrong at the store -------------------------------------------------------------------------------------


@pytest.fixture
def dead_endpoint() -> str:
    """Nobody listens there."""
    return "http://127.0.0.1:9"


def told(error: Exception, bucket: Bucket) -> str:
    """What a person reads; no key is in it."""
    text = f"{error!s} {error!r} {error.__cause__!r}"
    assert not any(secret in text for secret in bucket.secrets)
    return str(error)


@pytest.mark.survives(
    "lake",
    "the bucket of the lake does not exist",
    "it is named; buckets are not created",
    "nothing was written",
)
def test_a_missing_bucket_is_named(bucket: Bucket, tmp_path: Path) -> None:
    lake = lake_in(bucket, tmp_path, parquet_directory=f"{bucket.scheme}://not-there-at-all/x")
    with pytest.raises(LakeError, match="no bucket or container 'not-there-at-all'") as caught:
        lake.current(ORDERS)
    assert "never buckets" in told(caught.value, bucket)


@pytest.mark.survives(
    "lake",
    "nobody listens at the object store's endpoint",
    "the store did not answer, with its endpoint; may be tried again",
    "nothing was written",
)
def test_a_store_that_does_not_answer_is_told_and_may_be_tried_again(
    bucket: Bucket, tmp_path: Path, dead_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = asyncio.sleep  # the drivers of Azure and Google try again for a minute
    monkeypatch.setattr(asyncio, "sleep", lambda seconds, result=None: sleep(min(seconds, 0.01), result))
    lake = lake_in(bucket, tmp_path, storage_options=bucket.options_at(dead_endpoint))
    with pytest.raises(LakeUnreachable, match="did not answer") as caught:
        lake.current(ORDERS)
    assert caught.value.is_transient
    assert dead_endpoint.removeprefix("http://") in told(caught.value, bucket)


@pytest.mark.survives(
    "lake",
    "the object store refuses a file or the manifest",
    "access was refused, and which rights are needed; no key appears",
    "the earlier load is current, nothing of the new one is in the bucket",
)
@pytest.mark.parametrize("verb", ["put_file", "pipe_file"])
def test_access_that_is_refused_while_publishing_leaves_nothing(
    lake: Lake, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    before = publish(lake, "partition", JANUARY, [1])
    keys = bucket.names()
    staged = stage(lake, facts_of("partition", JANUARY), [1, 2])
    files = driver_of(lake)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(f"Access Denied for {':'.join(bucket.secrets)}")

    monkeypatch.setattr(files, verb, refused)
    with pytest.raises(NotWritable, match="refused access") as caught:
        lake.publish(staged, fence=9)
    assert "list, read, write and delete" in told(caught.value, bucket)
    assert bucket.names() == keys
    assert lake.current(ORDERS) == {JANUARY: (before,)}


@pytest.mark.survives(
    "lake",
    "503 from the object store between two files of a load",
    "the store refused for now; may be tried again",
    "nothing of the load is in the bucket; the next attempt publishes it whole",
)
def test_a_503_in_the_middle_shows_nothing_and_the_next_attempt_goes_through(
    lake: Lake, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two files does not arrive."""
    facts = facts_of("partition", JANUARY, row_group_rows=1, max_file_bytes=1)
    staged = stage_two(lake, facts)
    files = driver_of(lake)
    original, calls = files.put_file, iter(range(10))

    def second_fails(local: str, remote: str, **more: Any) -> None:
        if next(calls) == 1:
            raise bucket.busy()
        original(local, remote, **more)

    monkeypatch.setattr(files, "put_file", second_fails)
    with pytest.raises(LakeUnreachable, match="refused for now") as caught:
        lake.publish(staged, fence=1)
    assert "run again" in told(caught.value, bucket)
    assert bucket.names() == []
    lake.publish(staged, fence=2)
    assert rows_of(lake) == [1, 2]


@pytest.mark.survives(
    "lake",
    "the connection breaks before the manifest's write is answered",
    "published when it was carried out, else the store did not answer",
    "every manifest names files that are there; the next load clears up",
)
def test_a_manifest_whose_request_was_answered_by_nobody_names_files_that_are_there(
    lake: Lake, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was carried out, but the answer was lost: nobody can tell, so nothing is taken back."""
    staged = stage(lake, facts_of("partition", JANUARY), [1, 2])
    files = driver_of(lake)
    original = files.pipe_file

    def without_answer(path: str, content: bytes, **more: Any) -> None:
        original(path, content, **more)
        raise bucket.silence()

    with monkeypatch.context() as patch:
        patch.setattr(files, "pipe_file", without_answer)
        manifest = lake.publish(staged, fence=1)
    assert lake.verify(manifest, checksums=True) == []

    def silence(path: str, content: bytes, **more: Any) -> None:
        raise bucket.silence()

    staged = stage(lake, facts_of("partition", JANUARY), [1, 2, 3])
    monkeypatch.setattr(files, "pipe_file", silence)
    with pytest.raises(LakeUnreachable):
        lake.publish(staged, fence=2)
    assert len(bucket.data_names()) == 2
    monkeypatch.undo()
    publish(lake, "partition", JANUARY, [7])
    assert len(bucket.data_names()) == 1
    assert rows_of(lake) == [7]


@pytest.mark.parametrize("arrived", [True, False])
def test_an_upload_whose_completion_was_answered_by_nobody_counts_when_it_arrived(
    lake: Lake, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    """The driver asks again, and the store says that there is no such upload: it is complete. (Met with 512 MB on a slow
    server.)"""
    staged = stage(lake, facts_of("static"), [1, 2])
    files = driver_of(lake)
    original = files.put_file

    def asked_twice(local: str, remote: str, **more: Any) -> None:
        if arrived:
            original(local, remote, **more)
        raise FileNotFoundError("The specified upload does not exist.")

    monkeypatch.setattr(files, "put_file", asked_twice)
    if arrived:
        assert lake.verify(lake.publish(staged, fence=1), checksums=True) == []
    else:
        with pytest.raises(LakeError, match="no such bucket or object"):
            lake.publish(staged, fence=1)
        assert bucket.names() == []


def test_an_object_store_hands_out_no_paths(lake: Lake) -> None:
    manifest = publish(lake, "static", WHOLE_TABLE, [1])
    with pytest.raises(LakeError, match=r"Lake\.files"):
        lake.paths(manifest)


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [
        ("s3://bucket/x", "s3fs", "s3"),
        ("az://box/x", "adlfs", "azure"),
        ("abfss://box@account.dfs.core.windows.net/x", "adlfs", "azure"),
        ("gs://bucket/x", "gcsfs", "gcs"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, driver: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    state = StateConfig(parquet_directory=url, storage_options={"token": "hunter22"}, state_directory=tmp_path)
    with pytest.raises(EnvironmentProblem, match=f"needs the driver {driver}") as caught:
        open_lake(state, "shop").current(ORDERS)
    assert f"pip install 'dltsync[{extra}]'" in caught.value.remedy
    assert "hunter22" not in str(caught.value)


def stage_two(lake: Lake, facts: Any) -> Any:

    with lake.stage(facts) as load:
        for number in (1, 2):
            load.write(batch_of([number]))
        return load.finish(final_facts(2))
