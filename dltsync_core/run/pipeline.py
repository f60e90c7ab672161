"""The class people use: one pipeline from SQL Server tables to a Parquet lake and a warehouse."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyRelation

from dltsync_core.committed import CommittedUnit, Probe
from dltsync_core.errors import ConnectError
from dltsync_core.history.handler import Key, ScdHandler, ScdTarget
from dltsync_core.history.versions import SourceHistory
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.plan.judgement import Answer
from dltsync_core.plan.selection import options_of, select_tables
from dltsync_core.plan.steps import TablePlan
from dltsync_core.run.context import with_unit_lock
from dltsync_core.run.events import EventSink, ignore
from dltsync_core.run.housekeeping import check_places, cleanup_warehouse, prepare_state
from dltsync_core.run.pipeline_base import PipelineBase
from dltsync_core.run.planning.probes import partition_keys_of, probe_units
from dltsync_core.run.planning.tables import first_error, plan_tables
from dltsync_core.run.planning.timed_probes import TimedProbes, probe_within
from dltsync_core.run.read_lake import ReadFrom
from dltsync_core.run.read_table import table_reader, table_relation
from dltsync_core.run.recover import recover_tables
from dltsync_core.run.result import RunResult
from dltsync_core.run.run_reports import reported_run
from dltsync_core.run.run_tables import run_tables
from dltsync_core.run.scd_target import scd_target
from dltsync_core.run.source_history import history_in_lake
from dltsync_core.run.status import pipeline_status
from dltsync_core.run.validation.tables import compare_tables
from dltsync_core.validate.fingerprint import SHA256, algorithm_of
from dltsync_core.validate.report import as_report


class IncrementalSQLServerParquetPipeline(PipelineBase):
    """SQL Server tables into a Parquet lake and a warehouse, completely and exactly.

    `config` is a PipelineConfig, a path of a YAML or TOML file, or a mapping with the fields of PipelineConfig (relative
    paths then mean the current directory). Building a pipeline opens and creates nothing. Raises ConfigError.

    Tables are named `schema.table`, or by the table alone where that is unambiguous; case is ignored. A name with a dot or a
    bracket in it stands in brackets, as T-SQL quotes it: `[a.b].[c]`. Use it as a context
    manager, or call `close`. `source` and `warehouse` put something else in the place of SQL Server and DuckDB.
    """

    # -- running ----------------------------------------------------------------------------------------------------

    def run(
        self,
        *,
        parallel_execution: bool = True,
        table_types: Sequence[str] | None = None,
        table_names: Sequence[str] | None = None,
        partition_keys: Sequence[str] | None = None,
        full_refresh: bool = False,
        force: bool = False,
        accept_drift: Sequence[str] = (),
        on_event: EventSink = ignore,
        run_id: str | None = None,
        raise_on_error: bool = False,
    ) -> RunResult:
        """Bring tables up to date: every unit that changed since its last commit is read, published, loaded, validated and
        committed; the others are left alone.

        `table_types`, `table_names` and `partition_keys` limit the run (None: all). `force` loads what did not change,
        `full_refresh` forgets watermarks and reads whole. `accept_drift` names tables whose changed columns are agreed to
        (`schema_drift: ask`). A unit that fails stops no other; it is a result with an error,
        and with `raise_on_error` the run raises at its end. Events arrive one at a time, from any thread.

        Raises before anything is read: ConfigError (unknown table, kind or partition), ConnectError, StateError,
        NotWritable. KeyboardInterrupt ends the run at once; nothing half published remains.
        """
        with reported_run(self.config, run_id) as reports:
            check_places(self.config, writing=True)
            matched = self._matched()
            tables = select_tables(matched.config.tables, kinds=table_types, names=table_names)
            options = options_of(
                matched.config, full_refresh=full_refresh, force=force, repair_state=True, accept_drift=accept_drift
            )
            with (
                self._context(on_event, run_id=reports.run_id, writable=True, log_in_first=True) as context,
                context.reporter.log.reporting_progress(),
            ):
                result = run_tables(
                    context,
                    tables,
                    options,
                    partition_keys=partition_keys,
                    parallel=parallel_execution,
                    notes=matched.notes,
                )
                reports.ended(result)
        if raise_on_error and result.failed:
            raise first_error(result)
        return result

    def plan(
        self,
        *,
        table_types: Sequence[str] | None = None,
        table_names: Sequence[str] | None = None,
        partition_keys: Sequence[str] | None = None,
        full_refresh: bool = False,
        force: bool = False,
        accept_drift: Sequence[str] = (),
        on_error: Callable[[TableName, Exception], None] | None = None,
    ) -> tuple[TablePlan, ...]:
        """What a run with the same arguments would do, and why. Looks at the source, writes nothing anywhere.

        With `on_error` a table that cannot be planned stops no other: it hears the table and what is wrong with it. Without it
        the first such error is raised.
        """
        check_places(self.config, writing=False)
        config = self.matched_config()
        tables = select_tables(config.tables, kinds=table_types, names=table_names)
        with self._context(ignore, writable=False) as context:
            options = options_of(config, full_refresh=full_refresh, force=force, accept_drift=accept_drift)
            planned = plan_tables(context, tables, options, partition_keys=partition_keys, parallel=True)
            for table, error in planned.errors.items():
                if on_error is None:
                    raise error
                on_error(table, error)
            return tuple(prepared.plan for prepared in planned.prepared)

    def recover(
        self,
        *,
        table_names: Sequence[str] | None = None,
        dry_run: bool = False,
        deep: bool = False,
        answer: Answer | None = None,
    ) -> dict[str, Any]:
        """Lay ledger, lake and warehouse side by side and put right what needs no reading: damaged and strange files are set
        aside, committed units that lake and warehouse agree upon are adopted. What is left is read, or filled from the lake,
        by the next
        `run`, and the answer says how much that is. `dry_run` only looks; `deep` reads every live file of the lake and compares
        its checksum; `answer` answers the questions of these tables (`quarantine`, `accept-loss`).

        {"dry_run", "agreed", "questions", "rows_to_read", "tables": [{"table", "kind", "units": [{"unit", "verdict", "reason",
        "ledger", "lake", "warehouse", "lake_bytes", "watermark", "next", "rows_to_read"}], "quarantined", "question", "error",
        "exit_code"}]}. Raises ConfigError, ConnectError and StateError.
        """
        check_places(self.config, writing=not dry_run)
        tables = select_tables(self.matched_config().tables, names=table_names)
        with self._context(ignore, writable=not dry_run) as context:
            if not dry_run:
                prepare_state(context)
            options = options_of(self.config)
            report = recover_tables(context, tables, options, dry_run=dry_run, deep=deep, answer=answer)
            if not dry_run:
                cleanup_warehouse(context)
            return report

    # -- looking ----------------------------------------------------------------------------------------------------

    def partition_keys(self, table_name: str) -> list[str]:
        """The partitions of a table now, in catalogue order. Raises ConfigError for a table of another kind."""
        with self._context(ignore, writable=False) as context:
            return partition_keys_of(context, self._table(table_name))

    def probe(self, table_name: str) -> dict[str, Probe]:
        """A cheap look at each unit of a table: differs from the committed probe when something changed."""
        with self._context(ignore, writable=False) as context:
            return probe_units(context, self._table(table_name))

    def probe_within(
        self,
        table_names: Sequence[str],
        seconds: float,
        *,
        alone: Collection[str] = (),
        units_only: Collection[str] = (),
    ) -> TimedProbes:
        """The probes of many tables, in this order, as many as fit into so many seconds: statements that are under way then are
        cancelled at the server. Small tables are probed together, those in `alone` never; of those in `units_only` the units are
        read and no more. One attempt, nothing is tried again.

        Raises ConfigError for an unknown table, ConnectError after one connection that failed, QueryError, StateError.
        """
        tables = self._tables(table_names)
        by_itself, listed = (frozenset(table.name for table in self._tables(names)) for names in (alone, units_only))
        with self._context(ignore, writable=False) as context:
            return probe_within(context, tables, seconds, alone=by_itself, units_only=listed)

    def committed_of(self, table_names: Sequence[str]) -> dict[str, dict[str, CommittedUnit]]:
        """What is committed of each table, by unit. Reads the ledger only, once for all tables."""
        with self._ledger() as ledger:
            tables = dict(zip(table_names, self._tables(table_names), strict=True))
            spelled = ledger.find_tables([table.name for table in tables.values()])
            found = ledger.committed_units_of(list(spelled.values()))
        return {name: dict(found[spelled[table.name]].live) for name, table in tables.items()}

    def committed(self, table_name: str) -> dict[str, CommittedUnit]:
        """What is committed of a table, by unit. Reads the ledger only."""
        with self._ledger() as ledger:
            return dict(ledger.committed_units(ledger.find_table(self._table(table_name).name)).live)

    @contextmanager
    def read(
        self,
        table_name: str,
        *,
        partition_keys: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        read_from: ReadFrom = "auto",
    ) -> Iterator[pa.RecordBatchReader]:
        """The synced rows of a table, or of these partitions of it in boundary order, while the block lasts: whole loads
        only, and the source is not asked. `read_from` is the lake, the warehouse, or `auto`: the lake, for scd tables
        and upserts the warehouse.

        Raises ConfigError (unknown table or column; partitions of a table without any), LakeError and WarehouseError
        (never loaded).
        """
        asked = self._to_read(table_name, partition_keys, columns)
        with table_reader(self._lake, self._warehouse, asked, read_from) as rows:
            yield rows

    def relation(
        self,
        table_name: str,
        *,
        partition_keys: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        read_from: ReadFrom = "auto",
    ) -> DuckDBPyRelation:
        """The same rows as a relation of a DuckDB of its own: over the lake's files where they are the table, in memory
        otherwise."""
        asked = self._to_read(table_name, partition_keys, columns)
        return table_relation(self._lake, self._warehouse, asked, read_from)

    def validate_all_tables(
        self,
        table_names: Sequence[str] | None = None,
        *,
        partition_keys: Sequence[str] | None = None,
        fingerprint: str | None = None,
        row_diff: bool = False,
    ) -> dict[str, Any]:
        """Compare source, lake and warehouse as they are now, unit by unit: rows, NULLs of every column, exact sums, the least
        and the greatest moment. Every live file of the lake is read, and its checksum compared. `partition_keys` limits it to
        these partitions of the chosen tables that have partitions. `fingerprint` (sha256, md5) also compares a hash of
        every value; columns that cannot be part of it are named in `notes`. `row_diff` names the rows of each unit that differs,
        with their keys and the values that are not the same; it looks by fingerprint (sha256 unless said otherwise).

        {"valid", "valid_tables", "total_tables", "tables": [{"table", "kind", "valid", "units", "problems", "messages",
        "notes"}]}, where a unit is {"unit", "source", "lake", "warehouse", "kept", "equal", "columns", "messages", "row_diff"},
        the first three rows and `columns` the figures that differ: [{"column", "figure", "source", "lake", "warehouse"}].
        `row_diff` is None, or {"key", "places", "rows", "omitted", "omitted_is_exact", "reason", "levels"} (docs/validation.md).
        `problems` belong to no unit; a table's `messages` are all sentences, its units' too. Raises ConfigError and ConnectError.
        """
        tables = select_tables(self.matched_config().tables, names=table_names)
        algorithm = algorithm_of(fingerprint) if fingerprint is not None else SHA256 if row_diff else None
        with self._context(ignore, writable=False) as context:
            return as_report(compare_tables(context, tables, partition_keys, algorithm=algorithm, row_diff=row_diff))

    def get_pipeline_status(self) -> dict[str, Any]:
        """Where every table stands: units, rows, last commit, watermark; and whether the server answers. `last_error` is the
        newest failure of an attempt at the table that had no success since, in planning, waiting for its lease or loading;
        `last_error_at` its moment. None: the last attempt at each unit succeeded."""
        try:
            config = self.matched_config()
        except ConnectError:
            config = self.config  # part of the status
        with self._ledger() as ledger:
            return pipeline_status(config, self._source, self._lake, ledger)

    @cached_property
    def scd_handler(self) -> ScdHandler:
        """Checks and repairs the history of scd tables in the warehouse."""
        return ScdHandler(
            lambda table: scd_target(self.matched_config(), self._source, self._warehouse, table),
            self._warehouse,
            alone=self._alone,
            said=self._said,
            compare=self._source.compare_texts,
        )

    @contextmanager
    def _alone(self, scd: ScdTarget) -> Iterator[None]:
        with (
            self._context(ignore, writable=True) as context,
            with_unit_lock(context, context.ledger.find_table(scd.table), scd.target, [WHOLE_TABLE]),
        ):
            yield

    def _said(self, scd: ScdTarget, keys: Collection[Key]) -> SourceHistory:
        with self._ledger() as ledger:
            name = ledger.find_table(scd.table)
        is_duckdb, memory = self.config.destination.connection is None, self.config.processing.memory.scratch
        types = self._warehouse.columns(scd.target) if is_duckdb else None
        return history_in_lake(self._lake, name, scd, types, keys, memory)
