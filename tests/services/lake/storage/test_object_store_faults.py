"""What goes wrong at an object store is told, and leaves nothing half done."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.config import StateConfig
from dltsync_core.errors import EnvironmentProblem, LakeError, LakeUnreachable, NotWritable
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.open_lake import open_lake
from tests.services.lake.bucket_lakes import JANUARY, driver_of, lake_in, rows_of, stage_two
from tests.support.lake_loads import ORDERS, facts_of, publish, stage
from tests.support.object_stores import Bucket


@pytest.fixture
def lake(bucket: Bucket, tmp_path: Path) -> Lake:
    return lake_in(bucket, tmp_path / "state")


@pytest.mark.survives(
    "lake",
    "an object of the lake overwritten or deleted by another program",
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
    "the message names it; dltsync creates no bucket",
    "nothing was written",
)
def test_a_missing_bucket_is_named(bucket: Bucket, tmp_path: Path) -> None:
    lake = lake_in(bucket, tmp_path, parquet_directory=f"{bucket.scheme}://not-there-at-all/x")
    with pytest.raises(LakeError, match="no bucket or container 'not-there-at-all'") as caught:
        lake.current(ORDERS)
    assert "never buckets" in told(caught.value, bucket)


@pytest.mark.survives(
    "lake",
    "no server listens at the object store's endpoint",
    "the store did not answer, with its endpoint; the failure is transient",
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
    "the store refused for now; the failure is transient",
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
    "published when the store carried it out, else the store did not answer",
    "every manifest names files that exist; the next load removes the rest",
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
