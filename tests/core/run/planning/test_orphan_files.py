"""Files that a dead process left among a table's files are cleared up; those of a process at work are left alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dltsync_core import checkpoints
from dltsync_core.lake.storage.port import LocalStorage
from dltsync_core.run.result import RunResult
from dltsync_core.state.leases import Leases
from tests.support.killed import Killed, kill_at
from tests.support.memory_shop import ORDERS, MemoryShop


def once(name: str, then: Callable[[], None]) -> Callable[[str], None]:
    """A handler of checkpoints that does something when the first of this name is reached."""
    waiting = [then]

    def handler(reached: str) -> None:
        if reached == name and waiting:
            waiting.pop()()

    return handler


def killed_at(shop: MemoryShop, name: str, **arguments: Any) -> None:
    with checkpoints.watched(kill_at(name)), pytest.raises(Killed):
        shop.run(**arguments, parallel_execution=False)


def quarantined(shop: MemoryShop) -> list[Path]:
    return list(shop.root.glob("lake/*/*/_quarantine/**/*.parquet"))


def whole_and_left_alone(shop: MemoryShop) -> None:
    """All places agree, and one more run has nothing to do."""
    shop.assert_same()
    with shop.pipeline() as pipeline:
        report = pipeline.validate_all_tables()
        assert pipeline.recover(dry_run=True)["agreed"]
    assert report["valid"], report["tables"]
    assert {unit.status for unit in shop.run().units} == {"skipped"}
    shop.assert_same()


STATIC = {"table_names": ["dbo.Countries"], "force": True}
PARTITIONS = {"table_names": ["sales.Orders"], "force": True, "parallel_execution": False}


@pytest.mark.survives(
    "rivals",
    "a run, recovery, validation and a plan of another process between a file's public name and its manifest",
    "nothing: the file belongs to the lease it was published under",
    "the load is committed; no file was moved",
)
@pytest.mark.parametrize("arguments", [STATIC, PARTITIONS], ids=["static", "partitions"])
def test_a_file_that_a_run_has_just_published_is_nobody_elses(synced: MemoryShop, arguments: dict[str, Any]) -> None:
    """Between a file's public name and its manifest another process plans, validates, recovers and runs."""
    told: list[Any] = []

    def meanwhile() -> None:
        with synced.pipeline() as other:
            told.append(other.recover(dry_run=True)["agreed"])
            told.append([note for plan in other.plan() for note in plan.notes if "no part of the table" in note])
            told.append([said for table in other.validate_all_tables()["tables"] for said in table["problems"]])
            told.append(other.recover()["agreed"])
            told.append({unit.status for unit in other.run().units})

    with checkpoints.watched(once(checkpoints.FILE_IN_PLACE, meanwhile)):
        result = synced.run(**arguments)
    assert told == [True, [], [], True, {"skipped"}]
    assert result.success, result["errors"]
    assert quarantined(synced) == []
    whole_and_left_alone(synced)


def test_between_manifest_and_retiring_the_replaced_files_are_left_to_the_run_that_is_at_it(synced: MemoryShop) -> None:
    told: list[Any] = []

    def meanwhile() -> None:
        with synced.pipeline() as other:
            told.append([said for table in other.validate_all_tables()["tables"] for said in table["problems"]])
            told.append([found for table in other.recover(dry_run=True)["tables"] for found in table["quarantined"]])

    with checkpoints.watched(once(checkpoints.MANIFEST_WRITTEN, meanwhile)):
        assert synced.run(**STATIC).success
    assert told == [[], []]
    whole_and_left_alone(synced)


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryShop:
    """A shop whose leases end after a second, because nobody renews them: a process that stands still."""
    shop = MemoryShop(tmp_path, lease_seconds=1)
    assert shop.run().success
    monkeypatch.setattr(Leases, "_beat", lambda self, held, ended: None)
    return shop


def stand_still(shop: MemoryShop, runs: list[RunResult]) -> None:
    """Longer than the lease lasts; meanwhile another run finds the files."""
    time.sleep(1.05)
    runs.append(shop.run())
    assert quarantined(shop)


def assert_fenced(shop: MemoryShop, runs: list[RunResult], result: RunResult) -> None:
    assert {unit.status for unit in runs[0].units} == {"skipped"}
    assert [(unit.status, unit.error_type) for unit in result.units] == [("failed", "Fenced")]
    whole_and_left_alone(shop)


@pytest.mark.survives(
    "rivals",
    "a run is paused after publishing a file for longer than its lease, another run moves the file to "
    "quarantine, the first resumes",
    "the first: this run lost its lease while it stood still",
    "the table as before, in the lake and the warehouse; no manifest names a file that is gone",
)
def test_a_run_that_stood_still_until_its_files_were_set_aside_makes_nothing_visible(short: MemoryShop) -> None:
    runs: list[RunResult] = []
    with checkpoints.watched(once(checkpoints.FILE_IN_PLACE, lambda: stand_still(short, runs))):
        result = short.run(**STATIC)
    assert_fenced(short, runs, result)


def test_a_run_that_stood_still_just_before_its_manifest_takes_it_back(
    short: MemoryShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had asked for its lease and wakes up in the middle of writing: the manifest names files that are gone."""
    runs: list[RunResult] = []
    put = LocalStorage.put

    def slow(self: LocalStorage, key: str, content: bytes) -> None:
        monkeypatch.setattr(LocalStorage, "put", put)
        stand_still(short, runs)
        put(self, key, content)

    monkeypatch.setattr(LocalStorage, "put", slow)
    assert_fenced(short, runs, short.run(**STATIC))


def test_who_died_after_its_manifest_and_again_while_that_was_made_good_leaves_no_row_twice(synced: MemoryShop) -> None:
    """The load is adopted by the third run: lake and warehouse agree upon it. What it replaced goes all the same."""
    killed_at(synced, checkpoints.MANIFEST_WRITTEN, **STATIC)
    killed_at(synced, checkpoints.VALIDATED)
    assert synced.run().success
    whole_and_left_alone(synced)


def test_what_a_load_replaced_and_nobody_retired_is_found_by_itself(
    synced: MemoryShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lake in which it already happened: everything agrees, and an old file lies among the new ones."""
    old = {path: path.read_bytes() for path in synced.root.glob("lake/*/dbo_Countries*/data/*.parquet")}
    (manifest,) = synced.root.glob("lake/*/dbo_Countries*/_manifests/*.json")
    said = manifest.read_bytes()
    assert synced.run(**STATIC).success
    for path, content in old.items():
        path.write_bytes(content)
    manifest.write_bytes(said)
    with synced.pipeline() as pipeline:
        (problem,) = pipeline.validate_all_tables(["dbo.Countries"])["tables"][0]["problems"]
        assert "which a later load replaced" in problem
        (found,) = pipeline.recover(table_names=["dbo.Countries"])["tables"][0]["quarantined"]
        assert found in problem
    whole_and_left_alone(synced)


def test_a_ledger_that_was_lost_does_not_keep_an_orphan(synced: MemoryShop) -> None:
    killed_at(synced, checkpoints.LEASED, table_names=["dbo.Countries"], force=True)
    _publish_without_manifest(synced)
    for path in (synced.root / "state").glob("ledger.db*"):
        path.unlink()
    assert synced.run().success
    assert len(quarantined(synced)) == 1
    whole_and_left_alone(synced)


def _publish_without_manifest(shop: MemoryShop) -> None:
    """As a process that was killed between the two leaves it, under a lease that nobody holds."""
    (file,) = shop.root.glob("lake/*/dbo_Countries*/data/*.parquet")
    file.with_name(f"f{99:012d}-20260101T000000000000Z-dead-0.parquet").write_bytes(file.read_bytes())


def test_a_file_whose_manifest_comes_while_it_is_set_aside_is_put_back(synced: MemoryShop) -> None:
    """Its publisher had stood still in the middle of writing the manifest, and looks for its files after that."""
    _publish_without_manifest(synced)
    (manifest,) = synced.root.glob("lake/*/dbo_Countries*/_manifests/*.json")
    load_id = "20260101T000000000000Z-dead"

    def name_it() -> None:
        said = json.loads(manifest.read_text(encoding="utf-8"))
        (file,) = said["files"]
        file["path"] = file["path"].replace(file["path"].rpartition("/")[2], f"f{99:012d}-{load_id}-0.parquet")
        said |= {"load_id": load_id, "sequence": 99}
        manifest.with_name(f"{load_id}.json").write_text(json.dumps(said), encoding="utf-8")

    with checkpoints.watched(once(checkpoints.SETTING_ASIDE, name_it)):
        assert synced.run().success
    assert quarantined(synced) == []
    whole_and_left_alone(synced)


@pytest.mark.parametrize("how", ["run", "recover"])
def test_the_files_of_a_torn_manifest_go_with_it(synced: MemoryShop, how: str) -> None:
    (manifest,) = synced.root.glob("lake/*/dbo_Countries*/_manifests/*.json")
    manifest.write_bytes(manifest.read_bytes()[:100])
    with synced.pipeline() as pipeline:
        told = pipeline.run().notes if how == "run" else ()
        assert not [note for note in told if "no part of the table" in note]
        if how == "recover":
            assert len(pipeline.recover()["tables"][-1]["quarantined"]) == 2
            assert not [t["quarantined"] for t in pipeline.recover(dry_run=True)["tables"] if t["quarantined"]]
            assert pipeline.run().success
    assert len(quarantined(synced)) == 1
    whole_and_left_alone(synced)


def test_without_healing_a_run_tells_and_recovery_mends(synced: MemoryShop) -> None:
    _publish_without_manifest(synced)
    synced.state["enable_self_healing"] = False
    result = synced.run()
    assert result.success
    assert [note for note in result.notes if "no part of the table; `dltsync recover` sets it aside" in note]
    assert not quarantined(synced)
    with synced.pipeline() as pipeline:
        assert not pipeline.validate_all_tables()["valid"]
        pipeline.recover()
    assert quarantined(synced)
    whole_and_left_alone(synced)


def test_only_the_partitions_that_were_asked_for_are_told_of(synced: MemoryShop) -> None:
    first, *_ = sorted(synced.root.glob("lake/*/sales_Orders*/data/*/*.parquet"))
    first.with_name(f"f{99:012d}-20260101T000000000000Z-dead-0.parquet").write_bytes(first.read_bytes())
    with synced.pipeline() as pipeline:
        keys = pipeline.partition_keys(str(ORDERS))
        valid = [pipeline.validate_all_tables([str(ORDERS)], partition_keys=[key])["valid"] for key in keys]
        assert sorted(valid) == [False, True, True]
        assert not pipeline.validate_all_tables([str(ORDERS)])["valid"]


def test_a_lake_without_orphans_asks_the_ledger_for_no_leases(
    synced: MemoryShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking costs one listing of the table's files, which every plan makes, and nothing else."""
    monkeypatch.setattr(Leases, "fences_in_force", lambda self, table: pytest.fail("the leases were looked at"))
    listed: list[str] = []
    sizes = LocalStorage.sizes
    monkeypatch.setattr(
        LocalStorage,
        "sizes",
        lambda self, prefix: listed.append(prefix) or sizes(self, prefix),  # type: ignore[func-returns-value]
    )
    assert {unit.status for unit in synced.run().units} == {"skipped"}
    assert len(listed) == len({*listed}) == 3
