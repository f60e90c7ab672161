"""Whole Parquet files through dlt into a sink of ours, by dlt's public custom destination (`@dlt.destination`).

dlt takes the files into a load package and hands each to the sink, in the thread that called. The sink works in a transaction
that its caller opened, so that all files of all tables of a package come in together or not at all. dlt writes no row, keeps no
table of its own and has no state to restore: what a load means is in the lake's manifests and the warehouse's markers.

Settings are given by dlt's own `dlt.config`, under the name of our pipelines alone (`dltsync_files.…`): they win over what
environment and `.dlt/config.toml` say to all pipelines, and no other pipeline sees them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import dlt
import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.duckdb.column_types import hints_of

PIPELINE = "dltsync_files"
"""The name of our pipelines for dlt, under which it looks for settings first."""

NAMING = "dltsync_core.warehouse.dlt.exact_names"
"""The naming convention of every load: names stay what they are."""

_SETTINGS: Mapping[str, Any] = {
    "data_writer.version": "2.6",  # before it Parquet has no nanoseconds, and dlt refuses them
    "normalize.parquet_normalizer.add_dlt_id": False,
    "normalize.parquet_normalizer.add_dlt_load_id": False,
    "schema.naming": NAMING,
    "extract.workers": 1,
    "normalize.workers": 1,
    "load.workers": 1,  # files one after another, each by all threads of the warehouse; and the sink in our thread
    "load.raise_on_failed_jobs": True,
    "load.raise_on_max_retries": 1,  # our own retries know why they retry
    "load.delete_completed_jobs": True,
    "dev_mode": False,
    "enable_runtime_trace": False,
    "restore_from_destination": False,
    "runtime.intercept_signals": False,
}

Sink = Callable[[str, Path], None]
"""Called with the name of the table and the path of one whole file: the published one under another name, never to be changed."""


@dataclass(frozen=True)
class TableFiles:
    """Files of one table, all with this Arrow schema."""

    schema: pa.Schema
    files: Sequence[Path]


def deliver(tables: Mapping[str, TableFiles], sink: Sink, directory: Path) -> None:
    """Hand every file of the tables to the sink. A name is letters, digits and underscores: it becomes part of file names.

    `directory` is an empty one of this attempt's own, which the caller removes afterwards, also after a failure: dlt would
    go on with what it finds there. Raises what the sink raised, and `dlt.pipeline.exceptions.PipelineStepFailed` for a failure of
    dlt's own.
    """
    raised: list[BaseException] = []

    @dlt.destination(
        name="dltsync",
        batch_size=0,
        loader_file_format="parquet",
        naming_convention=NAMING,
        skip_dlt_columns_and_tables=True,
        max_table_nesting=0,
        loader_parallelism_strategy="sequential",
    )
    def receive(items: Any, table: Any) -> None:
        try:
            sink(str(table["name"]), Path(items))
        except BaseException as error:
            raised.append(error)
            raise

    resources = [resource_of(name, table) for name, table in tables.items() if table.files]
    if not resources:
        return
    give_settings()
    with quiet():
        pipeline = dlt.pipeline(
            PIPELINE, pipelines_dir=str(directory), destination=asked_once(receive()), dev_mode=False
        )
        try:
            pipeline.run(resources, loader_file_format="parquet")
        except Exception as error:  # dlt wraps what the sink raised: the caller is to see that itself
            if raised:
                raise raised[0] from error
            raise
        finally:
            pipeline.deactivate()


def give_settings() -> None:
    """What dlt does differently in our pipelines, for all that follows in this process."""
    for setting, value in _SETTINGS.items():
        dlt.config[f"{PIPELINE}.{setting}"] = value


def asked_once(destination: Any) -> Any:
    """The destination of one pipeline, which works out once what it is able to do: dlt asks a dozen times per load, and each
    time looks for all settings of the destination in all its providers. A pipeline that is made later finds what was set
    meanwhile."""
    work_out = destination.capabilities
    found: dict[Any, Any] = {}

    def capabilities(config: Any = None, naming: Any = None) -> Any:
        if config is not None:
            return work_out(config, naming)
        key = None if naming is None else (naming.name(), naming.max_length)
        if key not in found:
            found[key] = work_out(None, naming)
        return found[key].copy()

    destination.capabilities = capabilities
    return destination


def resource_of(name: str, table: TableFiles) -> Any:
    """The files as a resource of dlt's, which appends them as they are."""
    files = [dlt.mark.with_file_import(str(path), "parquet", pq.read_metadata(path).num_rows) for path in table.files]
    # With every column's hint dlt links the files as they are; without, it writes those with naive timestamps anew.
    columns = cast("Any", hints_of(table.schema))
    return dlt.resource(files, name=name, columns=columns, write_disposition="append")


_delivering: ContextVar[bool] = ContextVar("dltsync_delivering", default=False)


class _Silence(logging.Filter):
    """dlt logs what the sink raised, and warns of hints that differ from its guesses. Failures reach the user as our errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _delivering.get()


_silence = _Silence()


@contextmanager
def quiet() -> Iterator[None]:
    """Within the block dlt logs nothing in this thread."""
    logger = logging.getLogger("dlt")
    if _silence not in logger.filters:
        logger.addFilter(_silence)
    token = _delivering.set(True)
    try:
        yield
    finally:
        _delivering.reset(token)
