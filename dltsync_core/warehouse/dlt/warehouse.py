"""A destination of dlt as the warehouse: rows land through dlt, and enter their tables by one transaction of dlt's SQL client."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.committed import Marker
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import CatalogError, ConfigError, DriftError, UnsupportedColumn
from dltsync_core.history.repair import RepairPlan
from dltsync_core.history.versions import Version, VersionColumns
from dltsync_core.identity import Target, dotted
from dltsync_core.lake.storage.disk import remove_tree
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import PartitionRange
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn, no_rows
from dltsync_core.warehouse.dlt.connection import DestinationDatabase, Session
from dltsync_core.warehouse.dlt.landing import LANDING_PREFIX, landed, sweep
from dltsync_core.warehouse.dlt.load import bring_in, condition_in, no_history, planned_evolution
from dltsync_core.warehouse.dlt.markers import drop_markers, read_markers
from dltsync_core.warehouse.dlt.permissions import missing_grants
from dltsync_core.warehouse.dlt.reading import column_stats, read_batches
from dltsync_core.warehouse.dlt.types import (
    SEVENTH_DIGIT,
    ZERO_CHARACTER,
    first_refused,
    landed_schema,
    landed_type,
    refusals,
)
from dltsync_core.warehouse.dlt.work_directories import WorkDirectories
from dltsync_core.warehouse.duckdb.evolution import check_names
from dltsync_core.warehouse.marker_rows import MARKER_SCHEMA
from dltsync_core.warehouse.port import (
    HoldsEveryPartition,
    Loaded,
    LoadRequest,
    LoadsGroups,
    Misfit,
    ReplacesAtOnce,
    TableInspection,
    WarehouseTable,
    signs_of_zeros,
)

_OWN_SCHEMAS = {"information_schema", "pg_catalog", "pg_toast", MARKER_SCHEMA}
_SYSTEM_COLUMNS = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}
"""Columns that every table of PostgreSQL has."""


class DltWarehouse(LoadsGroups, HoldsEveryPartition, ReplacesAtOnce):
    """A destination of dlt. Thread-safe; several processes and machines may load it at the same time.

    `credentials` None: dlt takes them from its own configuration. `work_directory` holds dlt's working files while a load runs
    and nothing afterwards. `dataset_name` is the schema that dlt's connections begin in.
    """

    def __init__(
        self,
        destination: str,
        credentials: str | Mapping[str, Any] | None,
        *,
        dataset_name: str,
        work_directory: Path,
        lock_timeout_seconds: float = 600.0,
    ) -> None:
        self._database = DestinationDatabase(
            destination, credentials, lock_timeout_seconds=lock_timeout_seconds, dataset=dataset_name
        )
        self._work = WorkDirectories(work_directory, Path("/", destination, dataset_name))

    @contextmanager
    def opened(self) -> Iterator[None]:
        """See `port.Warehouse.opened`. One connection of this thread; others have theirs."""
        with self._database.opened():
            yield

    def missing_grants(self, schemas: Sequence[str]) -> list[tuple[str, str]] | None:
        """What the login lacks for loads into tables of these schemas, each with the statement that grants it; None where dltsync
        does not know how to ask. Writes nothing."""
        self._check_driver()
        with self._database.opened() as session:
            return missing_grants(session, schemas)

    def load_group(self, requests: Sequence[LoadRequest]) -> list[Loaded]:
        """Several loads in one transaction: all of them, or none. See `port.Warehouse.load_group`."""
        if not requests:
            return []
        for request in requests:
            self.check_names(request.target, request.schema)
        self._check_driver()
        started = time.perf_counter()
        with self._database.opened() as session, self._work.of_attempt(requests[0].load_id) as directory:
            self._remove_left_behind()
            sweep(session)
            with landed(self._database, session, requests, directory) as tables:
                bring_in(session, requests, tables)
        seconds = (time.perf_counter() - started) / len(requests)
        return [Loaded(sum(pq.read_metadata(path).num_rows for path in r.files), seconds) for r in requests]

    def inspect(self, tables: Mapping[Target, TableInspection]) -> dict[Target, WarehouseTable]:
        """See `port.Warehouse.inspect`."""
        with self._database.opened() as session:
            return {target: _inspected(session, target, asked) for target, asked in tables.items()}

    def markers(self, target: Target, pipeline: str) -> dict[str, Marker]:
        """See `port.Warehouse.markers`."""
        with self._database.opened() as session:
            return read_markers(session, target, pipeline)

    def cleanup(self) -> None:
        """See `port.Warehouse.cleanup`: working directories of killed loads, and what they left in the database."""
        if self._remove_left_behind():
            with self._database.opened() as session:
                sweep(session)

    def _remove_left_behind(self) -> bool:
        """Working directories of killed loads; others may be loading at this moment and have theirs. Whether there were any."""
        found = self._work.left_behind()
        for directory in found:
            remove_tree(directory)
        return bool(found)

    def column_stats(
        self, target: Target, scopes: Mapping[str, ReplaceScope | None], columns: Sequence[StatsColumn]
    ) -> dict[str, ColumnStats]:
        """See `port.Warehouse.column_stats`."""
        with self._database.opened() as session:
            held = session.columns(target)
            if not held:
                return dict.fromkeys(scopes, no_rows(columns))
            return column_stats(session, target, held, scopes, columns)

    @contextmanager
    def rows(
        self, target: Target, scope: ReplaceScope | None, columns: pa.Schema
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """See `port.Warehouse.rows`. By a connection of its own: the server keeps the rows that were not fetched yet."""
        with self._database.apart() as session, session.transaction():
            if session.columns(target):
                yield read_batches(session, target, condition_in(session, scope), columns.names)
            else:
                yield iter(())

    def columns(self, target: Target) -> dict[str, str]:
        """Column names and the database's type names, in order; empty when the table does not exist."""
        with self._database.opened() as session:
            return session.own_types(target)

    def check_names(self, target: Target, schema: pa.Schema) -> None:
        """See `port.Warehouse.check_names`."""
        longest = self._database.longest_name
        if target[0] in _OWN_SCHEMAS or target[0].startswith((LANDING_PREFIX, "pg_")):
            raise ConfigError(
                f"target_schema {target[0]!r} is reserved", remedy="choose another target_schema or dataset_name"
            )
        for name in target:
            if len(name.encode()) > longest:
                raise ConfigError(
                    f"{dotted(*target)}: {name!r} has {len(name.encode())} bytes, and names in the warehouse "
                    f"({self._database.name}) at most {longest}",
                    remedy="choose a shorter target_table or target_schema",
                )
        check_names(target, schema, taken_for_one_by="dltsync, which compares columns without regard to case,")
        for name in schema.names:
            if len(name.encode()) > longest:
                self._refuse_column(target, name, f"has {len(name.encode())} bytes, at most {longest} are possible")
            if self._database.is_postgres and name in _SYSTEM_COLUMNS:
                self._refuse_column(target, name, "is the name of a system column")

    def scope_for(self, column: ColumnFacts, arrow_type: pa.DataType, ranges: Sequence[PartitionRange]) -> ReplaceScope:
        """See `port.Warehouse.scope_for`. The types whose order is SQL Server's are the same as in DuckDB."""
        if pa.types.is_binary(landed_type(arrow_type)) and not self._database.is_postgres:
            raise CatalogError(
                f"the table is partitioned by {column.name} of type {column.type_name}, and {self._database.name} writes such "
                "values in a way of its own",
                remedy="configure the table as static, or choose a DuckDB, PostgreSQL or SQL Server warehouse",
                column=column.name,
            )
        return scope_for(column, arrow_type, ranges)

    def declared(self, schema: pa.Schema) -> Mapping[str, str]:
        """See `port.Warehouse.declared`."""
        refused = refusals(schema, no_zero_character=self._database.is_postgres)
        return refused if self._database.is_postgres else {**signs_of_zeros(schema), **refused}

    def first_misfit(
        self,
        target: Target,
        schema: pa.Schema,
        files: Sequence[Path],
        beside: Sequence[str],
        turn: AbstractContextManager[object],
    ) -> Misfit | None:
        """See `port.Warehouse.first_misfit`. Looks at the files alone."""
        found = first_refused(files, schema, beside, no_zero_character=self._database.is_postgres)
        if found is None:
            return None
        column, row = found
        is_text = pa.types.is_string(row.schema.field(column).type) or pa.types.is_large_string(
            row.schema.field(column).type
        )
        remedy = f"exclude {column}, or correct the value at the source"
        if not is_text:
            remedy = f"set column_representation of {column} to `text`, or correct the value at the source"
        return Misfit(column, row, ZERO_CHARACTER if is_text else SEVENTH_DIGIT, remedy)

    def drop_table(self, target: Target) -> None:
        """Remove the table if it exists."""
        with self._database.opened() as session, session.transaction():
            session.run(session.dialect.drop_table(target))
            drop_markers(session, target)

    def revise_versions(
        self,
        target: Target,
        columns: VersionColumns,
        decide: Callable[[Sequence[Version]], RepairPlan],
        *,
        apply: bool,
    ) -> RepairPlan:
        """Not there. Raises WarehouseError."""
        raise no_history(target)

    def _refuse_column(self, target: Target, column: str, why: str) -> None:
        raise UnsupportedColumn(
            f"{dotted(*target)}: the column {column!r} {why} in the warehouse ({self._database.name})",
            remedy=f"add it to exclude_columns: {column!r}",
            column=column,
        )

    def _check_driver(self) -> None:
        """PostgreSQL takes Parquet files through ADBC; without it dlt would write every row as text, and dates as it likes."""
        if self._database.is_postgres and importlib.util.find_spec("adbc_driver_postgresql") is None:
            raise ConfigError(
                "destination: loading PostgreSQL needs the package adbc-driver-postgresql",
                remedy="pip install 'dltsync[postgres]'",
            )


def _inspected(session: Session, target: Target, asked: TableInspection) -> WarehouseTable:
    markers, held = read_markers(session, target, asked.pipeline), session.columns(target)
    if not held:
        return WarehouseTable({}, dict.fromkeys(asked.scopes, 0), markers)
    stats = column_stats(session, target, held, asked.scopes, ())
    refusal = None
    try:
        planned_evolution(session, target, landed_schema(asked.schema))
    except DriftError as error:
        refusal = error
    return WarehouseTable(
        columns=session.own_types(target),
        counts={unit: counted.rows for unit, counted in stats.items()},
        markers=markers,
        refusal=refusal,
    )
