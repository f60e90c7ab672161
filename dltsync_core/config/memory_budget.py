"""How `processing.memory_limit_mb` is divided. Pure: one function from the settings to every bound that the run obeys.

The limit is for the whole process. A fixed part is what Python, dlt, DuckDB, Arrow and the drivers need before the first row
(measured: docs/performance.md). A third of the rest is the warehouse's, of which one connection is open at a time. The workers
share what is left. A worker either reads a unit or checks its files, never both at once, so its share is divided twice:

- reading: a batch in the driver's types and one converted (an eighth each), batches that wait for the writer (a quarter), rows
  that wait for their row group (a quarter), and what the writer makes of them (a quarter);
- checking keys, rules and counts: a database in memory that spills to disk (a half), and the pages that Arrow reads for it (a
  half).
"""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024 * 1024
FIXED_MB = 384
"""What a process needs that loads next to nothing."""
LEAST_WAREHOUSE_MB = 128
"""With less DuckDB refuses to load a table of a hundred columns: it spills rows, not the buffers of its columns."""
LEAST_WORKER_MB = 96
WAREHOUSE_SHARE = 3
"""One part in so many of what is not fixed is the warehouse's."""
LARGEST_ROW_GROUP_MB = 64
"""Readers hold a row group whole: a larger one would cost them more than it saves."""
THREAD_MB = 96
"""What a thread of DuckDB needs before it can spill, whatever the limit is: about a row group of its columns."""


@dataclass(frozen=True)
class DuckDbMemory:
    """The settings of one DuckDB connection. Beyond `limit_mb` it spills to disk."""

    limit_mb: int
    threads: int


LEAST_WAREHOUSE = DuckDbMemory(LEAST_WAREHOUSE_MB, 1)
LEAST_SCRATCH = DuckDbMemory(LEAST_WORKER_MB // 2, 1)
"""What a connection gets whose user gives it no budget."""


@dataclass(frozen=True)
class MemoryBudget:
    """The bounds of one process. Sizes of the reading side are in bytes and those of one worker."""

    warehouse: DuckDbMemory
    scratch: DuckDbMemory
    """Of a database in memory, of which every worker may have one."""
    batch_bytes: int
    """Of an Arrow batch, which exists in the driver's types and in the lake's."""
    queue_bytes: int
    """Of all batches that wait for the writer."""
    row_group_bytes: int
    """Of the rows that wait for their Parquet row group."""


def least_memory_mb(workers: int) -> int:
    """The smallest limit with which that many workers can work."""
    return FIXED_MB + LEAST_WAREHOUSE_MB + workers * LEAST_WORKER_MB


def memory_budget(limit_mb: int, workers: int, batch_mb: int, processors: int) -> MemoryBudget:
    """The budget of a process with that limit. `batch_mb` is the size of a batch that the config wants: it gets no more.

    Raises ValueError, with the least limit and the other way out, when the limit is too small for so many workers.
    """
    least = least_memory_mb(workers)
    if limit_mb < least:
        raise ValueError(
            f"memory_limit_mb {limit_mb} is too small for max_workers {workers}: the least is {least} ({FIXED_MB} for the "
            f"process, {LEAST_WAREHOUSE_MB} for DuckDB, {LEAST_WORKER_MB} for each worker). {_remedy(limit_mb, least)}"
        )
    rest = limit_mb - FIXED_MB
    warehouse = min(max(rest // WAREHOUSE_SHARE, LEAST_WAREHOUSE_MB), rest - workers * LEAST_WORKER_MB)
    worker = (rest - warehouse) // workers
    return MemoryBudget(
        warehouse=_duckdb(warehouse, processors),
        scratch=_duckdb(worker // 2, processors),
        batch_bytes=min(batch_mb * MEGABYTE, worker * MEGABYTE // 8),
        queue_bytes=worker * MEGABYTE // 4,
        row_group_bytes=min(LARGEST_ROW_GROUP_MB * MEGABYTE, worker * MEGABYTE // 4),
    )


def _remedy(limit_mb: int, least: int) -> str:
    fewer = (limit_mb - FIXED_MB - LEAST_WAREHOUSE_MB) // LEAST_WORKER_MB
    return f"Write memory_limit_mb: {least}" + (f", or max_workers: {fewer}" if fewer > 0 else "")


def _duckdb(limit_mb: int, processors: int) -> DuckDbMemory:
    return DuckDbMemory(limit_mb, max(1, min(processors, limit_mb // THREAD_MB)))
