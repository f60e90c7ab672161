"""The lake a config names: a directory, or a prefix of an object store."""

from __future__ import annotations

from pathlib import Path

from dltsync_core.config import StateConfig
from dltsync_core.config.memory_budget import LEAST_SCRATCH, DuckDbMemory
from dltsync_core.identity import path_part
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.storage.object_store import ObjectStorage


def open_lake(state: StateConfig, pipeline: str, memory: DuckDbMemory = LEAST_SCRATCH) -> Lake:
    """Nothing is looked at or created before the lake is used. `memory` is for counting keys."""
    place = state.parquet_directory
    if isinstance(place, Path):
        return Lake(place, pipeline, keep_generations=state.keep_generations, memory=memory)
    options = state.storage_options.get_secret_value() if state.storage_options is not None else {}
    work = state.state_directory / "lake"
    storage = ObjectStorage(
        f"{place}/{path_part(pipeline)}",
        options,
        work=work / path_part(pipeline),
        cache_bytes=state.lake_cache_mb * 1_000_000,
    )
    return Lake(work, pipeline, keep_generations=state.keep_generations, storage=storage, memory=memory)
