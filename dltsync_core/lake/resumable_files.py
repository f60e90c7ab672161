"""Rows of a load that broke off, kept privately until a later attempt has proven that they still hold, or has not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.errors import LakeError
from dltsync_core.lake.storage.directory_lock import DirectoryLock
from dltsync_core.lake.storage.disk import explained, remove_tree

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
