"""Compare source, lake and warehouse as they are now, outside of any load: rows, and figures of every column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.changes.digest import HashAlgorithm, SegmentDigest, digest_batches
from dltsync_core.config import StaticTableConfig, TableConfig
from dltsync_core.errors import ConnectError, LakeError, SyncError
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.selection import check_partition_keys
from dltsync_core.run.planning import read_facts, shape_table
from dltsync_core.run.prepared import TableShape
from dltsync_core.run.retry import patiently
from dltsync_core.run.services import Services
from dltsync_core.typemap.summary import Summary, no_rows, summary_columns
from dltsync_core.validate.counts import ThreeCounts
from dltsync_core.validate.fingerprint import EVERY_COLUMN, SHA256, fingerprinted
from dltsync_core.validate.lake_rows import fingerprint_lake, summarise_lake
from dltsync_core.validate.report import TableComparison, UnitComparison
from dltsync_core.validate.summaries import FINGERPRINT, PRESENCE, ColumnDifference, column_differences


@dataclass
class LakeLook:
    """What the lake holds, by unit. A unit whose files are not whole has rows and no summary."""

    rows: dict[str, int] = field(default_factory=dict)
    summaries: dict[str, Summary] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)
    """Sentences about files that belong to no unit of the table."""


def compare_tables(
    services: Services,
    tables: Sequence[TableConfig],
    partition_keys: Sequence[str] | None = None,
    *,
    algorithm: HashAlgorithm | None = None,
) -> list[TableComparison]:
    """Every table, in order; with `partition_keys` only these partitions, with `algorithm` by fingerprint as well. Raises
    ConnectError, and ConfigError for a key that no table has; what else goes wrong makes its table invalid."""
    facts, errors = read_facts(services, tables)
    chosen = _chosen(tables, facts, partition_keys)
    if chosen is not None:
        tables = [table for table in tables if table.kind == "partition"]
    return [
        compare_table(services, table, facts[table.name], chosen, algorithm)
        if table.name in facts
        else TableComparison(table.name, table.kind, (), (str(errors[table.name]),))
        for table in tables
    ]


def _chosen(
    tables: Sequence[TableConfig], facts: Mapping[TableName, TableFacts], keys: Sequence[str] | None
) -> frozenset[str] | None:
    if keys is None:
        return None
    partitionings = [facts[t.name].partitioning for t in tables if t.kind == "partition" and t.name in facts]
    return check_partition_keys(keys, [slot.range.key for p in partitionings if p is not None for slot in p.slots])


def compare_table(
    services: Services,
    table: TableConfig,
    facts: TableFacts,
    chosen: frozenset[str] | None = None,
    algorithm: HashAlgorithm | None = None,
) -> TableComparison:
    """Every unit of one table in the three places. A table that cannot be compared says why and is not valid."""
    try:
        return _Comparison(services, shape_table(services, table, facts), chosen, algorithm).made()
    except ConnectError:
        raise
    except SyncError as error:
        return TableComparison(facts.name, table.kind, (), (str(error),))


class _Comparison:
    """One table, looked at in three places."""

    def __init__(
        self,
        services: Services,
        shape: TableShape,
        chosen: frozenset[str] | None,
        algorithm: HashAlgorithm | None,
    ) -> None:
        self._services = services
        self._shape = shape
        self._whole = chosen is None or shape.units == [WHOLE_TABLE]
        self._units = [unit for unit in shape.units if self._whole or chosen is None or unit in chosen]
        self._columns = summary_columns(
            shape.mapping, decimals=services.config.processing.validate_precision_end_to_end
        )
        self._algorithm = algorithm
        self._hashed = fingerprinted(shape.mapping)

    def made(self) -> TableComparison:
        shape = self._shape
        if not self._units:
            return TableComparison(shape.name, shape.config.kind, ())
        source, hashes = patiently(self._services, self._source, stage="planning", table=shape.name, unit=WHOLE_TABLE)
        warehouse = self._services.warehouse.summaries(
            shape.target, {unit: shape.scope_of(unit) for unit in self._units}, self._columns
        )
        lake = self._lake()
        problems = [*lake.strangers, *self._beyond_all_units(sum(summary.rows for summary in warehouse.values()))]
        units = [self._unit(unit, source[unit], lake, warehouse[unit], hashes.get(unit)) for unit in self._units]
        return TableComparison(shape.name, shape.config.kind, tuple(units), tuple(problems), self._notes(units))

    def _unit(
        self, unit: str, source: Summary, lake: LakeLook, warehouse: Summary, fingerprint: str | None
    ) -> UnitComparison:
        kept = max(warehouse.rows - source.rows, 0) if self._keeps_rows else 0
        counts = ThreeCounts(source.rows, lake.rows.get(unit, 0), warehouse.rows, kept)
        in_lake = lake.summaries.get(unit, no_rows(self._columns) if unit not in lake.rows else None)
        found = column_differences(source, in_lake, None if kept else warehouse)
        complete = all(difference.figure != PRESENCE for difference in found)
        if fingerprint is not None and complete:
            places = (
                lake.fingerprints.get(unit, None if unit in lake.rows else SegmentDigest().text),
                None if kept else self._warehouse_fingerprint(unit),
            )
            if any(place not in (None, fingerprint) for place in places):
                found = (*found, ColumnDifference(EVERY_COLUMN, FINGERPRINT, fingerprint, *places))
        return UnitComparison(unit, counts, found, lake.problems.get(unit, ()))

    def _warehouse_fingerprint(self, unit: str) -> str:
        names = [column.name for column in self._hashed.columns]
        with self._services.warehouse.rows(self._shape.target, self._shape.scope_of(unit), names) as batches:
            return digest_batches(batches, self._hashed.columns, algorithm=self._algorithm or SHA256).text

    @property
    def _keeps_rows(self) -> bool:
        config = self._shape.config
        return isinstance(config, StaticTableConfig) and config.load_strategy == "upsert"

    def _notes(self, units: Sequence[UnitComparison]) -> tuple[str, ...]:
        kept = tuple(
            f"{unit.unit}: the warehouse keeps {unit.counts.kept:,} rows that the source no longer has, so that its columns "
            "were not compared"
            for unit in units
            if unit.counts.kept
        )
        return (*kept, *(self._hashed.left_out if self._algorithm is not None else ()))

    def _source(self) -> tuple[Mapping[str, Summary], Mapping[str, str]]:
        """Summaries, and fingerprints when they are asked for, of one moment."""
        shape, filters = self._shape, {unit: self._shape.filter_of(unit) for unit in self._units}
        with self._services.source.read_view() as view:
            summaries = view.summaries(shape.facts, self._columns, filters)
            if self._algorithm is None:
                return summaries, {}
            return summaries, view.fingerprints(shape.facts, self._hashed.columns, filters, self._algorithm)

    def _beyond_all_units(self, total: int) -> list[str]:
        """Rows of the warehouse that lie in no partition."""
        if not self._whole or self._shape.scope_of(self._units[0]) is None:
            return []
        held = self._services.warehouse.count(self._shape.target)
        return [f"the warehouse table holds {held:,} rows, its partitions {total:,}"] if held != total else []

    def _lake(self) -> LakeLook:
        """Every live file is read whole: its checksum is compared, then its rows are."""
        found, shape = LakeLook(), self._shape
        sizes, known = self._services.lake.sizes(shape.name), set(shape.units)
        for unit, manifests in self._services.lake.current(shape.name).items():
            if unit not in known:
                found.strangers += [f"the lake still shows {unit}, which is no unit of the table now"] * self._whole
                continue
            if unit not in self._units:
                continue
            problems = [p for m in manifests for p in self._services.lake.verify(m, sizes=sizes)]
            summary = None
            if not problems:
                try:
                    summary = found.summaries[unit] = self._scan(found, unit, manifests)
                except LakeError as error:
                    problems.append(error.problem)
            found.problems[unit] = tuple(problems)
            by_key = shape.config.kind == "scd"
            found.rows[unit] = summary.rows if summary is not None else 0 if by_key else sum(m.rows for m in manifests)
        return found

    def _scan(self, found: LakeLook, unit: str, manifests: Sequence[Manifest]) -> Summary:
        shape = self._shape
        keys = shape.keys if shape.config.kind == "scd" else ()
        with ExitStack() as stack:
            loads = [stack.enter_context(self._services.lake.files(manifest)) for manifest in manifests]
            summary = summarise_lake(loads, self._columns, keys)
            if self._algorithm is not None and all(c.name in summary.figures for c in self._hashed.columns):
                digest = fingerprint_lake(loads, self._hashed.columns, keys, self._algorithm)
                found.fingerprints[unit] = digest.text
            return summary
