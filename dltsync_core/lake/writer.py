"""One load on its way into Parquet: bounded row groups, one writer, facts in the footer, verified before anybody sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import IO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dltsync_core.display import number_of
from dltsync_core.errors import LakeError, ValidationFailed
from dltsync_core.lake.file_statistics import DecimalSums
from dltsync_core.lake.footer import Footer, footer_from
from dltsync_core.lake.load import FinalFacts, LoadFacts, ResumableFiles, StagedFile, StagedFiles
from dltsync_core.lake.storage.directory_lock import DirectoryLock
from dltsync_core.lake.storage.disk import (
    HashedFile,
    create_file,
    explained,
    remove_tree,
    sync_directory,
    sync_file,
)
from dltsync_core.typemap.uuids import storage

MAX_OPEN_FILES = 200
"""All files of a load stay open until the last row, since their footers tell facts known only then. A process may have
1,024 open by default; past this number the last file just grows."""

_SAMPLE_ROWS = 20_000
_REPEATS_FOR_DICTIONARY = 4
"""A dictionary pays when a value comes this often; on keys and free text it costs size and time (measured)."""


@cache
def tool_version() -> str:
    """The version written into footers."""
    try:
        return version("dltsync")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"


@dataclass
class _OpenFile:
    path: Path
    sink: HashedFile
    writer: pq.ParquetWriter
    sums: DecimalSums
    rows: int = 0


class StagedLoad:
    """A load being written. One thread. Leaving the `with` block without `finish` removes everything that was written."""

    def __init__(self, facts: LoadFacts, *, open_directory: Callable[[], Path]) -> None:
        self._facts = facts
        self._directory = open_directory()
        self._directory_lock: DirectoryLock | None = DirectoryLock(self._directory)
        self._files: list[_OpenFile] = []
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._dictionary: list[str] | None = None
        self._finished = False
        self.rows = 0

    @property
    def bytes(self) -> int:
        """Bytes on disk so far; rows that still wait for their row group are not among them."""
        return sum(_size(file.path) for file in self._files)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows. Raises DiskFull, NotWritable, or LakeError when the batch has another schema."""
        if not batch.schema.equals(self._facts.schema, check_metadata=False):
            raise LakeError(
                f"{self._facts.table}: a batch arrived with another schema than the load's\n"
                f"  expected: {_one_line(self._facts.schema)}\n  arrived:  {_one_line(batch.schema)}"
            )
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        self.rows += batch.num_rows
        if self._waiting_rows >= self._facts.row_group_rows or self._waiting_bytes >= self._facts.row_group_bytes:
            self._write_waiting()

    def finish(self, final: FinalFacts) -> StagedFiles:
        """Close, fsync, re-open and verify every file. An empty unit gets one file with the schema and no rows.

        Raises ValidationFailed when the server counted another number of rows in the same read view, LakeError when a
        file does not read back as written. Both remove everything.
        """
        try:
            self._check_count(final.counted_rows)
            self._write_waiting()
            if not self._files:
                self._open_next()
            staged = tuple(self._close(file, number, final) for number, file in enumerate(self._files))
            sync_directory(self._directory)
        except BaseException:
            self.discard()
            raise
        self._finished = True
        return StagedFiles(self._facts, final, self._directory, staged)

    def resumable_files(self) -> ResumableFiles:
        """Close what was written, as rows that a later attempt may prove and take over. This load is over."""
        try:
            self._write_waiting()
            for file in self._files:
                with explained(file.path, "writing"):
                    file.writer.close()
                    file.sink.close()
            aside = self._directory.with_name(f"{self._directory.name}-aside")
            remove_tree(aside)
            with explained(aside, "renaming"):
                self._directory.rename(aside)
        except BaseException:
            self.discard()
            raise
        files, self._files = tuple(aside / file.path.name for file in self._files), []
        directory_lock, self._directory_lock = self._directory_lock, None  # the rows are still this process's
        return ResumableFiles(aside, files, self.rows, self._facts.schema, directory_lock)

    def discard(self) -> None:
        """Remove what was written. Harmless when called twice."""
        for file in self._files:
            with suppress(OSError, pa.ArrowException):  # its file is about to be removed: only the handle matters
                file.writer.close()
            with suppress(OSError):
                file.sink.close()
        self._files = []
        self._waiting = []
        if self._directory_lock is not None:
            self._directory_lock.release()
        remove_tree(self._directory)

    def __enter__(self) -> StagedLoad:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None or not self._finished:
            self.discard()

    def _check_count(self, counted: int) -> None:
        if self.rows != counted:
            raise ValidationFailed(
                f"{self._facts.table} {self._facts.unit}: {number_of(self.rows, 'row')} arrived but the server counted {counted} "
                "in the same view; nothing was published",
                remedy="run again; allow snapshot isolation on the database if rows change while they are read",
                rows=self.rows,
                counted=counted,
            )

    def _write_waiting(self) -> None:
        if not self._waiting_rows:
            self._waiting = []
            return
        table = pa.Table.from_batches(self._waiting, schema=self._facts.schema)
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        if self._dictionary is None:
            self._dictionary = dictionary_columns(table)
        file = self._current_file()
        with explained(file.path, "writing"):
            try:
                file.writer.write_table(table, row_group_size=self._facts.row_group_rows)
            except pa.ArrowInvalid as error:
                raise LakeError(
                    f"{self._facts.table} {self._facts.unit}: rows do not fit the load's schema: {error}",
                    table=str(self._facts.table),
                ) from error
        file.sums.add(table)
        file.rows += table.num_rows

    def _current_file(self) -> _OpenFile:
        full = self._files and _size(self._files[-1].path) >= self._facts.max_file_bytes
        if not self._files or (full and len(self._files) < MAX_OPEN_FILES):
            self._open_next()
        return self._files[-1]

    def _open_next(self) -> None:
        path = self._directory / f"{self._facts.load_id}-{len(self._files)}.parquet"
        create_file(path)
        with explained(path, "creating"):
            sink = HashedFile(path)
            writer = pq.ParquetWriter(
                cast("IO[bytes]", sink),
                self._facts.schema,
                version="2.6",  # earlier ones have no nanoseconds
                compression=self._facts.compression,
                use_dictionary=self._dictionary or False,  # type: ignore[arg-type]  # the stub forgets lists of names
                write_page_checksum=True,
            )
        self._files.append(_OpenFile(path, sink, writer, DecimalSums(self._facts.schema)))

    def _close(self, file: _OpenFile, number: int, final: FinalFacts) -> StagedFile:
        footer = self._footer(file, number, final)
        with explained(file.path, "writing"):
            file.writer.add_key_value_metadata(footer.to_metadata())
            file.writer.close()
            file.sink.close()
        sync_file(file.path)
        _verify(file.path, file.rows, self._facts.schema, footer)
        return StagedFile(file.path, file.rows, _size(file.path), file.sink.sha256)

    def _footer(self, file: _OpenFile, number: int, final: FinalFacts) -> Footer:
        facts = self._facts
        return Footer(
            identity=facts.identity,
            probe=final.probe,
            file_number=number,
            files_in_load=len(self._files),
            rows=file.rows,
            load_rows=self.rows,
            schema_digest=final.schema_digest,
            consistency=final.consistency,
            extracted_at=final.extracted_at,
            source_server=facts.source_server,
            source_database=facts.source_database,
            tool_version=tool_version(),
            holds_null=facts.partition_range.holds_null if facts.partition_range else None,
            window_low=facts.window_low,
            window_high=facts.window_high,
            watermark_low=final.watermark_low,
            contracts={name: dict(contract) for name, contract in facts.contracts.items()},
            decimal_sums=file.sums.texts(),
        )


def dictionary_columns(rows: pa.Table) -> list[str]:
    """The columns whose values repeat enough for a dictionary, judged by the first rows."""
    sample = rows.slice(0, _SAMPLE_ROWS)
    return [
        field.name
        for field in sample.schema
        if not pa.types.is_boolean(field.type)  # Parquet has no dictionary of one-bit values
        and pc.count_distinct(storage(sample.column(field.name)), mode="all").as_py() * _REPEATS_FOR_DICTIONARY
        <= sample.num_rows
    ]


def _verify(path: Path, rows: int, schema: pa.Schema, footer: Footer) -> None:
    """Read the closed file's own account of itself and compare it with what we meant to write."""
    with explained(path, "reading back"):
        try:
            file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise LakeError(f"{path} does not read back as a Parquet file: {error}", path=str(path)) from error
        with file:
            metadata, stored = file.metadata, file.schema_arrow
    if metadata.num_rows != rows:
        raise LakeError(f"{path} holds {number_of(metadata.num_rows, 'row')} where {rows} were written", path=str(path))
    if not stored.equals(schema, check_metadata=False):
        raise LakeError(
            f"{path} reads back with another schema\n  written: {_one_line(schema)}\n  stored:  {_one_line(stored)}",
            path=str(path),
        )
    if footer_from(metadata.metadata, path=str(path)) != footer:
        raise LakeError(f"{path} reads back with another footer than was written", path=str(path))


def _one_line(schema: pa.Schema) -> str:
    return ", ".join(f"{f.name} {f.type}{'' if f.nullable else ' not null'}" for f in schema)


def _size(path: Path) -> int:
    with explained(path, "reading"):
        return path.stat().st_size
