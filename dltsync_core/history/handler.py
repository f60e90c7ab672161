"""Repair of a warehouse table's history, as users call it: `pipeline.scd_handler.repair_scd_integrity(...)`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from dltsync_core.history.integrity import Finding
from dltsync_core.history.repair import RepairPlan, VersionChange, plan_repair
from dltsync_core.history.versions import VersionColumns, VersionStore, moment_text
from dltsync_core.identity import TableName, dotted


@dataclass(frozen=True)
class ScdTarget:
    """An scd table resolved: its source name, its place in the warehouse and the columns of its history. `notes` are sentences
    about what could not be found out."""

    table: TableName
    target: tuple[str, str]
    columns: VersionColumns
    notes: tuple[str, ...] = ()


class ScdHandler:
    """Checks and repairs scd tables. `resolve` turns what a caller names (a table config or its name) into a target; `alone`
    keeps every run away from it while a repair is written."""

    def __init__(
        self,
        resolve: Callable[[Any], ScdTarget],
        store: VersionStore,
        *,
        alone: Callable[[ScdTarget], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._resolve = resolve
        self._store = store
        self._alone = alone

    def repair_scd_integrity(self, table: Any, dry_run: bool = True) -> dict[str, Any]:
        """Findings and changes, JSON-ready. Nothing is changed unless `dry_run=False`; then all in one transaction.

        Keys: table, target, dry_run, valid (no findings), findings (list of dicts: kind, key, valid_from, detail), counts (by
        kind), changes (list of dicts: key, valid_from, end and latest before and after), applied (number), notes. An end of
        None means open. Raises ConfigError, WarehouseError, WarehouseBusy, FidelityError, LeaseHeld (a run is at the table).
        """
        scd = self._resolve(table)
        with nullcontext() if dry_run else self._alone(scd):
            decide = partial(plan_repair, columns=scd.columns)
            plan = self._store.revise_versions(scd.target, scd.columns, decide, apply=not dry_run)
        return {
            "table": str(scd.table),
            "target": dotted(*scd.target),
            "dry_run": dry_run,
            "valid": not plan.findings,
            "counts": dict(Counter(finding.kind for finding in plan.findings)),
            "findings": [_finding(scd, finding) for finding in plan.findings],
            "changes": [_change(scd, change) for change in plan.changes],
            "applied": 0 if dry_run else len(plan.changes),
            "notes": [*scd.notes, *_notes(plan)],
        }


def _notes(plan: RepairPlan) -> tuple[str, ...]:
    if not plan.left_alone:
        return plan.notes
    what = "1 key is" if plan.left_alone == 1 else f"{plan.left_alone:,} keys are"
    return (*plan.notes, f"{what} reported and left alone: only the source can tell what is right")


def _finding(scd: ScdTarget, finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "key": _key(scd, finding.key),
        "valid_from": moment_text(finding.valid_from),
        "detail": finding.detail,
    }


def _change(scd: ScdTarget, change: VersionChange) -> dict[str, Any]:
    return {
        "key": _key(scd, change.before.key),
        "valid_from": moment_text(change.before.valid_from),
        "end_before": moment_text(change.before.valid_to),
        "end_after": moment_text(change.after.valid_to),
        "latest_before": change.before.is_latest,
        "latest_after": change.after.is_latest,
    }


def _key(scd: ScdTarget, key: tuple[str | None, ...]) -> Mapping[str, str | None]:
    return dict(zip(scd.columns.business_keys, key, strict=True))
