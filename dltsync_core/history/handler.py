"""Repair of a warehouse table's history, as users call it: `pipeline.scd_handler.repair_scd_integrity(...)`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from dltsync_core.display import number_of
from dltsync_core.errors import SyncError
from dltsync_core.history.integrity import VersionIssue
from dltsync_core.history.repair import RepairPlan, VersionChange, VersionStore, plan_repair
from dltsync_core.history.server_answers import Answers, pairs_to_ask, with_answers
from dltsync_core.history.versions import SourceHistory, Version, VersionColumns, moment_text
from dltsync_core.identity import TableName, dotted
from dltsync_core.tsql.collations import TextPair

Key: TypeAlias = tuple[str | None, ...]
"""A business key as text, as `Version.key` has it."""


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
    keeps every run away from it while a repair is written. `said` gives what the source said of some keys, and raises SyncError
    when that cannot be known; without it the origin of a fault stays unknown. `compare` asks the server which keys are equal
    under their collation, and raises SyncError when it cannot be asked; without it such keys are reported and left alone."""

    def __init__(
        self,
        resolve: Callable[[Any], ScdTarget],
        store: VersionStore,
        *,
        alone: Callable[[ScdTarget], AbstractContextManager[object]] = nullcontext,
        said: Callable[[ScdTarget, Collection[Key]], SourceHistory] | None = None,
        compare: Callable[[Sequence[TextPair]], Answers] | None = None,
    ) -> None:
        self._resolve = resolve
        self._store = store
        self._alone = alone
        self._said = said
        self._compare = compare

    def repair_scd_integrity(
        self, table: Any, dry_run: bool = True, *, including_source_faults: bool = False
    ) -> dict[str, Any]:
        """Findings and changes, JSON-ready. Nothing is changed unless `dry_run=False`; then all in one transaction.

        What only the warehouse has wrong becomes what the source said at the last load. What the source itself has wrong, or may
        have, is changed with `including_source_faults` only: the warehouse then differs from the source.

        Keys: table, target, dry_run, including_source_faults, valid (no findings), findings (list of dicts: kind, key,
        valid_from, detail, origin (source, warehouse, unknown), repaired (the changes correct it), remedy), remaining (findings
        that they do not correct), counts (by kind), changes (list of dicts: key, valid_from, end and latest before and
        after), applied (number), notes. An end of None means open. Raises ConfigError, WarehouseError, WarehouseBusy,
        FidelityError, LeaseHeld (a run is at the table).
        """
        scd = self._resolve(table)
        with nullcontext() if dry_run else self._alone(scd):
            plan, unknown = self._planned(scd, apply=not dry_run, including_source_faults=including_source_faults)
        return {
            "table": str(scd.table),
            "target": dotted(*scd.target),
            "dry_run": dry_run,
            "including_source_faults": including_source_faults,
            "valid": not plan.findings,
            "counts": dict(Counter(finding.kind for finding in plan.findings)),
            "findings": [_finding(scd, finding) for finding in plan.findings],
            "remaining": sum(not finding.is_repaired for finding in plan.findings),
            "changes": [_change(scd, change) for change in plan.changes],
            "applied": 0 if dry_run else len(plan.changes),
            "notes": [*scd.notes, *unknown, *_notes(plan)],
        }

    def _planned(self, scd: ScdTarget, *, apply: bool, including_source_faults: bool) -> tuple[RepairPlan, list[str]]:
        """The plan, carried out or not, and what could not be found out."""
        if self._said is None and self._compare is None:
            decide = partial(plan_repair, columns=scd.columns)
            return self._store.revise_versions(scd.target, scd.columns, decide, apply=apply), []
        keys: set[Key] = set()
        pairs: dict[TextPair, None] = {}

        def look(versions: Sequence[Version]) -> RepairPlan:
            keys.update(version.key for version in versions)
            pairs.update(dict.fromkeys(pairs_to_ask(versions, scd.columns)))
            return plan_repair(versions, scd.columns)

        looked = self._store.revise_versions(scd.target, scd.columns, look, apply=False)
        if not looked.findings:
            return looked, []
        answers, unknown = self._answers(tuple(pairs))
        options: dict[str, Any] = {}
        if self._said is not None:
            options["including_source_faults"] = including_source_faults
            try:
                options["source"] = self._said(scd, keys)
            except SyncError as error:
                unknown.append(f"whether the source has these faults itself is not known: {error.problem}")

        def decide_with_answers(versions: Sequence[Version]) -> RepairPlan:
            return plan_repair(with_answers(versions, scd.columns, answers), scd.columns, **options)

        return self._store.revise_versions(scd.target, scd.columns, decide_with_answers, apply=apply), unknown

    def _answers(self, pairs: Sequence[TextPair]) -> tuple[Answers, list[str]]:
        """What the server says about pairs of keys that may be one, and why it did not say all."""
        if not pairs or self._compare is None:
            return {}, []
        try:
            answers = self._compare(pairs)
        except SyncError as error:
            return {}, [f"keys that differ in spelling may be one; the server could not be asked: {error.problem}"]
        missing = len(pairs) - len(answers)
        if not missing:
            return answers, []
        what = number_of(missing, "pair of keys differs", "pairs of keys differ")
        return answers, [f"{what} in spelling and may be one; the server did not compare them"]


def _notes(plan: RepairPlan) -> tuple[str, ...]:
    if not plan.left_alone:
        return plan.notes
    what = number_of(plan.left_alone, "key is", "keys are")
    return (*plan.notes, f"{what} reported and left alone")


def _finding(scd: ScdTarget, finding: VersionIssue) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "key": _key(scd, finding.key),
        "valid_from": moment_text(finding.valid_from),
        "detail": finding.detail,
        "origin": finding.origin,
        "repaired": finding.is_repaired,
        "remedy": _remedy(scd, finding),
    }


def _remedy(scd: ScdTarget, finding: VersionIssue) -> str:
    """What a person can do about it; nothing where the changes put it right without any loss."""
    if finding.origin == "source":
        said = f"correct these rows of {scd.table} at the source, then `dltsync run`"
        if finding.is_repaired:
            return (
                f"{said}; until then validation finds the warehouse different, and a load of all rows undoes the repair"
            )
        return said
    if finding.is_repaired:
        return ""
    again = f"`dltsync run --tables {scd.table} --full-refresh` loads the table again from the source"
    if finding.origin == "warehouse":
        return f"the source does not say so, and changing these versions does not put it right: {again}"
    return f"look at these rows at the source; {again}, and tells whose fault it is"


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
