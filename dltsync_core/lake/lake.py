"""The lake of one pipeline: stage a load privately, publish it whole, say what is current."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from dltsync_core.config.memory_budget import LEAST_SCRATCH, DuckDbMemory
from dltsync_core.display import number_of
from dltsync_core.errors import Fenced, LakeError, UnsupportedColumn
from dltsync_core.identity import TableName, path_part
from dltsync_core.lake import paths
from dltsync_core.lake.cleanup import remove_superseded
from dltsync_core.lake.file_reader import count_distinct, read_footer
from dltsync_core.lake.file_statistics import Tally, tally_of
from dltsync_core.lake.footer import Footer
from dltsync_core.lake.inspect import (
    LakeFinding,
    LakeInspection,
    all_of,
    inspect_lake,
    put_back,
    quarantine,
    still_in_place,
)
from dltsync_core.lake.load import LoadFacts, StagedFiles
from dltsync_core.lake.manifest import Manifest, ManifestFile, live
from dltsync_core.lake.manifest_index import Manifests, highest_sequence, highest_sequence_of, scan_manifests
from dltsync_core.lake.publish import nobody_asked, publish
from dltsync_core.lake.storage.directory_lock import is_abandoned
from dltsync_core.lake.storage.disk import remove_tree
from dltsync_core.lake.storage.port import LakeStorage, LocalStorage
from dltsync_core.lake.writer import StagedLoad

LOOK_EVERYWHERE_SECONDS = 86_400.0
"""How often a process that lives long looks through all partitions of a table for files that lost their manifest."""

_RESERVED = {paths.PARTITION_KEY, paths.LOAD_KEY}


class Lake:
    """The lake of one pipeline below `root`. Nothing is created before the first load is staged.

    Thread-safe, and safe across machines: who publishes under an older fence than somebody before him changes nothing
    (`Lake.publish`). Different units of a table may be published at the same time.
    """

    def __init__(
        self,
        root: Path,
        pipeline: str,
        *,
        keep_generations: int,
        storage: LakeStorage | None = None,
        memory: DuckDbMemory = LEAST_SCRATCH,
    ) -> None:
        self._memory = memory
        self.directory = root / path_part(pipeline)
        self._pipeline = pipeline
        self._keep_generations = keep_generations
        self._storage: LakeStorage = storage if storage is not None else LocalStorage(self.directory)
        self._manifests = Manifests()
        self._looks: dict[TableName, tuple[int, float]] = {}
        self._locks: dict[TableName, threading.Lock] = {}
        self._locks_guard = threading.Lock()

    @property
    def address(self) -> str:
        """Where the lake is: an absolute path or a URL."""
        return self._storage.address("")

    def check_reachable(self) -> None:
        """Ask the lake for a file that is not there. Raises LakeUnreachable, LakeError, EnvironmentProblem."""
        self._storage.read(paths.ABSENT)

    def stage(self, facts: LoadFacts) -> StagedLoad:
        """A private place for one load. Raises NotWritable, DiskFull, or UnsupportedColumn for a reserved name."""
        self.check_names(facts.table, facts.schema.names)
        key = paths.staging_directory(facts.table, facts.load_id)
        return StagedLoad(facts, open_directory=lambda: self._storage.staging_directory(key))

    def check_names(self, table: TableName, columns: Sequence[str]) -> None:
        """Raises UnsupportedColumn for a column whose name the lake keeps for itself. Looks at nothing."""
        clash = [name for name in columns if name.casefold() in _RESERVED]
        if clash:
            raise UnsupportedColumn(
                f"{table} has a column {clash[0]!r}: the lake names its directories so, and readers of hive "
                "style directories would show the directory instead of the column",
                remedy=f"add {clash[0]!r} to exclude_columns",
                table=str(table),
                column=clash[0],
            )

    def publish(
        self,
        staged: StagedFiles,
        *,
        fence: int,
        retire: Sequence[str] = (),
        retire_all: bool = False,
        still_ours: Callable[[], None] = nobody_asked,
    ) -> Manifest:
        """Make a load visible: its files, then its manifest; then retire what it replaces.

        A partition or static load replaces the earlier loads of its unit, an scd load adds to them unless `retire_all`.
        `retire` names units whose rows this load took over (partitions merged or split at the source). `fence` is that of
        the lease on the unit: it decides what is earlier. `still_ours` raises Fenced once that lease is lost: it is asked before
        and after the manifest is written. Raises Fenced when a later one holds the unit already; what was
        staged is gone then, and nothing of it was made visible.
        """
        try:
            manifest = publish(
                self._storage,
                staged,
                fence=fence,
                retire=retire,
                retire_all=retire_all,
                keep_generations=self._keep_generations,
                manifests=self._manifests,
                everywhere=self._is_time_to_look_everywhere(staged.facts.table),
                turn=self._lock(staged.facts.table),
                still_ours=still_ours,
            )
        except Fenced:
            remove_tree(staged.directory)
            raise
        self._storage.settle(staged.files)
        remove_tree(staged.directory)
        return manifest

    def highest_sequence(self, table: TableName) -> int:
        """The highest fence this table was ever published under, superseded loads included; 0 when there is none."""
        return highest_sequence(self._storage, self._manifests, table)

    def highest_sequence_of(self, table: TableName, units: Sequence[str]) -> int:
        """The highest fence any manifest of the table or any file of these partitions bears; without a look at every other
        partition. Who asks for the first time asks `highest_sequence`."""
        return highest_sequence_of(self._storage, self._manifests, table, units)

    def current(self, table: TableName) -> dict[str, tuple[Manifest, ...]]:
        """The live manifests of a table by unit, oldest first (scd: one unit, many manifests). Empty: never loaded."""
        units: dict[str, list[Manifest]] = {}
        for manifest in live(scan_manifests(self._storage, table, self._manifests)):
            units.setdefault(manifest.unit, []).append(manifest)
        return {unit: tuple(manifests) for unit, manifests in units.items()}

    def current_of(self, table: TableName, unit: str) -> tuple[Manifest, ...]:
        """The live manifests of one unit, oldest first. What is listed is seen anew, no manifest is read twice: the units of a
        table are asked for one by one."""
        return tuple(manifest for manifest in live(self._manifests.scan(self._storage, table)) if manifest.unit == unit)

    def inspect(self, table: TableName, *, deep: bool = False) -> LakeInspection:
        """What lies there, the damaged and the strange included (`lake.inspect`)."""
        return inspect_lake(self._storage, table, self._pipeline, self._manifests, deep=deep)

    def still_in_place(self, findings: Sequence[LakeFinding]) -> tuple[LakeFinding, ...]:
        """Those of a inspection's `unlisted` and `superseded` files that are so now as well (`lake.inspect.still_in_place`)."""
        return still_in_place(self._storage, findings)

    def put_back(self, findings: Sequence[LakeFinding], places: Sequence[str]) -> tuple[LakeFinding, ...]:
        """Of orphans that were just set aside, those whose load has a manifest after all (`lake.inspect.put_back`)."""
        return put_back(self._storage, findings, places)

    def quarantine(self, table: TableName, findings: Sequence[LakeFinding], now: datetime) -> list[str]:
        """Move what was found into quarantine; the new keys."""
        with self._lock(table):
            return quarantine(self._storage, table, findings, now)

    def disown(self, found: LakeInspection, why: str, now: datetime) -> list[str]:
        """Move everything a inspection found of a table into quarantine; the new keys."""
        with self._lock(found.table):
            return quarantine(self._storage, found.table, all_of(self._storage, found, why), now)

    def expire(self, latest: Manifest) -> None:
        """What `latest` and earlier loads replaced goes out of the way of plain globs, as after its publication."""
        with self._lock(latest.table):
            known = self._manifests.scan(self._storage, latest.table)
            remove_superseded(
                self._storage,
                latest,
                known,
                {manifest.order for manifest in live(known)},
                keep_generations=self._keep_generations,
                everywhere=self._is_time_to_look_everywhere(latest.table),
            )

    def addresses(self, manifest: Manifest) -> tuple[str, ...]:
        """How a person names a load's files: absolute paths or URLs."""
        return tuple(self._storage.address(file.path) for file in manifest.files)

    @contextmanager
    def files(self, manifest: Manifest) -> Iterator[tuple[Path, ...]]:
        """A load's files on this machine, for the block, each with the SHA-256 that the manifest names: it is computed now.
        Raises LakeError when one is missing or was changed."""
        with ExitStack() as stack:
            yield tuple(stack.enter_context(self._storage.local_file(file, checked=True)) for file in manifest.files)

    def paths(self, manifest: Manifest) -> tuple[Path, ...]:
        """Absolute paths of a load's files, of a lake on a disk. Not verified: see `files`. Raises LakeError for an object
        store, whose files have none."""
        return tuple(self._on_disk() / file.path for file in manifest.files)

    def data_directory(self, table: TableName) -> Path:
        """The directory whose `**/*.parquet` is the current table (scd: its change files), of a lake on a disk. Raises
        LakeError for an object store."""
        return self._on_disk() / paths.data_directory(table)

    def schema(self, manifest: Manifest) -> pa.Schema:
        """The columns of a load's files, without their metadata. Raises LakeError when one is missing or torn."""
        return self._storage.metadata(manifest.files[0].path).schema.to_arrow_schema().remove_metadata()

    def footers(self, manifest: Manifest) -> tuple[Footer, ...]:
        """What a load's files say about themselves. Raises LakeError when one is missing, torn or not ours."""
        return tuple(read_footer(self._storage, file.path)[0] for file in manifest.files)

    def tally(self, manifest: Manifest) -> Tally:
        """Sums and NULLs of a load's columns, as its files know them. Raises LakeError when one is missing, torn or not ours."""
        return tally_of((self._storage.address(f.path), self._storage.metadata(f.path)) for f in manifest.files)

    def sizes(self, table: TableName) -> dict[str, int]:
        """Bytes of every file of the current table, by its key: one look for many calls of `verify`."""
        return self._storage.sizes(paths.data_directory(table))

    def verify(
        self, manifest: Manifest, *, checksums: bool = False, sizes: Mapping[str, int] | None = None
    ) -> list[str]:
        """What is wrong with a load's files (missing, size, rows; contents when `checksums`), as sentences.

        Empty when all is well. Without checksums only footers are read; with `sizes` (of `Lake.sizes`) nothing but
        those: enough for an object store, which neither tears files nor lets them be changed in place.
        """
        problems: list[str] = []
        known = self._sizes_of(manifest) if sizes is None else sizes
        for file in manifest.files:
            address = self._storage.address(file.path)
            size = known.get(file.path)
            if size is None:
                problems.append(f"{address} is missing")
            elif size != file.bytes:
                problems.append(f"{address} has {size} bytes where the manifest says {file.bytes}")
            elif sizes is None or not self._storage.keeps_whole:
                problems.extend(self._content_problems(file, checksums=checksums))
        return problems

    def count(
        self,
        table: TableName,
        unit: str | None = None,
        version_keys: Sequence[str] = (),
        *,
        staged: StagedFiles | None = None,
    ) -> int:
        """Rows of one unit or of the whole table, from the footers of the live files.

        With `version_keys` (scd) the number of different keys over all change files: a version read twice, because of
        the lag or a later change, is one row of the table. NULLs count as equal. `staged` is an increment that is not
        published yet: with it the count is what it will be afterwards. Raises LakeError for missing files.
        """
        units = [self.current_of(table, unit)] if unit is not None else self.current(table).values()
        files = [file for manifests in units for manifest in manifests for file in manifest.files]
        if version_keys:
            return count_distinct(
                self._storage,
                files,
                version_keys,
                self._memory,
                staged=[file.path for file in staged.files] if staged else (),
            )
        return sum(read_footer(self._storage, file.path)[1] for file in files)

    def size_bytes(self) -> int:
        """Bytes of all Parquet files below this pipeline's lake, retired generations included."""
        return sum(size for key, size in self._storage.sizes("").items() if key.endswith(".parquet"))

    def sweep(self, now: datetime) -> int:
        """Remove what was staged on this machine (or on this disk) by processes that ended without a word; how many loads
        that were. What may belong to a live run, also on another machine, stays."""
        left = [directory for directory in self._storage.staged_directories() if is_abandoned(directory, now)]
        for directory in left:
            remove_tree(directory)
        return len(left)

    def _is_time_to_look_everywhere(self, table: TableName) -> bool:
        """At the first publication of a table, the second, the fourth and so on, and once a day: a look costs as much as the
        table has partitions, and so all looks together cost about as much as the publications."""
        now = time.monotonic()
        with self._locks_guard:
            count, looked = self._looks.get(table, (0, now))
            count += 1
            due = count & (count - 1) == 0 or now - looked >= LOOK_EVERYWHERE_SECONDS
            self._looks[table] = count, now if due else looked
        return due

    def _sizes_of(self, manifest: Manifest) -> dict[str, int]:
        directories = {file.path.rpartition("/")[0] for file in manifest.files}
        return {key: size for directory in directories for key, size in self._storage.sizes(directory).items()}

    def _on_disk(self) -> Path:
        if not isinstance(self._storage, LocalStorage):
            raise LakeError(f"{self.address} is no directory", remedy="use Lake.files or Lake.addresses")
        return self.directory.absolute()

    def _content_problems(self, file: ManifestFile, *, checksums: bool) -> list[str]:
        try:
            footer, held = read_footer(self._storage, file.path)
            if file.rows != held or file.rows != footer.rows:
                address = self._storage.address(file.path)
                return [
                    f"{address} holds {number_of(held, 'row')} where the manifest says {file.rows} and its footer {footer.rows}"
                ]
            if checksums:
                with self._storage.local_file(file, checked=True):
                    return []
        except LakeError as error:
            return [error.problem]
        return []

    def _lock(self, table: TableName) -> threading.Lock:
        with self._locks_guard:
            return self._locks.setdefault(table, threading.Lock())
