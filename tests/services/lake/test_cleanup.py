"""What processes stage in a lake: removed when they were killed, left alone while they live."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dltsync_core.clock import utc_now
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.storage.directory_lock import LONGER_THAN_ANY_LEASE
from tests.support.lake_loads import facts_of


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", "shop", keep_generations=1)


def staged_in(lake: Lake) -> list[Path]:
    return sorted(lake.directory.glob("*/_staging/*"))


STAGE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from dltsync_core.lake.lake import Lake
from tests.support.lake_loads import batch_of, facts_of
load = Lake(Path(sys.argv[1]), "shop", keep_generations=1).stage(facts_of("static", row_group_rows=1))
load.write(batch_of([1]))
if sys.argv[2] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
print("staged", flush=True)
sys.stdin.read()
"""


@pytest.mark.survives(
    "crash",
    "a process killed while it stages a load",
    "nothing",
    "the next run on that machine removes what was staged; live loads of others stay",
)
def test_what_a_killed_process_staged_is_removed_at_once(lake: Lake) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STAGE_AND_DIE, str(lake.directory.parent), "die"], check=False, env=os.environ
    )
    assert done.returncode < 0
    assert len(staged_in(lake)) == 1
    assert lake.sweep(utc_now()) == 1
    assert staged_in(lake) == []


def test_what_a_live_process_is_staging_stays_however_old(lake: Lake) -> None:
    """Ours, and another one's of this machine."""
    with subprocess.Popen(
        [sys.executable, "-c", STAGE_AND_DIE, str(lake.directory.parent), "live"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"staged\n"
        with lake.stage(facts_of("static")):
            assert len(staged_in(lake)) == 2
            assert lake.sweep(utc_now() + 2 * LONGER_THAN_ANY_LEASE) == 0
            assert len(staged_in(lake)) == 2
        other.kill()
    assert lake.sweep(utc_now()) == 1
