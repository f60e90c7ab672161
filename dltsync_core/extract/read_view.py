"""A read view: one connection that sees one state of the database, as far as the database allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.committed import Probe
from dltsync_core.config import PartitionTableConfig, ProcessingConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.connect.data import DataSession
from dltsync_core.connect.retry import Budget
from dltsync_core.errors import ExtractError
from dltsync_core.extract import probes as probing
from dltsync_core.extract.batch_size import declared_bytes_per_row, has_unbounded_values, limits_of
from dltsync_core.extract.buckets import BucketedUnit, bucket_digests, rows_of_buckets
from dltsync_core.extract.column_stats import fingerprint_units, summarise_units
from dltsync_core.extract.convert import BatchConverter
from dltsync_core.extract.replacement_characters import Replacements
from dltsync_core.extract.slice_plan import continuation_key, is_exact, slice_limits
from dltsync_core.extract.slice_reader import SlicedUnit, SliceReader
from dltsync_core.extract.stream import STOP_WITHIN_SECONDS, BatchStream, RowSource, UnboundedRows
from dltsync_core.extract.unit import Extracted, UnitFilter, condition_of
from dltsync_core.tsql.buckets import Buckets
from dltsync_core.tsql.digest import HashAlgorithm, digest_rows
from dltsync_core.tsql.fragments import Statement, join
from dltsync_core.tsql.select import count_replacements, count_rows, remainder_columns, select_rows
from dltsync_core.tsql.slices import KeyText, after_key, in_key_order, key_at, upto_key
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn
from dltsync_core.typemap.mapping import ColumnMapping, TableMapping

Consistency = Literal["snapshot", "read_committed"]


class ReadView:
    """A view of the database. Use from one thread at a time.

    `consistency` is `snapshot` when everything read here is from one snapshot, `read_committed` when the database does not allow
    that: then rows are counted before and after, and a difference is an error.
    """

    def __init__(
        self,
        session: DataSession,
        processing: ProcessingConfig,
        consistency: Consistency,
        ceiling: str | None = None,
    ) -> None:
        self._session = session
        self._processing = processing
        self._ceiling = ceiling
        self._probed: dict[Statement, list[tuple[Any, ...]]] = {}
        self._in_key_order = False
        self.abandoned: BatchStream | None = None
        self.consistency: str = consistency

    def probe_partitions(
        self, facts: TableFacts, mapping: TableMapping, table: PartitionTableConfig
    ) -> dict[int, Probe]:
        """The probe of every slot, by slot number, with one statement."""
        return probing.probe_partitions(self._fetch_for(facts, "probing"), facts, mapping, table)

    def probe_scd(
        self, facts: TableFacts, mapping: TableMapping, table: SCDTableConfig, committed_watermark: str | None
    ) -> Probe:
        """Count, highest change position, and evidence of every row. A second call with another watermark repeats no
        statement. A rowversion needs a view that was opened with its ceiling."""
        return probing.probe_scd(
            self._once(self._fetch_for(facts, "probing")),
            facts,
            mapping,
            table,
            committed=committed_watermark,
            ceiling=self._ceiling,
        )

    def probe_static(self, facts: TableFacts, mapping: TableMapping, table: StaticTableConfig) -> Probe:
        """The digest of the whole content."""
        return probing.probe_static(self._fetch_for(facts, "probing"), facts, mapping, table)

    def count(self, facts: TableFacts, unit: UnitFilter) -> int:
        """Rows of a unit, by COUNT_BIG."""
        ((rows,),) = self._fetch_for(facts, "counting")(count_rows(facts.name, condition_of(unit)))
        return int(rows)

    def column_stats(
        self, facts: TableFacts, columns: Sequence[StatsColumn], units: Mapping[str, UnitFilter]
    ) -> dict[str, ColumnStats]:
        """The column statistics of each unit, by one statement over all of them."""
        return summarise_units(self._fetch_for(facts, "summarising"), facts, columns, units)

    def fingerprints(
        self,
        facts: TableFacts,
        columns: Sequence[ColumnMapping],
        units: Mapping[str, UnitFilter],
        algorithm: HashAlgorithm,
    ) -> dict[str, str]:
        """The digest of these columns of each unit as `rows|lane|lane`, by one statement over all of them."""
        return fingerprint_units(self._fetch_for(facts, "hashing"), facts, columns, units, algorithm)

    def bucket_digests(
        self, bucketed: BucketedUnit, length: int, within: Buckets | None
    ) -> dict[int, tuple[int, int, int]]:
        """Rows and lane sums of every bucket that has rows, by one statement."""
        return bucket_digests(self._fetch_for(bucketed.facts, "hashing"), bucketed, length, within)

    def rows_of_buckets(
        self, bucketed: BucketedUnit, within: Buckets | None, write: Callable[[pa.RecordBatch], None]
    ) -> None:
        """The rows of these buckets (None: of the unit), as `extract` returns them, but not counted: the caller has
        their digests. Raises as `extract` does."""
        statement, mapping = rows_of_buckets(bucketed, within), bucketed.mapping
        source = self._session.rows(statement.text, statement.parameters, f"reading {bucketed.facts.name}")
        converter = BatchConverter(bucketed.facts, mapping, remainder_columns(mapping))
        self._consume(self._stream(source, mapping, converter), write)

    @property
    def may_be_continued(self) -> bool:
        """Whether the rows of the last extraction came in key order from one snapshot."""
        return self._in_key_order and self.consistency == "snapshot"

    def reached(
        self, facts: TableFacts, mapping: TableMapping, unit: UnitFilter, rows: int, digest: str
    ) -> KeyText | None:
        """The key of the `rows`-th row of the unit, when the rows up to it have this digest (of all mapped columns, as
        `rows|lane|lane`) in this view; else None."""
        key = continuation_key(facts)
        if key is None or self.consistency != "snapshot":
            return None
        fetch, condition = self._fetch_for(facts, "comparing"), condition_of(unit)
        found = fetch(key_at(facts.name, key, condition, rows))
        if not found:
            return None
        reached: KeyText = tuple(found[0])
        if not is_exact(key, reached):
            return None
        within = join(" AND ", [part for part in (condition, upto_key(key, reached)) if part is not None])
        ((count, *lanes),) = fetch(digest_rows(facts.name, [m.column for m in mapping.columns], within))
        same = "|".join("" if part is None else str(part) for part in (count, *lanes)) == digest
        return reached if same else None

    def extract(
        self,
        facts: TableFacts,
        mapping: TableMapping,
        unit: UnitFilter,
        write: Callable[[pa.RecordBatch], None],
        on_rows: Callable[[int], None] | None = None,
    ) -> Extracted:
        """Every row of a unit, in batches of the mapped schema handed to `write` in the caller's thread.

        `on_rows` gets the rows so far after each batch. Raises FidelityError, QueryError and its subclasses, ExtractError when
        the rows are not as many as the server counts, and the errors of `write`; in each case reading has ended.
        """
        return self._extract(facts, mapping, unit, write, on_rows, after=None, staged_rows=0)

    def extract_rest(
        self,
        facts: TableFacts,
        mapping: TableMapping,
        unit: UnitFilter,
        write: Callable[[pa.RecordBatch], None],
        *,
        after: KeyText,
        staged_rows: int,
    ) -> Extracted:
        """As `extract`, but only the rows after the key that `reached` returned; the report covers the `staged_rows` as well."""
        return self._extract(facts, mapping, unit, write, None, after=after, staged_rows=staged_rows)

    def _extract(
        self,
        facts: TableFacts,
        mapping: TableMapping,
        unit: UnitFilter,
        write: Callable[[pa.RecordBatch], None],
        on_rows: Callable[[int], None] | None,
        *,
        after: KeyText | None,
        staged_rows: int,
    ) -> Extracted:
        started = time.perf_counter()
        counted = self.count(facts, unit)
        source = self._rows_of(facts, mapping, unit, counted, after)
        converter = BatchConverter(facts, mapping, remainder_columns(mapping))
        stream = self._stream(source, mapping, converter)
        rows, batches = staged_rows, 0

        def take(batch: pa.RecordBatch) -> None:
            nonlocal rows, batches
            write(batch)
            rows += batch.num_rows
            batches += 1
            if on_rows is not None:
                on_rows(rows)

        self._consume(stream, take)
        self._verify(facts, unit, counted, rows)
        self._verify_text(facts, unit, converter.replacements, after)
        statements = source.statements if isinstance(source, SliceReader) else 1
        return Extracted(rows, counted, batches, time.perf_counter() - started, stream.peak_queue_bytes, statements)

    def _stream(self, source: RowSource, mapping: TableMapping, converter: BatchConverter) -> BatchStream:
        limits = limits_of(self._processing)
        return BatchStream(
            UnboundedRows(source, limits.batch_bytes) if has_unbounded_values(mapping) else source,
            converter.convert,
            limits,
            declared_bytes_per_row(mapping),
            stall_seconds=self._stall_seconds(),
            stop_within=STOP_WITHIN_SECONDS,
        )

    def _consume(self, stream: BatchStream, write: Callable[[pa.RecordBatch], None]) -> None:
        try:
            with stream:
                for batch in stream:
                    write(batch)
        finally:
            self.abandoned = None if stream.is_over else stream

    def _rows_of(
        self, facts: TableFacts, mapping: TableMapping, unit: UnitFilter, counted: int, after: KeyText | None
    ) -> RowSource:
        """By one statement when the rows are few or there is no usable key; else slice by slice, from `after` on."""
        condition, name = condition_of(unit), facts.name
        limits = slice_limits(self._processing, declared_bytes_per_row(mapping))
        key = continuation_key(facts)
        self._in_key_order = key is not None and (after is not None or counted > limits.rows)
        if key is None or not self._in_key_order:
            statement = select_rows(name, mapping, condition)
            return self._session.rows(statement.text, statement.parameters, f"reading {name}")
        order = in_key_order(key)
        return SliceReader(
            self._session,
            SlicedUnit(name, condition, key, lambda part: select_rows(name, mapping, part, order)),
            limits,
            Budget(self._processing.retry_attempts, self._processing.retry_budget_seconds),
            live_snapshot=self.consistency == "snapshot",
            start=after,
        )

    def _stall_seconds(self) -> float | None:
        """How long the writer waits for a batch. The driver's own time-out is shorter and comes first, unless the driver
        hangs."""
        limit = self._session.command_timeout
        if not limit and self._in_key_order:
            limit = self._processing.statement_seconds_limit
        return limit + STOP_WITHIN_SECONDS if limit else None

    def _verify(self, facts: TableFacts, unit: UnitFilter, counted: int, rows: int) -> None:
        after = counted if self.consistency == "snapshot" else self.count(facts, unit)
        if rows == counted == after:
            return
        if self.consistency == "snapshot":
            raise ExtractError(
                f"{facts.name}: the server counts {counted:,} rows, {rows:,} were received in the same snapshot",
                remedy="run again; if it happens again, check the table with DBCC CHECKTABLE",
                table=str(facts.name),
            )
        raise ExtractError(
            f"{facts.name}: {counted:,} rows were counted before reading and {after:,} after it, {rows:,} were received: "
            "the table changed meanwhile",
            remedy="allow SNAPSHOT isolation (ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON), "
            "or run while no application writes",
            table=str(facts.name),
        )

    def _verify_text(
        self, facts: TableFacts, unit: UnitFilter, replacements: Replacements, after: KeyText | None
    ) -> None:
        """A pass over the rows that were read, only when U+FFFD was received at all."""
        if not (columns_found := replacements.columns_found):
            return
        key = continuation_key(facts)
        parts = [condition_of(unit), after_key(key, after) if key is not None and after is not None else None]
        present = [part for part in parts if part is not None]
        statement = count_replacements(facts.name, columns_found, join(" AND ", present) if present else None)
        (stored,) = self._fetch_for(facts, "counting U+FFFD in")(statement)
        replacements.compare(facts.name, stored)

    def _once(self, fetch: probing.Fetch) -> probing.Fetch:
        """The same statement has one answer in a view; without SNAPSHOT isolation the earlier one is safe: the next probe
        detects rows that changed after it."""

        def fetch_once(statement: Statement) -> list[tuple[Any, ...]]:
            if statement not in self._probed:
                self._probed[statement] = fetch(statement)
            return self._probed[statement]

        return fetch_once

    def _fetch_for(self, facts: TableFacts, doing: str) -> Callable[[Statement], list[tuple[Any, ...]]]:
        def fetch(statement: Statement) -> list[tuple[Any, ...]]:
            return self._session.fetch(statement.text, statement.parameters, f"{doing} {facts.name}")

        return fetch
