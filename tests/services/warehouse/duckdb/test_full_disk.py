"""A warehouse on a disk without room: a clear error, and the table as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from dltsync_core.errors import DiskFull, SyncError
from tests.support.local_warehouse import LocalWarehouse, orders
from tests.support.small_disk import mounted_disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of eight megabytes."""
    with mounted_disk(tmp_path / "small", megabytes=8) as place:
        yield place


def test_a_full_disk_leaves_the_table_as_it_was(tmp_path: Path, small_disk: Path) -> None:
    house = LocalWarehouse(tmp_path, file_name="small/w.duckdb")
    house.load(("sales", "Orders"), orders({1: "a"}))
    noise = pa.table(
        {
            "No": pa.array(range(20_000), pa.int32()),
            "Note": pa.array([os.urandom(512).hex() for _ in range(20_000)], pa.string()),
        }
    )
    with pytest.raises(DiskFull, match="no room left") as caught:
        house.load(("sales", "Orders"), noise)
    assert isinstance(caught.value, SyncError)
    assert house.query('SELECT * FROM sales."Orders"') == [(1, "a")]
    house.load(("sales", "Orders"), orders({2: "b"}))
    assert house.query('SELECT * FROM sales."Orders"') == [(2, "b")]
