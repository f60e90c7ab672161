"""Asset checks of a load: its comparison of source, lake and warehouse, and the integrity of versions (scd)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from dltsync_core.config import SCDTableConfig, TableConfig
from dltsync_core.display import number_of
from dltsync_core.errors import ValidationFailed
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.result import RowCounts, UnitResult
from dltsync_core.typemap.column_stats import NULLS, SUM
from dltsync_core.validate.column_stats import LoadedFigure
from dltsync_core.validate.counts import difference
from dltsync_dagster.compat import check_of_its_own, check_spec, latest_materializations
from dltsync_dagster.drift_checks import SCHEMA
from dltsync_dagster.evaluations import CheckOutcome
from dltsync_dagster.failures import explained
from dltsync_dagster.location import Location
from dltsync_dagster.markdown import code, grid
from dltsync_dagster.metadata import rows_metadata
from dltsync_dagster.port import Pipeline

ROW_COUNTS = "row_counts"
VERSION_INTEGRITY = "version_integrity"

_SHOWN = 50
_HEADINGS = {NULLS: "NULLs", SUM: "sum"}


def row_counts_spec(location: Location, table: TableConfig) -> dg.AssetCheckSpec:
    """The comparison of every load before its commit. Not blocking: the load itself commits nothing that differs."""
    return check_spec(
        ROW_COUNTS,
        location.asset_key(table),
        "Compared by the load itself: rows at the source, in the lake and in the warehouse; NULLs of every column and exact "
        "sums of decimals in the lake and in the warehouse, where the load replaced its unit.",
        location.partitions_of(table),
    )


def load_outcome(unit: UnitResult) -> CheckOutcome:
    """The check over one unit. For a skipped unit the sentence says that nothing was read."""
    if unit.status == "failed":
        return CheckOutcome(unit.unit, passed=False, sentence=_why_failed(unit), metadata=_metadata(unit))
    if unit.counts is None:
        return CheckOutcome(
            unit.unit, passed=True, sentence="unchanged since the last load: nothing was read or compared"
        )
    different = [figure for figure in unit.compared if not figure.equal]
    return CheckOutcome(
        unit.unit,
        passed=unit.counts.equal and not different,
        sentence=_sentence(unit.counts, unit.compared, different),
        metadata=_metadata(unit),
    )


def load_outcomes(units: Sequence[UnitResult], asked: Sequence[str] = ()) -> list[CheckOutcome]:
    """The check over the units of one run of a partition table. A failure of the table as a whole is one of each partition."""
    outcomes = [load_outcome(unit) for unit in units]
    return [
        replace(outcome, unit=key)
        for outcome in outcomes
        for key in (asked if outcome.unit == WHOLE_TABLE and asked else (outcome.unit,))
    ]


def _why_failed(unit: UnitResult) -> str:
    error = unit.error or "no reason was given"
    return error if unit.error_type == ValidationFailed.__name__ else f"the load failed before the comparison: {error}"


def _sentence(counts: RowCounts, compared: Sequence[LoadedFigure], different: Sequence[LoadedFigure]) -> str:
    if not counts.equal:
        return difference(counts)
    if different:
        return "; ".join(str(figure) for figure in different[:_SHOWN])
    rows = f"{number_of(counts.source, 'row')} in source, lake and warehouse"
    retained = f" (and {number_of(counts.retained, 'retained row')})" if counts.retained else ""
    if not compared:
        return f"{rows}{retained}; columns were not compared: the load was merged into existing rows"
    columns, sums = ({figure.column for figure in compared if figure.figure == name} for name in (NULLS, SUM))
    also = f" and the sums of {len(sums)}" if sums else ""
    return f"{rows}{retained}; lake and warehouse agree on the NULLs of {number_of(len(columns), 'column')}{also}"


def _metadata(unit: UnitResult) -> dict[str, Any]:
    counts = unit.counts
    found: dict[str, Any] = rows_metadata(counts.source, counts.lake, counts.warehouse) if counts is not None else {}
    if unit.compared:
        found["dltsync/columns"] = dg.MetadataValue.md(_columns_table(unit.compared))
    return found


def _columns_table(compared: Sequence[LoadedFigure]) -> str:
    """One row per column, differences first; columns beyond the limit are counted."""
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
    """The checks that belong to a load. A run request without them also selects `three_way_validation`, as a step that
    does nothing."""
    versions = table.kind == "scd" and location.config.destination.checks_histories
    names = [ROW_COUNTS, SCHEMA, *([VERSION_INTEGRITY] if versions else [])]
    return [dg.AssetCheckKey(location.asset_key(table), name) for name in names]


def version_integrity_check(location: Location, table: SCDTableConfig) -> dg.AssetChecksDefinition:
    """Of every business key: one latest version, no overlap, no gap. Reads the warehouse, changes nothing. In a run that loads
    the table the step of the load evaluates it, after its commit."""

    spec = dg.AssetCheckSpec(
        VERSION_INTEGRITY,
        asset=location.asset_key(table),
        description="Every business key has one latest version, and its versions neither overlap nor leave gaps.",
    )

    @dg.op(
        # Not named after the asset, which would map a-b and a_b to one name.
        name=location.op_name("check", table),
        out={spec.get_python_identifier(): dg.Out(dg.Nothing, is_required=False)},
        pool=location.warehouse_pool,
    )
    def version_integrity(context: dg.OpExecutionContext) -> Any:
        if loads_too(context, location.op_name("sync", table)):
            context.log.info(f"{table.name}: the load evaluates this check")
            return
        with explained(context, location.settings), location.pipeline() as pipeline:
            event = integrity_event(location, context.instance, table, pipeline)
        yield dg.Output(None, output_name=spec.get_python_identifier())
        yield event

    return check_of_its_own(spec, version_integrity)


def integrity_event(
    location: Location, instance: dg.DagsterInstance, table: SCDTableConfig, pipeline: Pipeline
) -> dg.AssetCheckEvaluation:
    """The check over the versions in the warehouse, about the newest materialization. Raises SyncError."""
    key = location.asset_key(table)
    about = latest_materializations(instance, key, None).get(None)
    report = pipeline.scd_handler.repair_scd_integrity(table, dry_run=True)
    findings, counts = report["findings"], report["counts"]
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=VERSION_INTEGRITY,
        passed=not findings,
        severity=dg.AssetCheckSeverity.WARN,
        description=", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no findings",
        metadata={
            "dltsync/findings": dg.MetadataValue.json(findings[:_SHOWN]),
            "dltsync/planned_changes": len(report["changes"]),
        },
        target_materialization_data=about,
    )


def loads_too(context: dg.OpExecutionContext, sync: str) -> bool:
    """Whether the step that loads the table belongs to this run."""
    only = context.run.step_keys_to_execute
    return context.job_def.has_node_named(sync) and (only is None or sync in only)
