"""The values a lake load is made of: what is known before the first row, after the last one, and once it is verified.

`ResumableFiles` are the files that a broken read leaves for a later attempt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.committed import LoadIdentity, OfLoad, Probe
from dltsync_core.errors import LakeError
from dltsync_core.lake.storage.directory_lock import DirectoryLock
from dltsync_core.lake.storage.disk import explained, remove_tree
from dltsync_core.ranges import PartitionRange

Compression: TypeAlias = Literal["zstd", "snappy", "gzip", "lz4", "brotli", "none"]
"""Codecs that DuckDB, Spark and pyarrow all read."""

ROW_GROUP_ROWS = 131_072
"""Default rows of a row group: what dlt and DuckDB read in parallel comfortably, and DuckDB's own vector multiple."""

ROW_GROUP_BYTES = 64 * 1024 * 1024
"""Default bytes of a row group in memory: rows wait until it is full, and wide ones must not make that gigabytes."""

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
    row_group_bytes: int = ROW_GROUP_BYTES
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


READ_ROWS = 65_536
"""Rows of a batch that is read back."""


@dataclass(frozen=True)
class ResumableFiles:
    """Closed files without facts in their footers, in a directory of their own. Nobody publishes them. `claim` says that
    their process still wants them."""

    directory: Path
    files: tuple[Path, ...]
    rows: int
    schema: pa.Schema
    directory_lock: DirectoryLock | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, in the order they were written. Raises LakeError for a file that does not read back."""
        for path in self.files:
            with explained(path, "reading back"):
                try:
                    with pq.ParquetFile(path) as file:
                        for batch in file.iter_batches(READ_ROWS):
                            yield batch.cast(self.schema)
                except pa.ArrowInvalid as error:
                    raise LakeError(f"{path} does not read back as a Parquet file: {error}", path=str(path)) from error

    def discard(self) -> None:
        """Remove the files. Harmless when called twice."""
        if self.directory_lock is not None:
            self.directory_lock.release()
        remove_tree(self.directory)
