"""A process killed at any step of a publication: who follows manifests sees the old load or the new one, whole, and the next
publication leaves nothing of the dead one. On a disk and in a bucket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dltsync_core.clock import utc_now
from dltsync_core.config import StateConfig
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.open_lake import open_lake
from tests.integration.lake.dying import UNIT
from tests.support.lake_loads import ORDERS, publish
from tests.support.object_stores import Bucket


@pytest.fixture(scope="module")
def mortal() -> Iterator[Callable[[dict[str, Any]], str]]:
    """Publishes in a process that dies as told; what became of it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.lake.dying"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def die(order: dict[str, Any]) -> str:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield die
        assert process.stdin is not None
        process.stdin.close()


def rows_of(lake: Lake) -> list[int]:
    found: list[int] = []
    for (manifest,) in lake.current(ORDERS).values():
        with lake.files(manifest) as paths:
            found += [int(str(n)) for path in paths for n in pq.read_table(path).column("OrderNo").to_pylist()]
    return sorted(found)


def check(
    mortal: Callable[[dict[str, Any]], str],
    state: dict[str, Any],
    dying: dict[str, Any],
    *,
    published: bool,
    globbed: Callable[[], int],
) -> None:
    lake = open_lake(StateConfig(**state), "shop")
    publish(lake, "partition", UNIT, [7])
    publish(lake, "partition", UNIT, [8, 9])
    assert mortal({"state": state, **dying}) == "killed"

    looking = open_lake(StateConfig(**state), "shop")
    assert rows_of(looking) == ([1, 2, 3] if published else [8, 9])
    assert [p for (m,) in looking.current(ORDERS).values() for p in looking.verify(m, checksums=True)] == []
    publish(looking, "partition", UNIT, [4])
    assert rows_of(looking) == [4]
    assert globbed() == 1
    assert looking.sweep(utc_now()) <= 1
    assert list(Path(state["state_directory"]).rglob("_staging/*")) == []


STORE_STEPS = [
    ("take_in", False, 0, False),
    ("take_in", True, 1, False),
    ("put", False, 0, False),
    ("put", True, 0, True),
    ("move", True, 0, True),
    ("move", True, 1, True),
    ("delete", False, 0, True),
]
"""Step, before or after, which call, and whether the new load is published then."""

DRIVER_STEPS = [
    ("put_file", True, 0, False),
    ("put_file", True, 2, False),
    ("pipe_file", True, 0, True),
    ("cp_file", True, 0, True),
    ("cp_file", True, 1, True),
    ("rm_file", False, 0, True),
    ("rm_file", True, 1, True),
]
"""The same of the driver: a move is a copy and a removal there, and an upload is not yet checked when it has ended."""


@pytest.mark.survives(
    "crash",
    "a process killed before or after any step of publishing to a directory",
    "nothing",
    "readers of manifests see the old load or the new one, whole; the next load removes the rest",
)
@pytest.mark.parametrize(("step", "after", "call", "published"), STORE_STEPS)
def test_a_publication_to_a_directory_killed_at_any_step(
    mortal: Callable[[dict[str, Any]], str], tmp_path: Path, step: str, after: bool, call: int, published: bool
) -> None:
    state = {"state_directory": str(tmp_path / "lake"), "parquet_directory": str(tmp_path / "lake")}
    check(
        mortal,
        state,
        {"of": "store", "step": step, "after": after, "call": call},
        published=published,
        globbed=lambda: len(list((tmp_path / "lake").glob("shop/*/data/**/*.parquet"))),
    )


@pytest.mark.survives(
    "crash",
    "a process killed before or after any request of publishing to a bucket (S3, Azure, Google)",
    "nothing",
    "readers of manifests see the old load or the new one, whole; the next load removes the rest",
)
@pytest.mark.parametrize(("step", "after", "call", "published"), DRIVER_STEPS)
def test_a_publication_to_a_bucket_killed_at_any_request(
    mortal: Callable[[dict[str, Any]], str],
    bucket: Bucket,
    tmp_path: Path,
    step: str,
    after: bool,
    call: int,
    published: bool,
) -> None:
    state = {
        "state_directory": str(tmp_path / "state"),
        "parquet_directory": bucket.url,
        "storage_options": bucket.options,
    }
    check(
        mortal,
        state,
        {"of": "driver", "step": step, "after": after, "call": call},
        published=published,
        globbed=lambda: len(bucket.data_names()),
    )
