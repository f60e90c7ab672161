"""Lakes in buckets for the tests, and how to look into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dltsync_core.config import StateConfig
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.open_lake import open_lake
from dltsync_core.lake.storage import object_store as object_storage
from tests.support.lake_loads import ORDERS, batch_of, final_facts
from tests.support.object_stores import Bucket

JANUARY, FEBRUARY = "[2024-01-01,2024-02-01)", "[2024-02-01,2024-03-01)"


def lake_in(bucket: Bucket, work: Path, **more: Any) -> Lake:
    given = {"parquet_directory": bucket.url, "storage_options": bucket.options, "state_directory": work}
    return open_lake(StateConfig(**{**given, **more}), "shop")


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


def stage_two(lake: Lake, facts: Any) -> Any:
    with lake.stage(facts) as load:
        for number in (1, 2):
            load.write(batch_of([number]))
        return load.finish(final_facts(2))
