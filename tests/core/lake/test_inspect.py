"""What lies in a lake that should not: found without opening files, set aside with a note, never removed."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timezone
from pathlib import Path

import pytest

from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.manifest import MANIFEST_VERSION
from tests.support.lake_loads import ORDERS, facts_of, next_fence, publish, stage

NOW = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
JANUARY, FEBRUARY = "[2024-01-01,2024-02-01)", "[2024-02-01,2024-03-01)"


def lake_in(path: Path) -> Lake:
    return Lake(path, "shop", keep_generations=1)


def test_a_healthy_lake_has_nothing_to_say(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    publish(lake, "partition", JANUARY, [1, 2])
    publish(lake, "partition", JANUARY, [1, 2, 3])
    publish(lake, "partition", FEBRUARY, [4])
    found = lake.inspect(ORDERS)
    assert (found.findings, dict(found.problems)) == ((), {})
    assert set(found.units) == {JANUARY, FEBRUARY}


def test_only_the_unit_of_a_missing_file_is_in_doubt(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    january = publish(lake, "partition", JANUARY, [1, 2])
    publish(lake, "partition", FEBRUARY, [4])
    lake.paths(january)[0].unlink()
    found = lake.inspect(ORDERS)
    assert [("missing" in problem) for problem in found.problems_of(JANUARY)] == [True]
    assert found.problems_of(FEBRUARY) == ()
    assert found.findings == ()


def test_what_is_set_aside_is_kept_whole_with_a_note(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    manifest = publish(lake, "static", WHOLE_TABLE, [1, 2])
    copy = lake.paths(manifest)[0].with_name("copy.parquet")
    shutil.copy(lake.paths(manifest)[0], copy)
    content = copy.read_bytes()
    (place,) = lake.quarantine(ORDERS, lake.inspect(ORDERS).movable, NOW)
    assert (lake.directory / place).read_bytes() == content
    note = json.loads((lake.directory / f"{place}.why.json").read_text(encoding="utf-8"))
    assert note["from"].endswith("data/copy.parquet")
    assert note["kind"] == "foreign file"
    assert not copy.exists()
    assert lake.inspect(ORDERS).findings == ()


def test_setting_aside_twice_is_setting_aside_once(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    manifest = publish(lake, "static", WHOLE_TABLE, [1, 2])
    (lake.directory / manifest.files[0].path).with_name("copy.parquet").write_bytes(b"x")
    movable = lake.inspect(ORDERS).movable
    lake.quarantine(ORDERS, movable, NOW)
    after = lake.inspect(ORDERS)
    assert lake.quarantine(ORDERS, after.movable, NOW) == []


def test_files_of_a_later_fence_belong_to_somebody_at_work(tmp_path: Path) -> None:
    """Its manifest may come in the next moment: it is no stray."""
    lake = lake_in(tmp_path)
    manifest = publish(lake, "static", WHOLE_TABLE, [1, 2])
    staged = stage(lake, facts_of("static"), [1, 2, 3])
    fence = next_fence(lake, staged)
    name = f"f{fence:012d}-{staged.facts.load_id}-0.parquet"
    shutil.copy(staged.files[0].path, lake.paths(manifest)[0].with_name(name))
    assert lake.inspect(ORDERS).findings == ()
    lake.publish(staged, fence=fence)
    assert lake.inspect(ORDERS).findings == ()


@pytest.mark.parametrize("version", [MANIFEST_VERSION - 1, MANIFEST_VERSION + 1])
def test_a_manifest_of_another_version_is_a_question_and_stays_where_it_is(tmp_path: Path, version: int) -> None:
    lake = lake_in(tmp_path)
    publish(lake, "static", WHOLE_TABLE, [1, 2])
    path = next((lake.directory).glob("*/_manifests/*.json"))
    facts = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**facts, "manifest_version": version}), encoding="utf-8")
    (found,) = lake.inspect(ORDERS).questions
    assert found.kind == "other format"
    assert f"has manifest version {version}, this program reads version {MANIFEST_VERSION}" in str(found)
    assert lake.inspect(ORDERS).units == {}
