"""The check `schema`: silent when nothing changed, a warning when the load went along, an error when it was stopped."""

from __future__ import annotations

import dagster as dg
import pytest

from dltsync_core.catalog.schema_changes import ColumnChange, DriftKind
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.run.result import RunResult, UnitResult
from dltsync_dagster.drift_checks import schema_result


def run_with(*kinds: DriftKind, error: str | None = None) -> RunResult:
    findings = tuple(ColumnChange("dbo.T", f"C|{kind}", kind, "int NULL", "bigint NULL", "said") for kind in kinds)
    status = "failed" if error else "committed"
    unit = UnitResult(TableName("dbo", "T"), "static", WHOLE_TABLE, status, "", error=error, error_type=error)  # type: ignore[arg-type]
    return RunResult("run", (unit,), 0.1, drift=findings)


@pytest.mark.parametrize("result", [None, run_with(), run_with("reordered"), run_with(error="QueryError")])
def test_nothing_changed(result: RunResult | None) -> None:
    check = schema_result(result)
    assert (check.passed, dict(check.metadata or {})) == (True, {})


def test_a_change_that_went_through_is_a_warning_with_a_table() -> None:
    check = schema_result(run_with("widened", "added"))
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    shown = (check.metadata or {})["dltsync/drift"].value
    assert isinstance(shown, str)
    assert len(shown.splitlines()) == 4
    assert "widened" in shown


def test_a_change_that_stopped_the_load_is_an_error() -> None:
    check = schema_result(run_with("incompatible", error="DriftError"))
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "stopped the load" in str(check.description)


def test_a_warehouse_that_cannot_take_the_table_is_an_error_without_findings() -> None:
    check = schema_result(run_with(error="DriftError"))
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
