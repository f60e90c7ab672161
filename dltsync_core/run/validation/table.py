"""One table, compared unit by unit in three places, and down to the rows that differ when that is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from dltsync_core.config import StaticTableConfig
from dltsync_core.digest.segment import HashAlgorithm, SegmentDigest, digest_batches
from dltsync_core.display import number_of
from dltsync_core.errors import LakeError
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake import paths
from dltsync_core.lake.inspect import DOUBLED, LakeFinding
from dltsync_core.lake.manifest import Manifest
from dltsync_core.plan.retention import units_out_of_retention
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.orphan_files import with_orphans
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.run.ports import View
from dltsync_core.run.retry import with_retries
from dltsync_core.run.validation.retained_rows import rows_without_retained, summary_without_retained
from dltsync_core.run.validation.row_diff import UnitToDiff, diff_unit
from dltsync_core.typemap.column_stats import ColumnStats, no_rows, stats_columns
from dltsync_core.validate.column_stats import FINGERPRINT, PRESENCE, ColumnDifference, column_differences
from dltsync_core.validate.counts import RowCounts
from dltsync_core.validate.differing_rows import LAKE, SOURCE, WAREHOUSE
from dltsync_core.validate.fingerprint import EVERY_COLUMN, SHA256, fingerprinted
from dltsync_core.validate.lake_rows import fingerprint_lake, summarise_lake
from dltsync_core.validate.report import TableComparison, UnitComparison
from dltsync_core.validate.row_diff import RowDiff

ROWS_OF_A_TABLE = 1_000
"""Rows of one table after which its further units get no row diff: a table can have 15,000 partitions."""


@dataclass(frozen=True)
class ComparisonOptions:
    """How closely to look: at which partitions (None: at all), by which fingerprint (None: by none), down to rows or not."""

    chosen: frozenset[str] | None = None
    algorithm: HashAlgorithm | None = None
    row_diff: bool = False


ORDINARY = ComparisonOptions()

MIXED = (
    "its columns were not compared, nor whether one of them stands for a row that is missing: without the lake's files and "
    "the key in the warehouse these rows cannot be told from the others"
)


@dataclass
class LakeContent:
    """What the lake holds, by unit. A unit whose files are not whole has rows and no column statistics."""

    rows: dict[str, int] = field(default_factory=dict)
    stats: dict[str, ColumnStats] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    loads: dict[str, Sequence[Manifest]] = field(default_factory=dict)
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unowned_files: list[str] = field(default_factory=list)
    """Sentences about files that belong to no unit of the table."""

    def fingerprint(self, unit: str) -> str | None:
        """None where the files are not whole, or lack a column."""
        return self.fingerprints.get(unit, None if unit in self.rows else SegmentDigest().text)


@dataclass(frozen=True)
class _Others:
    """What lake and warehouse hold, by unit; `warehouse` without the `retained` rows, which it has on purpose."""

    lake: LakeContent
    warehouse: Mapping[str, ColumnStats]
    prints: Mapping[str, str]
    retained: Mapping[str, int]


class Comparison:
    """One table, looked at in three places: lake and warehouse first, so that the source is kept waiting for nobody."""

    def __init__(self, context: RunContext, resolved: ResolvedTable, closeness: ComparisonOptions) -> None:
        self._context = context
        self._shape = resolved
        chosen = closeness.chosen
        self._whole = chosen is None or resolved.units == [WHOLE_TABLE]
        self._units = [unit for unit in resolved.units if self._whole or chosen is None or unit in chosen]
        self._columns = stats_columns(
            resolved.mapping, decimals=context.config.processing.validate_precision_end_to_end
        )
        self._algorithm = closeness.algorithm
        self._row_diff = closeness.row_diff
        self._hashed = fingerprinted(resolved.mapping)

    def made(self) -> TableComparison:
        """The comparison. Raises SyncError where the table cannot be compared."""
        resolved = self._shape
        if not self._units:
            return TableComparison(resolved.name, resolved.config.kind, ())
        warehouse = self._context.warehouse.column_stats(
            resolved.target, {unit: resolved.scope_of(unit) for unit in self._units}, self._columns
        )
        lake = self._lake()
        apart = self._without_retained(lake, warehouse)
        retained = {unit: warehouse[unit].rows - summary.rows for unit, summary in apart.items()}
        others = _Others(lake, {**warehouse, **apart}, self._warehouse_fingerprints(warehouse, lake, apart), retained)
        to_remove = self._rows_out_of_retention()
        beyond = self._beyond_all_units(sum(summary.rows for summary in warehouse.values()) + to_remove)
        units = with_retries(
            self._context,
            lambda: self._held_against_the_source(others),
            stage="planning",
            table=resolved.name,
            unit=WHOLE_TABLE,
        )
        problems = (*others.lake.unowned_files, *beyond)
        notes = self._notes(units, others)
        if to_remove:
            notes += (
                f"the warehouse holds {number_of(to_remove, 'row')} out of retention, which the next run removes",
            )
        return TableComparison(resolved.name, resolved.config.kind, tuple(units), problems, notes)

    def _without_retained(self, lake: LakeContent, warehouse: Mapping[str, ColumnStats]) -> dict[str, ColumnStats]:
        """The stats of the warehouse's rows that the source has too, where it keeps others besides and they can be told."""
        found = {}
        for unit, whole in warehouse.items():
            columns = [column for column in self._columns if column.name in whole.figures]
            named = {column.name for column in columns}.issuperset(self._shape.keys)
            if self._keeps_rows and whole.rows > lake.rows.get(unit, 0) and unit in lake.loads and named:
                summary = summary_without_retained(self._context, self._shape, lake.loads[unit], columns)
                found[unit] = replace(summary, unexpected_types=whole.unexpected_types)
        return found

    def _held_against_the_source(self, others: _Others) -> list[UnitComparison]:
        """What the source has is of one moment, its rows as well as its figures."""
        resolved, filters = self._shape, {unit: self._shape.filter_of(unit) for unit in self._units}
        with self._context.source.read_view() as view:
            source: Mapping[str, ColumnStats] = view.column_stats(resolved.facts, self._columns, filters)
            hashes: Mapping[str, str] = {}
            if self._algorithm is not None:
                hashes = view.fingerprints(resolved.facts, self._hashed.columns, filters, self._algorithm)
            units = [self._unit(unit, source[unit], others, hashes.get(unit)) for unit in self._units]
            return self._with_row_diffs(view, units, others, hashes) if self._row_diff else units

    def _unit(self, unit: str, source: ColumnStats, others: _Others, fingerprint: str | None) -> UnitComparison:
        lake, warehouse = others.lake, others.warehouse[unit]
        mixed = self._mixed(unit, others, warehouse.rows - source.rows)
        retained = others.retained.get(unit, warehouse.rows - source.rows if mixed else 0)
        counts = RowCounts(
            source.rows, lake.rows.get(unit, 0), warehouse.rows + (0 if mixed else retained), retained, mixed=mixed
        )
        in_lake = lake.stats.get(unit, no_rows(self._columns) if unit not in lake.rows else None)
        found = column_differences(source, in_lake, warehouse)
        if mixed:  # only what can be said of a warehouse whose rows are not all to be compared
            present = (difference for difference in found if difference.figure == PRESENCE)
            found = (*column_differences(source, in_lake, None), *present)
        complete = all(difference.figure != PRESENCE for difference in found)
        if fingerprint is not None and complete:
            places = (lake.fingerprint(unit), None if mixed else others.prints.get(unit))
            if any(place not in (None, fingerprint) for place in places):
                found = (*found, ColumnDifference(EVERY_COLUMN, FINGERPRINT, fingerprint, *places))
        return UnitComparison(unit, counts, found, lake.problems.get(unit, ()))

    def _with_row_diffs(
        self, view: View, units: Sequence[UnitComparison], others: _Others, hashes: Mapping[str, str]
    ) -> list[UnitComparison]:
        told, found = 0, list[UnitComparison]()
        for unit in units:
            row_diff = None
            if not unit.same_rows and told >= ROWS_OF_A_TABLE:
                why = f"{number_of(told, 'row is', 'rows are')} listed already: choose this partition with --partitions"
                row_diff = RowDiff.refused(why)
            elif not unit.same_rows:
                asked = self._to_diff(unit, others, hashes)
                row_diff = diff_unit(self._context, view, self._shape, asked, self._algorithm or SHA256)
                told += len(row_diff.rows)
            found.append(replace(unit, row_diff=row_diff))
        return found

    def _to_diff(self, unit: UnitComparison, others: _Others, hashes: Mapping[str, str]) -> UnitToDiff:
        name, counts, lake = unit.unit, unit.counts, others.lake
        present: dict[str, ColumnStats] = {}
        if name in lake.stats or name not in lake.rows:
            present[LAKE] = lake.stats.get(name, no_rows(self._columns))
        if not counts.mixed:
            present[WAREHOUSE] = others.warehouse[name]
        columns = [c for c in self._hashed.columns if all(c.name in held.figures for held in present.values())]
        whole = {SOURCE: hashes.get(name), LAKE: lake.fingerprint(name), WAREHOUSE: others.prints.get(name)}
        # Of fewer columns the digests would be other ones.
        known = whole if len(columns) == len(self._hashed.columns) else {}
        return UnitToDiff(
            name,
            {place: known.get(place) for place in (SOURCE, *present)},
            max([counts.source, *(held.rows for held in present.values())]),
            lake.loads.get(name, ()),
            tuple(columns),
            self._hashed.left_out,
            without_retained=name in others.retained,
        )

    def _warehouse_fingerprints(
        self, stats: Mapping[str, ColumnStats], lake: LakeContent, apart: Collection[str]
    ) -> dict[str, str]:
        """Of every unit, as far as the warehouse has the columns."""
        if self._algorithm is None:
            return {}
        names = [column.name for column in self._hashed.columns]
        found = {}
        for unit in self._units:
            if all(name in stats[unit].figures for name in names):
                with (
                    rows_without_retained(self._context, self._shape, lake.loads[unit], names)
                    if unit in apart
                    else self._context.warehouse.rows(
                        self._shape.target, self._shape.scope_of(unit), self._shape.fields_of(names)
                    )
                ) as batches:
                    found[unit] = digest_batches(batches, self._hashed.columns, algorithm=self._algorithm).text
        return found

    @property
    def _keeps_rows(self) -> bool:
        config = self._shape.config
        return isinstance(config, StaticTableConfig) and config.load_strategy == "upsert"

    def _mixed(self, unit: str, others: _Others, surplus: int) -> bool:
        """Whether the warehouse keeps rows that cannot be told from those that the source has."""
        return self._keeps_rows and unit not in others.retained and surplus > 0

    def _notes(self, units: Sequence[UnitComparison], others: _Others) -> tuple[str, ...]:
        retained = tuple(
            f"{unit.unit}: the warehouse keeps {number_of(unit.counts.retained, 'row')} that the source no longer has"
            + (": they were not compared" if unit.unit in others.retained else f", so that {MIXED}")
            for unit in units
            if unit.counts.retained
        )
        return (*retained, *(self._hashed.left_out if self._algorithm is not None else ()))

    def _beyond_all_units(self, total: int) -> list[str]:
        """Rows of the warehouse that lie in no partition."""
        if not self._whole or self._shape.scope_of(self._units[0]) is None:
            return []
        held = self._context.warehouse.count(self._shape.target)
        return (
            [f"the warehouse table holds {number_of(held, 'row')}, its partitions {total:,}"] if held != total else []
        )

    def _rows_out_of_retention(self) -> int:
        """Rows of the warehouse that the next run removes; they are compared with nothing."""
        scopes = self._shape.out_of_retention
        if not self._whole or not scopes:
            return 0
        found = self._context.warehouse.column_stats(self._shape.target, scopes, ())
        return sum(stats.rows for stats in found.values())

    def _lake(self) -> LakeContent:
        """Every live file is read whole: its checksum is compared, then its rows are."""
        found, resolved = LakeContent(unowned_files=self._strays()), self._shape
        sizes, known, asked = self._context.lake.sizes(resolved.name), set(resolved.units), set(self._units)
        current = self._context.lake.current(resolved.name)
        beyond = units_out_of_retention(resolved.facts.partitioning, current)
        for unit, manifests in current.items():
            if unit in beyond:
                continue
            if unit not in known:
                found.unowned_files += [f"the lake still shows {unit}, which is no unit of the table now"] * self._whole
                continue
            if unit not in asked:
                continue
            problems = [p for m in manifests for p in self._context.lake.verify(m, sizes=sizes)]
            summary = None
            if not problems:
                try:
                    summary = found.stats[unit] = self._scan(found, unit, manifests)
                except LakeError as error:
                    problems.append(error.problem)
            found.problems[unit] = tuple(problems)
            by_key = resolved.config.kind == "scd"
            found.rows[unit] = summary.rows if summary is not None else 0 if by_key else sum(m.rows for m in manifests)
        return found

    def _strays(self) -> list[str]:
        """Sentences about files that are no part of the table, though they lie among its files."""
        name = self._shape.name
        found = self._doubled()
        if found:  # a run may have moved them away since they were listed
            found &= self._doubled()
        said = {finding.key: str(finding) for finding in found}
        within = tuple(f"{paths.partition_directory(name, unit)}/" for unit in self._units)
        return [
            f"{said[key]}: who reads all files of the table sees its rows as well; `dltsync recover` sets it aside"
            for key in sorted(said)
            if self._whole or key.startswith(within)
        ]

    def _doubled(self) -> set[LakeFinding]:
        inspection = with_orphans(self._context, self._context.lake.inspect(self._shape.name))
        return {finding for finding in inspection.findings if finding.kind in DOUBLED}

    def _scan(self, found: LakeContent, unit: str, manifests: Sequence[Manifest]) -> ColumnStats:
        resolved = self._shape
        keys = resolved.keys if resolved.config.kind == "scd" else ()
        memory = self._context.config.processing.memory.scratch
        with ExitStack() as stack:
            loads = [stack.enter_context(self._context.lake.files(manifest)) for manifest in manifests]
            summary = summarise_lake(loads, self._columns, keys, memory)
            if self._algorithm is not None and all(c.name in summary.figures for c in self._hashed.columns):
                digest = fingerprint_lake(loads, self._hashed.columns, keys, self._algorithm, memory)
                found.fingerprints[unit] = digest.text
        found.loads[unit] = manifests
        return summary
