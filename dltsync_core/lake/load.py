"""The values a lake load is made of: what is known before the first row, after the last one, and once it is verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from dltsync_core.committed import LoadIdentity, OfLoad, Probe
from dltsync_core.ranges import PartitionRange

Compression: TypeAlias = Literal["zstd", "snappy", "gzip", "lz4", "brotli", "none"]
"""Codecs that DuckDB, Spark and pyarrow all read."""

ROW_GROUP_ROWS = 131_072
"""Default rows of a row group: what dlt and DuckDB read in parallel comfortably, and DuckDB's own vector multiple."""

MAX_FILE_BYTES = 512 * 1024 * 1024
"""Default size at which a unit's next file begins. Readers parallelise over files; warehouses dislike giant ones."""


@dataclass(frozen=True)
class LoadFacts(OfLoad):
    """What is known about a load before its first row.

    `schema` is the exact Arrow schema of every batch (nullability included). `partition_range` is given for partition
    tables only, the window (low exclusive, high inclusive, server text) for increments only. `contracts` is the fidelity
    contract of each column, JSON-ready; `column_ids` are the server's numbers of them.
    """

    identity: LoadIdentity
    schema: pa.Schema
    source_server: str
    source_database: str
    row_group_rows: int = ROW_GROUP_ROWS
    compression: Compression = "zstd"
    max_file_bytes: int = MAX_FILE_BYTES
    partition_range: PartitionRange | None = None
    window_low: str | None = None
    window_high: str | None = None
    contracts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    column_ids: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FinalFacts:
    """What is known once the last row has arrived. `watermark_low` is the server's own text.

    `counted_rows` is the server's count in the same read view as the rows; a load whose files hold another number is
    never finished. `extracted_at` is ISO 8601 UTC (`clock.iso`).
    """

    counted_rows: int
    probe: Probe
    schema_digest: str
    consistency: str
    extracted_at: str
    watermark_low: str | None = None


@dataclass(frozen=True)
class StagedFile:
    """One closed, fsynced and verified file that nobody sees yet. `sha256` is hexadecimal."""

    path: Path
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class StagedFiles:
    """A whole load, verified and private: ready for `Lake.publish`."""

    facts: LoadFacts
    final: FinalFacts
    directory: Path
    files: tuple[StagedFile, ...]

    @property
    def rows(self) -> int:
        return sum(f.rows for f in self.files)

    @property
    def bytes(self) -> int:
        return sum(f.bytes for f in self.files)
