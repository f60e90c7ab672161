"""The lake of one pipeline: stage a load privately, publish it whole, say what is current."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from dltsync_core.errors import Fenced, LakeError, UnsupportedColumn
from dltsync_core.identity import TableName, path_part
from dltsync_core.lake import paths
from dltsync_core.lake.disk import explained, remove_tree, sha256_of
from dltsync_core.lake.footer import Footer, footer_from
from dltsync_core.lake.load import LoadFacts, StagedFiles
from dltsync_core.lake.manifest import Manifest, live
from dltsync_core.lake.publish import highest_sequence, publish, scan_manifests
from dltsync_core.lake.storage import LakeStorage, LocalStorage
from dltsync_core.lake.writer import StagedLoad

_RESERVED = {paths.PARTITION_KEY, paths.LOAD_KEY}


class Lake:
    """The lake of one pipeline below `root`. Nothing is created before the first load is staged.

    Thread-safe, and safe across machines: who publishes under an older fence than somebody before him changes nothing
    (`Lake.publish`). Different units of a table may be published at the same time.
    """

    def __init__(self, root: Path, pipeline: str, *, keep_generations: int) -> None:
        self.directory = root / path_part(pipeline)
        self._pipeline = pipeline
        self._keep_generations = keep_generations
        self._storage: LakeStorage = LocalStorage(self.directory)
        self._locks: dict[TableName, threading.Lock] = {}
        self._locks_guard = threading.Lock()

    def stage(self, facts: LoadFacts) -> StagedLoad:
        """A private place for one load. Raises NotWritable, DiskFull, or UnsupportedColumn for a reserved name."""
        clash = [name for name in facts.schema.names if name.casefold() in _RESERVED]
        if clash:
            raise UnsupportedColumn(
                f"{facts.table} has a column {clash[0]!r}: the lake names its directories so, and readers of hive "
                "style directories would show the directory instead of the column",
                remedy=f"add {clash[0]!r} to exclude_columns",
                table=str(facts.table),
                column=clash[0],
            )
        key = paths.staging_directory(facts.table, facts.load_id)
        return StagedLoad(facts, pipeline=self._pipeline, open_directory=lambda: self._storage.staging_directory(key))

    def publish(
        self, staged: StagedFiles, *, fence: int, retire: Sequence[str] = (), retire_all: bool = False
    ) -> Manifest:
        """Make a load visible: its files, then its manifest; then retire what it replaces.

        A partition or static load replaces the earlier loads of its unit, an scd load adds to them unless `retire_all`.
        `retire` names units whose rows this load took over (partitions merged or split at the source). `fence` is that of
        the lease on the unit: it decides what is earlier. Raises Fenced when a later one holds the unit already; what was
        staged is gone then, and nothing of it was made visible.
        """
        try:
            with self._lock(staged.facts.table):
                manifest = publish(
                    self._storage,
                    staged,
                    fence=fence,
                    retire=retire,
                    retire_all=retire_all,
                    keep_generations=self._keep_generations,
                )
        except Fenced:
            remove_tree(staged.directory)
            raise
        remove_tree(staged.directory)
        return manifest

    def highest_sequence(self, table: TableName) -> int:
        """The highest fence this table was ever published under, superseded loads included; 0 when there is none."""
        return highest_sequence(self._storage, table)

    def current(self, table: TableName) -> dict[str, tuple[Manifest, ...]]:
        """The live manifests of a table by unit, oldest first (scd: one unit, many manifests). Empty: never loaded."""
        units: dict[str, tuple[Manifest, ...]] = {}
        for manifest in live(scan_manifests(self._storage, table)):
            units[manifest.unit] = (*units.get(manifest.unit, ()), manifest)
        return units

    def paths(self, manifest: Manifest) -> tuple[Path, ...]:
        """Absolute paths of a load's files."""
        return tuple(self._storage.local_path(file.path).absolute() for file in manifest.files)

    def data_directory(self, table: TableName) -> Path:
        """The directory whose `**/*.parquet` is the current table (scd: its change files)."""
        return self._storage.local_path(paths.data_directory(table)).absolute()

    def footers(self, manifest: Manifest) -> tuple[Footer, ...]:
        """What a load's files say about themselves. Raises LakeError when one is missing, torn or not ours."""
        return tuple(read_footer(path)[0] for path in self.paths(manifest))

    def verify(self, manifest: Manifest, *, checksums: bool = False) -> list[str]:
        """What is wrong with a load's files (missing, size, rows; contents when `checksums`), as sentences.

        Empty when all is well. Without checksums only footers are read.
        """
        problems: list[str] = []
        for file, path in zip(manifest.files, self.paths(manifest), strict=True):
            size = self._storage.size(file.path)
            if size is None:
                problems.append(f"{path} is missing")
            elif size != file.bytes:
                problems.append(f"{path} has {size} bytes where the manifest says {file.bytes}")
            else:
                problems.extend(_content_problems(path, file.rows, file.sha256 if checksums else None))
        return problems

    def count(self, table: TableName, unit: str | None = None, version_keys: Sequence[str] = ()) -> int:
        """Rows of one unit or of the whole table, from the footers of the live files.

        With `version_keys` (scd) the number of different keys over all change files: a version read twice, because of
        the lag or a later change, is one row of the table. NULLs count as equal. Raises LakeError for missing files.
        """
        manifests = [m for u, ms in self.current(table).items() if unit in (None, u) for m in ms]
        files = [path for manifest in manifests for path in self.paths(manifest)]
        if version_keys:
            return _count_distinct(files, version_keys)
        return sum(read_footer(path)[1] for path in files)

    def size_bytes(self) -> int:
        """Bytes of all Parquet files below this pipeline's lake, retired generations included."""
        sizes = (self._storage.size(key) for key in self._storage.list("") if key.endswith(".parquet"))
        return sum(size for size in sizes if size is not None)

    def _lock(self, table: TableName) -> threading.Lock:
        with self._locks_guard:
            return self._locks.setdefault(table, threading.Lock())


def read_footer(path: Path) -> tuple[Footer, int]:
    """A file's footer and the rows Parquet itself counts in it. Raises LakeError when it is missing, torn or not ours."""
    with explained(path, "reading"):
        try:
            metadata = pq.read_metadata(path)
        except FileNotFoundError as error:
            raise LakeError(f"lake file {path} is missing", remedy="load its table again", path=str(path)) from error
        except ValueError as error:  # pyarrow's ArrowInvalid is one
            raise LakeError(
                f"{path} is torn or no Parquet file: {error}", remedy="load its table again", path=str(path)
            ) from error
    return footer_from(metadata.metadata, path=str(path)), metadata.num_rows


def _content_problems(path: Path, rows: int, sha256: str | None) -> list[str]:
    try:
        footer, held = read_footer(path)
    except LakeError as error:
        return [error.problem]
    if rows != held or rows != footer.rows:
        return [f"{path} holds {held} rows where the manifest says {rows} and its footer {footer.rows}"]
    if sha256 is not None and sha256_of(path) != sha256:
        return [f"{path} was changed after it was published: its checksum differs from the manifest's"]
    return []


def _count_distinct(files: Sequence[Path], columns: Sequence[str]) -> int:
    """Distinct keys over files, in DuckDB, which spills to disk where Python would keep every key in memory."""
    if not files:
        return 0
    for path in files:
        read_footer(path)
    reader = ds.dataset([str(path) for path in files]).scanner(columns=list(columns)).to_reader()
    with duckdb.connect(":memory:") as connection:
        distinct = connection.from_arrow(reader).distinct()
        row = distinct.count("*").fetchone()
    return int(row[0]) if row else 0
