"""Asset checks: rows equal in the three places (from the load itself), and versions that neither overlap nor gap (scd)."""

from typing import Any

import dagster as dg

from dltsync_core.config import SCDTableConfig
from dltsync_core.run.result import UnitResult
from dltsync_dagster.failures import explained
from dltsync_dagster.location import Location
from dltsync_dagster.markdown import code
from dltsync_dagster.resources import ParquetLake, SqlServerConnection, StateStore, Warehouse, compose_config

ROW_COUNTS = "row_counts"
VERSION_INTEGRITY = "version_integrity"

_SHOWN = 50


def row_counts_spec(location: Location, key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Source, lake and warehouse hold equally many rows. Reported by every load; not blocking: the load itself already
    refuses to commit what differs."""
    return dg.AssetCheckSpec(
        ROW_COUNTS, asset=key, description="Rows counted at the source, in the lake and in the warehouse are equal."
    )


def row_counts_result(units: list[UnitResult]) -> dg.AssetCheckResult:
    """The check over the units of one run. Units without counts (skipped: nothing was read) are said so."""
    counted = [unit for unit in units if unit.counts is not None]
    different = [unit for unit in counted if unit.counts is not None and not unit.counts.equal]
    failed = [unit for unit in units if unit.status == "failed"]
    shown = (different or counted)[:_SHOWN]
    return dg.AssetCheckResult(
        check_name=ROW_COUNTS,
        passed=not different and not failed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=_sentence(len(units), len(counted), len(different), len(failed)),
        metadata={"dltsync/counts": dg.MetadataValue.md(_table(shown))} if shown else {},
    )


def row_counts_event(key: dg.AssetKey, units: list[UnitResult]) -> Any:
    """The same as an event, where it is not an output. `log_event` takes it, though its annotation does not say so."""
    result = row_counts_result(units)
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=ROW_COUNTS,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


def _sentence(total: int, counted: int, different: int, failed: int) -> str:
    if different or failed:
        return f"{different} of {counted} counted units differ; {failed} of {total} failed before or at validation"
    if counted == 0:
        return "unchanged since the last load: nothing was read or counted"
    return f"equal in source, lake and warehouse for {counted} of {total} units (the others are unchanged)"


def _table(units: list[UnitResult]) -> str:
    lines = ["| unit | source | lake | warehouse |", "| --- | ---: | ---: | ---: |"]
    for unit in units:
        counts = unit.counts
        if counts is not None:
            lines.append(f"| {code(unit.unit)} | {counts.source:,} | {counts.lake:,} | {counts.warehouse:,} |")
    return "\n".join(lines)


def version_integrity_check(location: Location, table: SCDTableConfig) -> dg.AssetChecksDefinition:
    """Of every business key: one latest version, no overlap, no gap. Looks at the warehouse, changes nothing."""

    @dg.asset_check(
        asset=location.asset_key(table),
        name=VERSION_INTEGRITY,
        description="Every business key has one latest version, and its versions neither overlap nor leave gaps.",
        pool=location.warehouse_pool,
    )
    def version_integrity(
        context: dg.AssetCheckExecutionContext,
        sqlserver: SqlServerConnection,
        lake: ParquetLake,
        warehouse: Warehouse,
        state: StateStore,
    ) -> dg.AssetCheckResult:
        config = compose_config(location.config, sqlserver, lake, warehouse, state)
        with explained(context.op_execution_context, location.settings), location.open_pipeline(config) as pipeline:
            report = pipeline.scd_handler.repair_scd_integrity(table, dry_run=True)
        findings, counts = report["findings"], report["counts"]
        return dg.AssetCheckResult(
            passed=not findings,
            severity=dg.AssetCheckSeverity.WARN,
            description=", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no findings",
            metadata={
                "dltsync/findings": dg.MetadataValue.json(findings[:_SHOWN]),
                "dltsync/planned_changes": len(report["changes"]),
            },
        )

    return version_integrity
