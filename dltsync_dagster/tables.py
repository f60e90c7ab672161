"""Synced tables for the code downstream: as Arrow, Polars, pandas or DuckDB, whole or exactly the asked partitions.

`DltsyncTables` is a resource and an I/O manager over a config file; `LocationTables` is the I/O manager that the assets of a code
location name, so that `def report(orders: pl.DataFrame)` works without further words. Both read whole loads only and
never ask the source. Neither writes.
"""

import importlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import dagster as dg
import pyarrow as pa
from duckdb import DuckDBPyRelation
from pydantic import Field

from dltsync_core.config import PipelineConfig, TableConfig, load_config
from dltsync_core.errors import ConfigError
from dltsync_core.plan.selection import find_table
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.run.read_lake import ReadFrom
from dltsync_dagster.location import Location
from dltsync_dagster.port import Pipeline
from dltsync_dagster.translator import TABLE_METADATA

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

COLUMNS, READ_FROM = "columns", "read_from"
"""Metadata of an `AssetIn`: which columns are read, and from where."""


@dataclass(frozen=True)
class Wanted:
    """What is read of one table."""

    table: str
    partitions: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    read_from: ReadFrom = "auto"

    def arguments(self) -> dict[str, Any]:
        """For `Pipeline.read` and `Pipeline.relation`."""
        return {"partition_keys": self.partitions, "columns": self.columns, "read_from": self.read_from}


Opened = AbstractContextManager[Pipeline]


def arrow(opened: Opened, wanted: Wanted) -> pa.Table:
    """All rows in memory."""
    with opened as pipeline, pipeline.read(wanted.table, **wanted.arguments()) as rows:
        return rows.read_all()


def record_batches(opened: Opened, wanted: Wanted) -> pa.RecordBatchReader:
    """A batch at a time; what it reads from is held until it is read to its end."""
    stack = ExitStack()
    try:
        pipeline = stack.enter_context(opened)
        rows = stack.enter_context(pipeline.read(wanted.table, **wanted.arguments()))
    except BaseException:
        stack.close()
        raise

    def batches() -> Iterator[pa.RecordBatch]:
        with stack:
            yield from rows

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def relation(opened: Opened, wanted: Wanted) -> DuckDBPyRelation:
    """A relation of a DuckDB of its own."""
    with opened as pipeline:
        return pipeline.relation(wanted.table, **wanted.arguments())


def polars_frame(opened: Opened, wanted: Wanted) -> "pl.DataFrame":
    """Raises ConfigError where Polars is not installed."""
    polars = _optional("polars")
    frame: pl.DataFrame = polars.from_arrow(arrow(opened, wanted))
    return frame


def pandas_frame(opened: Opened, wanted: Wanted) -> "pd.DataFrame":
    """With Arrow's types: NumPy's would make floats of integers with NULLs. Raises ConfigError where pandas is not installed."""
    pandas = _optional("pandas")
    frame: pd.DataFrame = arrow(opened, wanted).to_pandas(types_mapper=pandas.ArrowDtype)
    return frame


_FORMS: Mapping[str, Callable[[Opened, Wanted], Any]] = {
    "pyarrow.Table": arrow,
    "pyarrow.RecordBatchReader": record_batches,
    "polars.DataFrame": polars_frame,
    "polars.LazyFrame": lambda opened, wanted: polars_frame(opened, wanted).lazy(),
    "pandas.DataFrame": pandas_frame,
    "duckdb.DuckDBPyRelation": relation,
}


def form_of(annotation: object) -> Callable[[Opened, Wanted], Any]:
    """How an input of this type is read; an input without annotation is an Arrow table. Raises ConfigError for another type."""
    if annotation is Any or annotation is object:
        return arrow
    package = getattr(annotation, "__module__", "").partition(".")[0].lstrip("_")
    name = f"{package}.{getattr(annotation, '__name__', annotation)}"
    if name not in _FORMS:
        raise ConfigError(
            f"a synced table cannot be read as {name}", remedy=f"annotate the input as one of {', '.join(_FORMS)}"
        )
    return _FORMS[name]


def _optional(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ConfigError(
            f"the table is wanted as a {package} frame, and {package} is not installed",
            remedy=f"pip install 'dltsync[{package}]', or annotate the input as pyarrow.Table",
        ) from error


class ReadsInputs(dg.IOManager):
    """An I/O manager that reads synced tables for typed inputs, and writes nothing."""

    @abstractmethod
    def opened(self) -> Opened:
        """A pipeline to read with."""

    @abstractmethod
    def table_of(self, context: dg.InputContext) -> str:
        """The table of an input, by its asset."""

    @property
    @abstractmethod
    def reads_from(self) -> ReadFrom:
        """Where tables are read unless the input says so."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Raises Failure: only dltsync writes these tables."""
        raise dg.Failure(
            f"{context.asset_key.to_user_string() if context.has_asset_key else context.name} names the I/O manager of synced "
            "tables for its output, which only reads them: name another io_manager_key for what your assets return",
            allow_retries=False,
        )

    def load_input(self, context: dg.InputContext) -> object:
        """What the annotation of the input says: the partitions of the run, or the whole table."""
        own = context.definition_metadata
        wanted = Wanted(
            self.table_of(context),
            partitions=_partitions(context),
            columns=own.get(COLUMNS),
            read_from=_read_from(own.get(READ_FROM, self.reads_from)),
        )
        return form_of(context.dagster_type.typing_type)(self.opened(), wanted)


def _read_from(text: Any) -> ReadFrom:
    if text not in get_args(ReadFrom):
        raise ConfigError(f"read_from is {text!r}", remedy=f"write one of {', '.join(get_args(ReadFrom))}")
    found: ReadFrom = text
    return found


def _partitions(context: dg.InputContext) -> list[str] | None:
    """The partitions that are asked for. None is the whole table: of a table without partitions, and where the
    asset downstream has none, which Dagster maps to every key it knows, loaded or not."""
    if not context.has_asset_partitions:
        return None
    keys = list(context.asset_partition_keys)
    if not context.has_partition_key:
        known = context.asset_partitions_def.get_partition_keys(dynamic_partitions_store=context.instance)
        if set(known) <= set(keys):
            return None
    return keys


class LocationTables(ReadsInputs):
    """The I/O manager of one code location, found by the table's asset."""

    def __init__(self, location: Location) -> None:
        self._location = location

    @property
    def reads_from(self) -> ReadFrom:
        return "auto"

    def opened(self) -> Opened:
        return self._location.pipeline()

    def table_of(self, context: dg.InputContext) -> str:
        name = _named_by_metadata(context)
        tables = self._location.config.tables
        if name is not None:
            return str(find_table(tables, name).name)
        found = [one for one in tables if self._location.asset_key(one) == context.asset_key]
        if not found:
            raise _no_table(context, self._location.config)
        return str(found[0].name)


class DltsyncTables(dg.ConfigurableIOManager, ReadsInputs):
    """Synced tables of a config file: a resource with a method for each form, and an I/O manager for assets that know
    the tables as external assets (another code location, a notebook, a script).

    Partition keys are SQL Server's boundaries: `[2024-01-01,2024-02-01)`.
    """

    config: str = Field(description="Path of dltsync.yaml, or an EnvVar with it.", examples=["dltsync.yaml"])
    read_from: str = Field(
        default="auto",
        description="lake, warehouse, or auto: the lake, except for scd tables and upserts, which the warehouse merges.",
        examples=["lake"],
    )

    @property
    def reads_from(self) -> ReadFrom:
        return _read_from(self.read_from)

    def opened(self) -> Opened:
        return IncrementalSQLServerParquetPipeline(load_config(self.config))

    def table_of(self, context: dg.InputContext) -> str:
        name = _named_by_metadata(context)
        if name is not None:
            return name
        config = load_config(self.config)
        found = [one for one in config.tables if _ends_with(context.asset_key, config, one)]
        if len(found) != 1:
            raise _no_table(context, config)
        return str(found[0].name)

    def arrow(self, table: str, **what: Any) -> pa.Table:
        """A table, as `schema.table`. `what` are `partitions`, `columns` and `read_from`, also in the methods below."""
        return arrow(self.opened(), self._wanted(table, **what))

    def record_batches(self, table: str, **what: Any) -> pa.RecordBatchReader:
        """The rows a batch at a time, for tables that memory does not hold."""
        return record_batches(self.opened(), self._wanted(table, **what))

    def polars(self, table: str, **what: Any) -> "pl.DataFrame":
        """The rows as a Polars frame."""
        return polars_frame(self.opened(), self._wanted(table, **what))

    def pandas(self, table: str, **what: Any) -> "pd.DataFrame":
        """The rows as a pandas frame with Arrow's types."""
        return pandas_frame(self.opened(), self._wanted(table, **what))

    def relation(self, table: str, **what: Any) -> DuckDBPyRelation:
        """The rows as a relation of a DuckDB of its own: read from the lake's files when it is used."""
        return relation(self.opened(), self._wanted(table, **what))

    def _wanted(
        self,
        table: str,
        *,
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        read_from: str | None = None,
    ) -> Wanted:
        return Wanted(table, partitions, columns, _read_from(read_from or self.read_from))


def _named_by_metadata(context: dg.InputContext) -> str | None:
    """The table that the upstream asset's definition names: `dltsync/table`."""
    upstream = context.upstream_output
    value = upstream.definition_metadata.get(TABLE_METADATA) if upstream is not None else None
    return str(getattr(value, "value", value)) if value is not None else None


def _ends_with(key: dg.AssetKey, config: PipelineConfig, table: TableConfig) -> bool:
    return tuple(key.path[-2:]) == config.target_of(table)


def _no_table(context: dg.InputContext, config: PipelineConfig) -> ConfigError:
    return ConfigError(
        f"the asset {context.asset_key.to_user_string()} is no table of this pipeline",
        remedy=f"give the asset the metadata {TABLE_METADATA}: one of {', '.join(str(table.name) for table in config.tables)}",
    )
