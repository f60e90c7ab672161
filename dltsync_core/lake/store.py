"""The lake of one pipeline: stage a load privately, publish it whole, say what is current."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from dltsync_core.identity import TableName
from dltsync_core.lake.load import FinalFacts, LoadFacts, StagedFiles
from dltsync_core.lake.manifest import Manifest


class StagedLoad:
    """A load being written. One writer, one thread. Leaving the `with` block without `finish` removes everything."""

    rows: int
    bytes: int

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows. Raises DiskFull, NotWritable, or LakeError when the batch has another schema."""
        raise NotImplementedError

    def finish(self, final: FinalFacts) -> StagedFiles:
        """Close, fsync, re-open and verify every file. An empty unit gets one file with the schema and no rows."""
        raise NotImplementedError

    def discard(self) -> None:
        """Remove what was written. Harmless when called twice or after a publish."""
        raise NotImplementedError

    def __enter__(self) -> StagedLoad:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError


class Lake:
    """The lake of one pipeline below `root`. Thread-safe; one publisher per unit at a time."""

    def __init__(self, root: Path, pipeline: str, *, keep_generations: int) -> None:
        raise NotImplementedError

    def stage(self, facts: LoadFacts) -> StagedLoad:
        """A private place for one load. Raises NotWritable or DiskFull."""
        raise NotImplementedError

    def publish(self, staged: StagedFiles, *, retire: Sequence[str] = (), retire_all: bool = False) -> Manifest:
        """Make a load visible: rename its files, write the manifest, retire what it replaces."""
        raise NotImplementedError

    def current(self, table: TableName) -> dict[str, tuple[Manifest, ...]]:
        """The live manifests of a table by unit, oldest first (scd: one unit, many manifests)."""
        raise NotImplementedError

    def paths(self, manifest: Manifest) -> tuple[Path, ...]:
        """Absolute paths of a load's files."""
        raise NotImplementedError

    def verify(self, manifest: Manifest) -> list[str]:
        """What is wrong with a load's files (missing, size, rows), as sentences. Empty when all is well."""
        raise NotImplementedError

    def count(self, table: TableName, unit: str | None = None, version_keys: Sequence[str] = ()) -> int:
        """Rows of one unit or of all. With `version_keys` distinct keys over the change files (scd)."""
        raise NotImplementedError

    def size_bytes(self) -> int:
        """Bytes of everything below this pipeline's lake."""
        raise NotImplementedError
