"""The asset check on a table's columns: what changed, and whether that stopped the load."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from dltsync_core.catalog.schema_changes import ColumnChange
from dltsync_core.errors import DriftError
from dltsync_core.run.result import RunResult
from dltsync_dagster.markdown import code

SCHEMA = "schema"

_SHOWN = 50


def schema_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Compares the columns with those of the last load. WARN when the load accepted changes, ERROR when they stopped it."""
    return dg.AssetCheckSpec(SCHEMA, asset=key, description="The table's columns are those that were loaded before.")


def schema_result(result: RunResult | None) -> dg.AssetCheckResult:
    """The check over one run of one table; None when nothing had to be run."""
    findings = [finding for finding in result.drift if finding.changes_schema] if result is not None else []
    refused = result is not None and any(unit.error_type == DriftError.__name__ for unit in result.failed)
    return dg.AssetCheckResult(
        check_name=SCHEMA,
        passed=not findings and not refused,
        severity=dg.AssetCheckSeverity.ERROR if refused else dg.AssetCheckSeverity.WARN,
        description=_sentence(findings, refused=refused),
        metadata={"dltsync/drift": dg.MetadataValue.md(_table(findings))} if findings else {},
    )


def schema_event(key: dg.AssetKey, result: RunResult) -> Any:
    """The same as an event, for a failed run without an output."""
    check = schema_result(result)
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=SCHEMA,
        passed=check.passed,
        severity=check.severity,
        description=check.description,
        metadata=check.metadata,
    )


def _sentence(findings: list[ColumnChange], *, refused: bool) -> str:
    if refused:
        return (
            f"{len(findings)} changes of the columns stopped the load"
            if findings
            else "the warehouse cannot hold the table"
        )
    if not findings:
        return "the columns are those that were loaded before"
    return f"{len(findings)} changes of the columns, which the load accepted"


def _table(findings: Iterable[ColumnChange]) -> str:
    lines = ["| column | change | before | now |", "| --- | --- | --- | --- |"]
    for finding in list(findings)[:_SHOWN]:
        cells = (
            code(finding.column),
            finding.kind,
            *(code(text) if text else "" for text in (finding.before, finding.after)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
