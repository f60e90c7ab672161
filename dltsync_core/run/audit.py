"""Compare source, lake and warehouse as they are now, outside of any load: rows, and figures of every column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import StaticTableConfig, TableConfig
from dltsync_core.errors import ConnectError, LakeError, SyncError
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.selection import check_partition_keys
from dltsync_core.run.planning import read_facts, shape_table
from dltsync_core.run.prepared import TableShape
from dltsync_core.run.retry import patiently
from dltsync_core.run.services import Services
from dltsync_core.typemap.summary import Summary, SummaryColumn, no_rows, summary_columns
from dltsync_core.validate.counts import ThreeCounts
from dltsync_core.validate.lake_rows import summarise_lake
from dltsync_core.validate.report import TableComparison, UnitComparison
from dltsync_core.validate.summaries import column_differences


@dataclass
class LakeLook:
    """What the lake holds, by unit. A unit whose files are not whole has rows and no summary."""

    rows: dict[str, int] = field(default_factory=dict)
    summaries: dict[str, Summary] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def compare_tables(
    services: Services, tables: Sequence[TableConfig], partition_keys: Sequence[str] | None = None
) -> list[TableComparison]:
    """Every table, in order; of tables with partitions only those of these keys. Raises ConnectError, and ConfigError for a key
    that no table has; what else goes wrong makes its table invalid."""
    facts, errors = read_facts(services, tables)
    chosen = _chosen(tables, facts, partition_keys)
    if chosen is not None:
        tables = [table for table in tables if table.kind == "partition"]
    return [
        compare_table(services, table, facts[table.name], chosen)
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
    services: Services, table: TableConfig, facts: TableFacts, chosen: frozenset[str] | None = None
) -> TableComparison:
    """Every unit of one table in the three places. A table that cannot be compared says why and is not valid."""
    try:
        return _Comparison(services, shape_table(services, table, facts), chosen).made()
    except ConnectError:
        raise
    except SyncError as error:
        return TableComparison(facts.name, table.kind, (), (str(error),))


class _Comparison:
    """One table, looked at in three places."""

    def __init__(self, services: Services, shape: TableShape, chosen: frozenset[str] | None) -> None:
        self._services = services
        self._shape = shape
        self._whole = chosen is None or shape.units == [WHOLE_TABLE]
        self._units = [unit for unit in shape.units if self._whole or chosen is None or unit in chosen]
        self._columns = summary_columns(
            shape.mapping, decimals=services.config.processing.validate_precision_end_to_end
        )

    def made(self) -> TableComparison:
        shape = self._shape
        if not self._units:
            return TableComparison(shape.name, shape.config.kind, ())
        source = patiently(self._services, self._source, stage="planning", table=shape.name, unit=WHOLE_TABLE)
        warehouse = self._services.warehouse.summaries(
            shape.target, {unit: shape.scope_of(unit) for unit in self._units}, self._columns
        )
        lake = self._lake()
        problems = [*lake.problems, *self._beyond_all_units(sum(summary.rows for summary in warehouse.values()))]
        units = [self._unit(unit, source[unit], lake, warehouse[unit]) for unit in self._units]
        return TableComparison(shape.name, shape.config.kind, tuple(units), tuple(problems), self._notes(units))

    def _unit(self, unit: str, source: Summary, lake: LakeLook, warehouse: Summary) -> UnitComparison:
        kept = max(warehouse.rows - source.rows, 0) if self._keeps_rows else 0
        counts = ThreeCounts(source.rows, lake.rows.get(unit, 0), warehouse.rows, kept)
        in_lake = lake.summaries.get(unit, no_rows(self._columns) if unit not in lake.rows else None)
        return UnitComparison(unit, counts, column_differences(source, in_lake, None if kept else warehouse))

    @property
    def _keeps_rows(self) -> bool:
        config = self._shape.config
        return isinstance(config, StaticTableConfig) and config.load_strategy == "upsert"

    def _notes(self, units: Sequence[UnitComparison]) -> tuple[str, ...]:
        return tuple(
            f"{unit.unit}: the warehouse keeps {unit.counts.kept:,} rows that the source no longer has, so that its columns "
            "were not compared"
            for unit in units
            if unit.counts.kept
        )

    def _source(self) -> dict[str, Summary]:
        shape = self._shape
        with self._services.source.read_view() as view:
            return dict(
                view.summaries(shape.facts, self._columns, {unit: shape.filter_of(unit) for unit in self._units})
            )

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
                found.problems += [f"the lake still shows {unit}, which is no unit of the table now"] * self._whole
                continue
            if unit not in self._units:
                continue
            problems = [p for m in manifests for p in self._services.lake.verify(m, sizes=sizes)]
            summary = None
            if not problems:
                try:
                    summary = found.summaries[unit] = self._scan(manifests, self._columns)
                except LakeError as error:
                    problems.append(error.problem)
            found.problems += problems
            by_key = shape.config.kind == "scd"
            found.rows[unit] = summary.rows if summary is not None else 0 if by_key else sum(m.rows for m in manifests)
        return found

    def _scan(self, manifests: Sequence[Manifest], columns: Sequence[SummaryColumn]) -> Summary:
        shape = self._shape
        with ExitStack() as stack:
            loads = [stack.enter_context(self._services.lake.files(manifest)) for manifest in manifests]
            return summarise_lake(loads, columns, shape.keys if shape.config.kind == "scd" else ())
