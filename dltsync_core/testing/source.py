"""A source database in memory, behind the same protocols as the real one.

It holds rows of plain Python values in declared tables. A read view sees the rows as they were when it was opened. Every
operation is written to `FakeSource.asked`, so that a test can say what was read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa

from dltsync_core.catalog.facts import (
    DatabaseFacts,
    ListedTable,
    PartitioningFacts,
    Slot,
    TableFacts,
)
from dltsync_core.committed import Probe
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.digest.buckets import RowKeySpec, digest_by_bucket, hashed_rows
from dltsync_core.digest.segment import HashAlgorithm, digest_batches
from dltsync_core.errors import TableNotFound
from dltsync_core.extract.buckets import BucketedUnit
from dltsync_core.extract.probes import Probed, ProbedTable
from dltsync_core.extract.unit import Extracted, UnitFilter
from dltsync_core.identity import TableName
from dltsync_core.plan.evidence import RECENT, STAMPS, UNSTAMPED, signature
from dltsync_core.plan.keys import stamped_columns
from dltsync_core.plan.window import window_after
from dltsync_core.ranges import Boundary, slots_of
from dltsync_core.testing.tables import FakeTable, Row, datetime_text, inside, stats_of
from dltsync_core.tsql.buckets import Buckets
from dltsync_core.tsql.collations import TextPair
from dltsync_core.typemap import TableMapping, map_columns
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn
from dltsync_core.typemap.mapping import ColumnMapping


class FakeSource:
    """Obeys `run.ports.Source`. Give it to `IncrementalSQLServerParquetPipeline(config, source=...)`."""

    def __init__(self, tables: Mapping[TableName, FakeTable]) -> None:
        self.tables: dict[TableName, FakeTable] = dict(tables)
        self.asked: list[str] = []
        """What was asked, in order: `probe sales.Orders`, `extract sales.Orders [10,20)`, `extract dbo.Countries all`, …"""
        self.fail: dict[str, list[BaseException]] = {}
        """Errors by operation, spelled as in `asked`; each is raised once. `count <table> <unit>` fails after the rows."""
        self.unreachable: Exception | None = None
        """Raised by every connection while it is set."""
        self.batch_rows = 2
        """Rows of an Arrow batch."""
        self.consistency = "snapshot"
        """What the read views say of themselves."""
        self.watermarks: list[str | None] = []
        """The committed watermark that each probe of an scd table was given."""
        self.ceilings: list[bool] = []
        """Of each read view, whether it was opened with a ceiling."""
        self.during_extract: Callable[[], None] | None = None
        """Called after every batch of an extract, for example to change rows while they are read."""

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Changes nothing: there are no connections."""
        yield

    def check(self) -> DatabaseFacts:
        """The facts of the database. Raises `unreachable`."""
        if self.unreachable is not None:
            raise self.unreachable
        return DatabaseFacts(
            server="fake",
            database="shop",
            product_version="16.0",
            engine_edition=3,
            collation="Latin1_General_CI_AS",
            compatibility_level=160,
            snapshot_allowed=True,
            read_committed_snapshot=False,
        )

    def list_tables(self, *, with_columns: bool = False) -> list[ListedTable]:
        """Every table there is. Raises `unreachable`."""
        self.check()
        return sorted(
            ListedTable(name, table.partition_column is not None, tuple(c.name for c in table.columns if with_columns))
            for name, table in self.tables.items()
        )

    def read_tables(self, tables: Sequence[TableConfig]) -> dict[TableName, TableFacts]:
        """The facts of these tables. Raises TableNotFound for one that is not there."""
        self.check()
        return {table.name: self._facts(table.name) for table in tables}

    def map_columns(self, facts: TableFacts, table: TableConfig) -> TableMapping:
        """As the real source maps them."""
        return map_columns(facts, table)

    @contextmanager
    def read_view(self, *, ceiling: bool = False) -> Iterator[FakeView]:
        """A copy of all rows as they are now."""
        self.ceilings.append(ceiling)
        yield FakeView(self, {name: [dict(row) for row in table.rows] for name, table in self.tables.items()})

    def compare_texts(self, pairs: Sequence[TextPair]) -> Mapping[TextPair, bool]:
        self.check()
        return {pair: pair.left.casefold() == pair.right.casefold() for pair in pairs}

    def close(self) -> None:
        """Written to `asked`; the source can be used again."""
        self.asked.append("close")

    def extracts(self) -> list[str]:
        """What was read since the last call: table and unit of every extract. Empties `asked`."""
        found = [entry.removeprefix("extract ") for entry in self.asked if entry.startswith("extract ")]
        self.asked.clear()
        return found

    def ask(self, what: str) -> None:
        """Write an operation down, then raise its error if there is one in `fail`."""
        self.asked.append(what)
        if self.fail.get(what):
            raise self.fail[what].pop(0)

    def _facts(self, name: TableName) -> TableFacts:
        found = next((n for n in self.tables if str(n).casefold() == str(name).casefold()), None)
        if found is None:
            raise TableNotFound(f"no table {name}", remedy=f"did you mean {next(iter(self.tables))}?")
        table = self.tables[found]
        columns = tuple(replace(column, column_id=i) for i, column in enumerate(table.columns, 1))
        facts = TableFacts(found, 1, columns, table.primary_key, table.unique_keys, None, len(table.rows))
        if table.partition_column is None:
            return facts
        column = facts.column(table.partition_column)
        if column is None:
            raise ValueError(f"{found} is partitioned by {table.partition_column}, which is none of its columns")
        ranges = slots_of([Boundary(None if b is None else str(b)) for b in table.boundaries], table.side)
        values = [row[column.name] for row in table.rows]
        slots = tuple(Slot(number, r, sum(inside(r, value) for value in values)) for number, r in enumerate(ranges, 1))
        return replace(facts, partitioning=PartitioningFacts("pf", "ps", column, table.side, slots))


class FakeView:
    """Obeys `run.ports.View`: the rows as they were when it was opened."""

    def __init__(self, source: FakeSource, rows: Mapping[TableName, list[Row]]) -> None:
        self._source = source
        self._rows = rows
        self.consistency = source.consistency

    def probe_partitions(
        self, facts: TableFacts, mapping: TableMapping, table: PartitionTableConfig
    ) -> dict[int, Probe]:
        self._source.ask(f"probe {facts.name}")
        if facts.partitioning is None:
            raise ValueError(f"{facts.name} is not partitioned: declare it with partition_column and boundaries")
        found = {}
        for slot in facts.partitioning.slots:
            rows = self._select(facts, UnitFilter(slot, facts.partitioning))
            found[slot.number] = Probe("fingerprint", len(rows), _digest(rows))
        return found

    def probe_scd(
        self, facts: TableFacts, mapping: TableMapping, table: SCDTableConfig, committed_watermark: str | None
    ) -> Probe:
        self._source.ask(f"probe {facts.name}")
        self._source.watermarks.append(committed_watermark)
        rows, column = self._rows[facts.name], table.last_modified_column
        high = max((datetime_text(row[column]) for row in rows if row[column] is not None), default=None)
        window = window_after(committed_watermark, high, type_name="datetime2", lag_seconds=table.lag_seconds)
        keys = [mapping.column(name) for name in stamped_columns(facts, table)]
        named = {STAMPS: _digested(rows, [key for key in keys if key is not None])}
        if committed_watermark is not None:
            recent = [r for r in rows if r[column] is not None and (window.low or "") < datetime_text(r[column])]
            named[RECENT] = _digested(
                [r for r in recent if datetime_text(r[column]) <= committed_watermark], mapping.columns
            )
        unstamped = [row for row in rows if row[column] is None]
        if unstamped:
            named[UNSTAMPED] = _digested(unstamped, mapping.columns)
        text = signature(len(rows), high, named=named, schema_digest=mapping.schema_digest)
        return Probe("last_modified", len(rows), text, high)

    def probe_static(self, facts: TableFacts, mapping: TableMapping, table: StaticTableConfig) -> Probe:
        self._source.ask(f"probe {facts.name}")
        rows = self._rows[facts.name]
        return Probe(table.hash_algorithm, len(rows), _digest(rows))

    def probe_together(self, tables: Sequence[ProbedTable]) -> list[Probed]:
        """As one by one. An error that a table's own probe would raise is raised, and is still there for it."""
        for table in tables:
            if errors := self._source.fail.get(f"probe {table.facts.name}"):
                raise errors[0]
        return [self._probe(table) for table in tables]

    def _probe(self, table: ProbedTable) -> Probed:
        if isinstance(table.config, PartitionTableConfig):
            return self.probe_partitions(table.facts, table.mapping, table.config)
        if isinstance(table.config, SCDTableConfig):
            return self.probe_scd(table.facts, table.mapping, table.config, table.committed)
        return self.probe_static(table.facts, table.mapping, table.config)

    def count(self, facts: TableFacts, unit: UnitFilter) -> int:
        return len(self._select(facts, unit))

    def column_stats(
        self, facts: TableFacts, columns: Sequence[StatsColumn], units: Mapping[str, UnitFilter]
    ) -> dict[str, ColumnStats]:
        return {name: stats_of(self._select(facts, unit), columns) for name, unit in units.items()}

    def fingerprints(
        self,
        facts: TableFacts,
        columns: Sequence[ColumnMapping],
        units: Mapping[str, UnitFilter],
        algorithm: HashAlgorithm,
    ) -> dict[str, str]:
        return {
            name: digest_batches(batches_of(self._select(facts, unit), columns), columns, algorithm=algorithm).text
            for name, unit in units.items()
        }

    def bucket_digests(
        self, bucketed: BucketedUnit, length: int, within: Buckets | None
    ) -> dict[int, tuple[int, int, int]]:
        self._source.ask(f"bucket {bucketed.facts.name}")
        batches = batches_of(self._select(bucketed.facts, bucketed.unit), bucketed.columns)
        found = digest_by_bucket(batches, _keyed(bucketed), length, within)
        return {number: (digest.rows, digest.lane_1, digest.lane_2) for number, digest in found.items()}

    def rows_of_buckets(
        self, bucketed: BucketedUnit, within: Buckets | None, write: Callable[[pa.RecordBatch], None]
    ) -> None:
        self._source.ask(f"read buckets of {bucketed.facts.name}")
        batches = batches_of(self._select(bucketed.facts, bucketed.unit), bucketed.columns)
        for some in hashed_rows(batches, _keyed(bucketed), within):
            write(some.batch)

    def extract(
        self,
        facts: TableFacts,
        mapping: TableMapping,
        unit: UnitFilter,
        write: Callable[[pa.RecordBatch], None],
        on_rows: Callable[[int], None] | None = None,
    ) -> Extracted:
        part = unit.slot.range.key if unit.slot else "changes" if unit.window_column else "all"
        self._source.ask(f"extract {facts.name} {part}")
        rows = self._select(facts, unit)
        size = self._source.batch_rows
        names = mapping.schema.names
        for start in range(0, len(rows), size):
            batch = [{name: row[name] for name in names} for row in rows[start : start + size]]
            write(pa.RecordBatch.from_pylist(batch, schema=mapping.schema))
            if self._source.during_extract is not None:
                self._source.during_extract()
        failing = self._source.fail.get(f"count {facts.name} {part}")
        if failing:
            raise failing.pop(0)
        if on_rows is not None:
            on_rows(len(rows))
        return Extracted(len(rows), len(rows), -(-len(rows) // size), 0.01, 0)

    def _select(self, facts: TableFacts, unit: UnitFilter) -> list[Row]:
        rows = self._rows[facts.name]
        if unit.slot is not None and unit.partitioning is not None:
            name = unit.partitioning.column.name
            return [row for row in rows if inside(unit.slot.range, row[name])]
        if unit.window_column is None:
            return list(rows)
        name = unit.window_column.name
        low, high = unit.window_low or "", unit.window_high or "9"
        return [row for row in rows if row[name] is None or low < datetime_text(row[name]) <= high]


def _digested(rows: Sequence[Row], columns: Sequence[ColumnMapping]) -> str:
    """As the server digests rows: count and two sums, whatever their order."""
    return digest_batches(batches_of(rows, columns), columns).text.replace("|", ",")


def _digest(rows: Sequence[Row]) -> str:
    lines = sorted(repr(sorted(row.items())) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def batches_of(rows: Sequence[Row], columns: Sequence[ColumnMapping]) -> list[pa.RecordBatch]:
    schema = pa.schema([column.field for column in columns])
    return [pa.RecordBatch.from_pylist([{n: row[n] for n in schema.names} for row in rows], schema=schema)]


def _keyed(bucketed: BucketedUnit) -> RowKeySpec:
    key = tuple(bucketed.columns[place] for place in bucketed.key)
    return RowKeySpec(bucketed.columns, key, bucketed.algorithm)
