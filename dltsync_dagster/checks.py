"""Asset checks that come with a load: what it compared in the three places, and versions that neither overlap nor gap (scd)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from dltsync_core.config import SCDTableConfig, TableConfig
from dltsync_core.errors import ValidationFailed
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.result import ThreeCounts, UnitResult
from dltsync_core.typemap.column_stats import NULLS, SUM
from dltsync_core.validate.column_stats import LoadedFigure
from dltsync_core.validate.counts import difference
from dltsync_dagster.compat import check_spec
from dltsync_dagster.drift_checks import SCHEMA
from dltsync_dagster.evaluations import Verdict
from dltsync_dagster.failures import explained
from dltsync_dagster.location import Location
from dltsync_dagster.markdown import code, grid
from dltsync_dagster.metadata import rows_metadata
from dltsync_dagster.resources import ParquetLake, SqlServerConnection, StateStore, Warehouse, compose_config

ROW_COUNTS = "row_counts"
VERSION_INTEGRITY = "version_integrity"

_SHOWN = 50
_HEADINGS = {NULLS: "NULLs", SUM: "sum"}


def row_counts_spec(location: Location, table: TableConfig) -> dg.AssetCheckSpec:
    """What every load compares before it commits. Not blocking: the load itself already refuses to commit what differs."""
    return check_spec(
        ROW_COUNTS,
        location.asset_key(table),
        "Compared by the load itself: rows at the source, in the lake and in the warehouse; NULLs of every column and exact "
        "sums of decimals in the lake and in the warehouse, where the load replaced what was there.",
        location.partitions_of(table),
    )


def load_verdict(unit: UnitResult) -> Verdict:
    """The check over one unit. A unit without counts (skipped: nothing was read) says so."""
    if unit.status == "failed":
        return Verdict(unit.unit, passed=False, sentence=_why_failed(unit), metadata=_metadata(unit))
    if unit.counts is None:
        return Verdict(unit.unit, passed=True, sentence="unchanged since the last load: nothing was read or compared")
    different = [figure for figure in unit.compared if not figure.equal]
    return Verdict(
        unit.unit,
        passed=unit.counts.equal and not different,
        sentence=_sentence(unit.counts, unit.compared, different),
        metadata=_metadata(unit),
    )


def load_verdicts(units: Sequence[UnitResult], asked: Sequence[str] = ()) -> list[Verdict]:
    """The check over the units of one run of a partition table. A failure of the table as a whole is one of each partition."""
    verdicts = [load_verdict(unit) for unit in units]
    return [
        replace(verdict, unit=key)
        for verdict in verdicts
        for key in (asked if verdict.unit == WHOLE_TABLE and asked else (verdict.unit,))
    ]


def _why_failed(unit: UnitResult) -> str:
    said = unit.error or "no reason was given"
    return said if unit.error_type == ValidationFailed.__name__ else f"the load failed before it was compared: {said}"


def _sentence(counts: ThreeCounts, compared: Sequence[LoadedFigure], different: Sequence[LoadedFigure]) -> str:
    if not counts.equal:
        return difference(counts)
    if different:
        return "; ".join(str(figure) for figure in different[:_SHOWN])
    rows = f"{counts.source:,} rows in source, lake and warehouse"
    kept = f" (which keeps {counts.kept:,} more on purpose)" if counts.kept else ""
    if not compared:
        return f"{rows}{kept}; columns were not compared: what was loaded was merged into rows that stay"
    columns, sums = ({figure.column for figure in compared if figure.figure == name} for name in (NULLS, SUM))
    also = f" and the sums of {len(sums)}" if sums else ""
    return f"{rows}{kept}; lake and warehouse agree on the NULLs of {len(columns)} columns{also}"


def _metadata(unit: UnitResult) -> dict[str, Any]:
    counts = unit.counts
    found: dict[str, Any] = rows_metadata(counts.source, counts.lake, counts.warehouse) if counts is not None else {}
    if unit.compared:
        found["dltsync/columns"] = dg.MetadataValue.md(_columns_table(unit.compared))
    return found


def _columns_table(compared: Sequence[LoadedFigure]) -> str:
    """One row a column, what differs first; a column too many is only counted."""
    columns: dict[str, dict[str, LoadedFigure]] = {}
    for figure in compared:
        columns.setdefault(figure.column, {})[figure.figure] = figure
    order = sorted(columns, key=lambda name: all(figure.equal for figure in columns[name].values()))
    figures = [name for name in (NULLS, SUM) if any(name in found for found in columns.values())]
    headings = [f"{_HEADINGS[name]} in {place}" for name in figures for place in ("lake", "warehouse")]
    rows = [
        (code(column), *(cell for name in figures for cell in _pair(columns[column].get(name)))) for column in order
    ]
    return grid(("column", *headings), rows, numbers=len(headings), limit=_SHOWN)


def _pair(figure: LoadedFigure | None) -> tuple[str, str]:
    return ("", "") if figure is None else (code(figure.lake), code(figure.warehouse))


def checks_with_load(location: Location, table: TableConfig) -> list[dg.AssetCheckKey]:
    """The checks that belong to a load. Who asks for one without naming them gets `three_way_validation`, too, as a step that
    finds nothing to do."""
    names = [ROW_COUNTS, SCHEMA, *([VERSION_INTEGRITY] if table.kind == "scd" else [])]
    return [dg.AssetCheckKey(location.asset_key(table), name) for name in names]


def version_integrity_check(location: Location, table: SCDTableConfig) -> dg.AssetChecksDefinition:
    """Of every business key: one latest version, no overlap, no gap. Looks at the warehouse, changes nothing."""

    spec = dg.AssetCheckSpec(
        VERSION_INTEGRITY,
        asset=location.asset_key(table),
        description="Every business key has one latest version, and its versions neither overlap nor leave gaps.",
    )

    # Not `asset_check`: that names its step after the asset, and takes a-b for a_b.
    @dg.multi_asset_check(name=location.op_name("check", table), specs=[spec], pool=location.warehouse_pool)
    def version_integrity(
        context: dg.AssetCheckExecutionContext,
        sqlserver: SqlServerConnection,
        lake: ParquetLake,
        warehouse: Warehouse,
        state: StateStore,
    ) -> Iterator[dg.AssetCheckResult]:
        config = compose_config(location.config, sqlserver, lake, warehouse, state)
        with explained(context.op_execution_context, location.settings), location.open_pipeline(config) as pipeline:
            report = pipeline.scd_handler.repair_scd_integrity(table, dry_run=True)
        findings, counts = report["findings"], report["counts"]
        yield dg.AssetCheckResult(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=not findings,
            severity=dg.AssetCheckSeverity.WARN,
            description=", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no findings",
            metadata={
                "dltsync/findings": dg.MetadataValue.json(findings[:_SHOWN]),
                "dltsync/planned_changes": len(report["changes"]),
            },
        )

    return version_integrity
