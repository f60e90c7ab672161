"""A SQL Server database as the warehouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.catalog.targets import TargetFacts
from dltsync_core.committed import Marker
from dltsync_core.config import DatabaseConfig
from dltsync_core.errors import CatalogError, ConfigError, DriftError, UnsupportedColumn, WarehouseError
from dltsync_core.history.repair import RepairPlan
from dltsync_core.history.versions import Version, VersionColumns
from dltsync_core.identity import Target, dotted
from dltsync_core.plan.steps import ReplaceScope, ReplaceTable
from dltsync_core.ranges import PartitionRange
from dltsync_core.tsql.warehouse import markers as marker_table
from dltsync_core.tsql.warehouse import tables
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn, no_rows
from dltsync_core.typemap.declared_type import shown_type
from dltsync_core.warehouse.dlt.work_directories import WorkDirectories
from dltsync_core.warehouse.marker_rows import MARKER_SCHEMA
from dltsync_core.warehouse.port import (
    HoldsEveryValue,
    Loaded,
    LoadRequest,
    LoadsGroups,
    Removed,
    TableInspection,
    WarehouseTable,
)
from dltsync_core.warehouse.sqlserver import rollback
from dltsync_core.warehouse.sqlserver.columns import type_of
from dltsync_core.warehouse.sqlserver.evolution import depend
from dltsync_core.warehouse.sqlserver.indexes import plan_indexes
from dltsync_core.warehouse.sqlserver.ladder import choose
from dltsync_core.warehouse.sqlserver.load import load_group
from dltsync_core.warehouse.sqlserver.reading import rows_of, stats_by_scope
from dltsync_core.warehouse.sqlserver.retention import removable, remove
from dltsync_core.warehouse.sqlserver.sections import StagedUnit, marker_id
from dltsync_core.warehouse.sqlserver.session import Sessions, translated
from dltsync_core.warehouse.sqlserver.staging import folded, lock_resource, target_digest
from dltsync_core.warehouse.sqlserver.store import MARKERS, Store, StoreSettings
from dltsync_core.warehouse.sqlserver.targets import evolution_of
from dltsync_core.warehouse.sqlserver.versions import revise

_RESERVED_SCHEMAS = {"sys", "information_schema", MARKER_SCHEMA}
_CODE_PAGE_TEXT = frozenset({"char", "varchar"})
_LONGEST_NAME = 128


class SqlServerWarehouse(LoadsGroups, HoldsEveryValue):
    """A database of a SQL Server. Thread-safe; loads of one table wait for each other, whatever process they are in.

    `work_directory` holds dlt's working files while a load runs and nothing afterwards. `on_wait` gets a sentence as soon as
    another run holds a table, and every ten seconds after that.
    """

    def __init__(
        self,
        database: DatabaseConfig,
        *,
        work_directory: Path,
        settings: StoreSettings,
        on_wait: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._work = WorkDirectories(
            work_directory, Path("/", database.address, database.database)
        )  # absolute: the same from any directory
        self._sessions = Sessions(database, lock_seconds=settings.lock_seconds, on_wait=on_wait)
        self._store = Store(self._sessions, settings)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """See `port.Warehouse.opened`."""
        with ExitStack() as stack:
            with translated():  # what the block itself raises is not about opening
                stack.enter_context(self._sessions.opened())
            yield

    def load_group(self, requests: Sequence[LoadRequest]) -> list[Loaded]:
        """See `port.Warehouse.load_group`."""
        if not requests:
            return []
        for request in requests:
            self.check_names(request.target, request.schema)
        started = time.perf_counter()
        resources = {lock_resource(target_digest(r.target)): dotted(*r.target) for r in requests}

        def attempt() -> list[StagedUnit]:  # what an earlier one left in staging is dropped first
            with self._work.of_attempt(requests[0].load_id) as directory:
                return load_group(self._store, requests, directory)

        with translated():
            units = self._sessions.locked_again(list(resources.items()), attempt, pause=self._store.settings.pause)
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            Loaded(
                unit.rows,
                seconds,
                unit.entry.rung.value,
                tuple(str(reason) for reason in unit.entry.reasons),
                can_be_undone=unit.keeps_rows,
            )
            for unit in units
        ]

    def confirm(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> None:
        """See `port.Warehouse.confirm`."""
        with translated():
            self._sessions.locked_again(
                (), lambda: rollback.confirm(self._store, target, pipeline, loads), pause=self._store.settings.pause
            )

    def undo(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> bool:
        """See `port.Warehouse.undo`."""
        resource = lock_resource(target_digest(target)), dotted(*target)
        with translated(), self._sessions.opened(), self._sessions.locked([resource]):
            return rollback.undo(self._store, target, pipeline, loads)

    def release(self, target: Target, pipeline: str, loads: Mapping[str, str]) -> None:
        """See `port.Warehouse.release`."""
        self._store.run_lock.discard((marker_id(pipeline, target, unit), load_id) for unit, load_id in loads.items())

    def inspect(self, tables: Mapping[Target, TableInspection]) -> dict[Target, WarehouseTable]:
        """See `port.Warehouse.inspect`."""
        with translated(), self._sessions.opened():
            facts = self._store.facts(list(tables))
            return {target: self._inspected(target, facts.get(target), asked) for target, asked in tables.items()}

    def _inspected(self, target: Target, found: TargetFacts | None, asked: TableInspection) -> WarehouseTable:
        markers = self._markers(target, asked.pipeline)
        if found is None:
            left_out = plan_indexes(asked.layout, asked.schema).left_out if self._store.settings.source_indexes else ()
            return WarehouseTable({}, dict.fromkeys(asked.scopes, 0), markers, notes=left_out)
        stats = stats_by_scope(self._store, found, asked.scopes, ())
        refusal, rebuilt = self._refusal(found, asked.schema)
        return WarehouseTable(
            columns=_types(found),
            counts={unit: one.rows for unit, one in stats.items()},
            markers=markers,
            refusal=refusal,
            notes=(*rebuilt, *self._notes(found, asked)),
            removable=removable(self._store, target, found, asked.out_of_retention),
        )

    def _refusal(self, found: TargetFacts, schema: pa.Schema) -> tuple[DriftError | None, tuple[str, ...]]:
        """The refusal of a load, or a note when the table would be made anew for it."""
        try:
            evolution = evolution_of(self._store, found, schema)
        except DriftError as error:
            return error, ()
        types = ", ".join(f"{column.name} {column.type}" for column in evolution.rebuilt)
        notes = [f"the warehouse table is made anew, with its rows, for other types: {types}"] if types else []
        if evolution.remade:
            remade = ", ".join(str(one) for one in evolution.remade)
            notes.append(
                f"dropped and made again in the warehouse, because a column of theirs gets another type: {remade}"
            )
        notes += [
            f"{name} of the warehouse table is to admit NULL; {depend(mine)} on it, for which a server may refuse that (5074): "
            + ("then dropped and made again" if self._store.settings.may_rebuild else "then the load is refused")
            for name, mine in evolution.in_doubt.items()
        ]
        return None, tuple(notes)

    def _notes(self, found: TargetFacts, asked: TableInspection) -> tuple[str, ...]:
        """Why loads of the table would not be switched in."""
        engine, allowed = self._store.engine(), self._store.settings.ladder
        notes: dict[str, int] = {}
        for scope in asked.scopes.values():
            try:
                entry = choose(found, scope or ReplaceTable(), engine, allowed, loaded=asked.schema.names)
            except WarehouseError as error:
                notes[f"the warehouse would refuse the load: {error.problem}"] = 1
                continue
            for reason in entry.reasons:
                note = f"rows enter the warehouse by {entry.rung.value}, not by switching: {reason}"
                notes[note] = notes.get(note, 0) + 1
        return tuple(notes)

    def markers(self, target: Target, pipeline: str) -> dict[str, Marker]:
        """See `port.Warehouse.markers`."""
        with translated(), self._sessions.opened():
            return self._markers(target, pipeline)

    def _markers(self, target: Target, pipeline: str) -> dict[str, Marker]:
        stored = self._store.markers(target).values()
        return {one.unit: one.marker for one in stored if one.pipeline == pipeline}

    def cleanup(self) -> None:
        """See `port.Warehouse.cleanup`: loads that dead runs did not validate, their staging tables and working directories."""
        self._work.remove_abandoned()
        with translated(), self._sessions.opened():
            rollback.undo_abandoned(
                self._store, lambda record: self._sessions.try_lock(lock_resource(target_digest(record.target)))
            )
            self._store.drop_abandoned()

    def column_stats(
        self, target: Target, scopes: Mapping[str, ReplaceScope | None], columns: Sequence[StatsColumn]
    ) -> dict[str, ColumnStats]:
        """See `port.Warehouse.column_stats`."""
        with translated(), self._sessions.opened():
            found = self._store.facts([target]).get(target)
            if found is None:
                return dict.fromkeys(scopes, no_rows(columns))
            return stats_by_scope(self._store, found, scopes, columns)

    @contextmanager
    def rows(
        self, target: Target, scope: ReplaceScope | None, columns: pa.Schema
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """See `port.Warehouse.rows`."""
        with ExitStack() as stack:
            with translated():
                found = self._store.facts([target]).get(target)
                batches = (
                    stack.enter_context(rows_of(self._store, found, scope, columns)) if found is not None else iter(())
                )
            yield batches

    def columns(self, target: Target) -> dict[str, str]:
        """Column names and declared types, in order; empty when the table does not exist."""
        with translated(), self._sessions.opened():
            found = self._store.facts([target]).get(target)
            return _types(found) if found is not None else {}

    def check_names(self, target: Target, schema: pa.Schema) -> None:
        """See `port.Warehouse.check_names`."""
        reserved = {*_RESERVED_SCHEMAS, self._store.settings.staging_schema.casefold()}
        if target[0].casefold() in reserved:
            raise ConfigError(
                f"target_schema {target[0]!r} is reserved", remedy="choose another target_schema or dataset_name"
            )
        for name in (*target, *schema.names):
            if not 1 <= len(name.encode("utf-16-le", "surrogatepass")) // 2 <= _LONGEST_NAME:
                raise ConfigError(
                    f"{name!r} cannot be a name in SQL Server: it has 1 to {_LONGEST_NAME} characters",
                    remedy="choose a shorter target_table or target_schema, or exclude the column",
                )
        seen: dict[str, str] = {}
        for name, field in zip(schema.names, schema, strict=True):
            type_of(field)
            other = seen.setdefault(name.casefold(), name)
            if other is not name:
                raise UnsupportedColumn(
                    f"{dotted(*target)}: the columns {other!r} and {name!r} differ in upper and lower case only",
                    remedy=f"add one of them to exclude_columns, for instance {name!r}",
                    column=name,
                )

    def scope_for(self, column: ColumnFacts, arrow_type: pa.DataType, ranges: Sequence[PartitionRange]) -> ReplaceScope:
        """The rows of these ranges. Every type sorts as at the source, except text of a code page, which is Unicode here."""
        if column.type_name in _CODE_PAGE_TEXT:
            raise CatalogError(
                f"the table is partitioned by {column.name} of type {column.type_name}, which the warehouse holds as Unicode: "
                "it may sort differently there",
                remedy="configure the table as static: it is then replaced whole when its hash changes",
                column=column.name,
            )
        return ReplaceScope(column, arrow_type, tuple(ranges))

    def remove_partitions(self, target: Target, pipeline: str, scopes: Mapping[str, ReplaceScope]) -> Removed:
        """See `port.Warehouse.remove_partitions`. Markers of other pipelines for the same partitions go too: their rows are
        gone."""
        resource = lock_resource(target_digest(target)), dotted(*target)
        with translated(), self._sessions.opened(), self._sessions.locked([resource]):
            return remove(self._store, target, scopes)

    def drop_table(self, target: Target) -> None:
        """Remove the table if it exists."""
        resource = lock_resource(target_digest(target)), dotted(*target)
        with translated(), self._sessions.opened(), self._sessions.locked([resource]):
            name = self._store.find([target]).get(target)
            if name is not None:
                self._store.run(tables.drop_table(name), f"dropping {name}")
                self._store.forget(target)
            self._store.forget_replaced(target)
            self._store.run(marker_table.delete_markers(MARKERS, folded(target)), "deleting markers")

    def revise_versions(
        self,
        target: Target,
        columns: VersionColumns,
        decide: Callable[[Sequence[Version]], RepairPlan],
        *,
        apply: bool,
    ) -> RepairPlan:
        """See `history.versions.VersionStore`. Raises WarehouseError, WarehouseBusy, FidelityError."""
        resource = lock_resource(target_digest(target)), dotted(*target)
        with translated(), self._sessions.opened(), self._sessions.locked([resource]):
            found = self._store.facts([target]).get(target)
            if found is None:
                raise WarehouseError(f"the warehouse has no table {dotted(*target)} yet", remedy="load it first")
            return revise(self._store, target, found, columns, decide, apply=apply)


def _types(found: TargetFacts) -> dict[str, str]:
    return {column.name: shown_type(column) for column in found.table.columns}
