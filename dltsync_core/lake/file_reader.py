"""Reading published files: footers, and keys counted with the checksum of every page compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.duckdb.scratch import distinct_rows
from dltsync_core.errors import LakeError
from dltsync_core.lake.file_errors import READ_AGAIN
from dltsync_core.lake.footer import Footer, footer_from
from dltsync_core.lake.manifest import ManifestFile
from dltsync_core.lake.storage.port import LakeStorage

CHECKED_PAGES = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(
        page_checksum_verification=True,
        use_buffered_stream=True,  # pages, not whole column chunks
        pre_buffer=False,  # nor all column chunks of a row group at once
    )
)
"""Parquet whose pages are compared with the checksums they were written with. For files of ours only."""

SCAN_ROWS = 16_384
"""Rows of a batch of a dataset."""


class _BoundedDataset(ds.FileSystemDataset):
    """A dataset of which one batch is read ahead. Arrow's own scanner reads 16 batches of 131,072 rows of 4 files ahead:
    gigabytes when rows are wide, of which DuckDB's memory limit knows nothing. DuckDB asks the class for its scanner."""

    def scanner(self, **options: Any) -> ds.Scanner:  # type: ignore[override]  # the options of the method that it calls
        bounded = {"batch_size": SCAN_ROWS, "batch_readahead": 1, "fragment_readahead": 1}
        return super().scanner(**{**options, **bounded})


def dataset_of(
    files: Sequence[Path | str], *, filesystem: Any = None, schema: pa.Schema | None = None
) -> ds.FileSystemDataset:
    """Files of ours as one dataset, read with bounded memory. Reading a damaged page raises OSError instead of handing out
    another value. `filesystem` is Arrow's (None: paths are those of this machine), `schema` that of the dataset (None: of the
    first file); a column that a file lacks is NULL there."""
    found: Any = ds.dataset([str(path) for path in files], schema=schema, format=CHECKED_PAGES, filesystem=filesystem)
    return _BoundedDataset(list(found.get_fragments()), found.schema, CHECKED_PAGES, found.filesystem)


def read_footer(storage: LakeStorage, key: str) -> tuple[Footer, int]:
    """A file's footer and the rows Parquet itself counts in it. Raises LakeError when it is missing, torn or not ours."""
    metadata = storage.metadata(key)
    return footer_from(metadata.metadata, path=storage.address(key)), metadata.num_rows


def count_distinct(
    storage: LakeStorage,
    files: Sequence[ManifestFile],
    columns: Sequence[str],
    memory: DuckDbMemory,
    *,
    staged: Sequence[Path] = (),
) -> int:
    """Distinct keys over published files and `staged` ones, in DuckDB, which spills to disk where Python would keep every key in
    memory. One file at a time is asked for. Raises LakeError when one is missing or damaged."""
    if not files:
        return distinct_rows(dataset_of(staged).scanner(columns=list(columns)).to_reader(), memory) if staged else 0
    names = list(columns)
    for file in files:
        read_footer(storage, file.path)
    schema = _schema_of(storage, files[0], names)
    failed: list[LakeError] = []
    batches = chain(_keys(storage, files, names, failed), _staged_keys(staged, names))
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    try:
        return distinct_rows(reader, memory)
    except duckdb.Error:  # DuckDB wraps what the reader raised
        raise (failed[0] if failed else LakeError(f"{storage.address(files[0].path)} cannot be read")) from None


def _schema_of(storage: LakeStorage, file: ManifestFile, columns: list[str]) -> pa.Schema:
    schema = storage.metadata(file.path).schema.to_arrow_schema()
    return pa.schema([schema.field(name) for name in columns])


def _staged_keys(files: Sequence[Path], columns: list[str]) -> Iterator[pa.RecordBatch]:
    for file in files:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            yield from parquet.iter_batches(columns=columns)


def _keys(
    storage: LakeStorage, files: Sequence[ManifestFile], columns: list[str], failed: list[LakeError]
) -> Iterator[pa.RecordBatch]:
    for file in files:
        try:
            with (
                storage.local_file(file, checked=False) as path,
                pq.ParquetFile(path, page_checksum_verification=True) as parquet,
            ):
                yield from parquet.iter_batches(columns=columns)
        except LakeError as error:
            failed.append(error)
            raise
        except OSError as error:
            failed.append(
                LakeError(
                    f"{storage.address(file.path)} has a damaged page: {error}",
                    remedy=READ_AGAIN,
                    path=storage.address(file.path),
                )
            )
            raise failed[-1] from error
