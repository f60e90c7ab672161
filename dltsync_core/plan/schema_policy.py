"""Whether a table whose shape changed may go on, by its policy. Pure; decided before anything is read or written."""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.catalog.schema_changes import ColumnChange
from dltsync_core.config.tables import SchemaDrift
from dltsync_core.errors import DriftError
from dltsync_core.identity import TableName, in_shell


def check_policy(table: TableName, policy: SchemaDrift, findings: Sequence[ColumnChange], *, accepted: bool) -> None:
    """Raises DriftError when the policy stops the table. `evolve` stops nothing here: what the warehouse cannot take exactly
    is refused by the warehouse."""
    changes = [finding for finding in findings if finding.changes_schema]
    if not changes or policy == "evolve" or (policy == "ask" and accepted):
        return
    if policy == "ask":
        remedy = (
            f"answer with `dltsync run --tables {in_shell(table)} --accept-drift {in_shell(table)}`, which reads the table "
            "whole; or undo the change at the source"
        )
    else:
        remedy = (
            "undo the change at the source, name new columns in exclude_columns, or set schema_drift of this table to "
            "`evolve`, or to `ask` and answer with --accept-drift"
        )
    raise refusal(table, findings, f"schema_drift is {policy}", remedy)


def refusal(table: TableName, findings: Sequence[ColumnChange], why: str, remedy: str) -> DriftError:
    """A DriftError that names every finding; they ride along as the fact `findings`."""
    said = "; ".join(finding.sentence for finding in findings if finding.changes_schema)
    changed = f"changed shape: {said}; " if said else "cannot be loaded in its present shape: "
    return DriftError(
        f"{table} {changed}{why}. Nothing was read or written",
        remedy=remedy,
        table=str(table),
        findings=tuple(findings),
    )
