"""The definition of a table. Pure.

One digest covers all that makes committed rows those of another table once it changes; a policy decides about changed columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.catalog.schema_changes import ColumnChange
from dltsync_core.committed import CommittedUnit
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, TableConfig
from dltsync_core.config.tables import SchemaDrift
from dltsync_core.errors import DriftError
from dltsync_core.identity import TableName, digest_of, in_shell, joined


@dataclass(frozen=True)
class TableDefinition:
    """What a committed unit must still match to be comparable: the digest of the table's definition and the `source` it
    comes from. `compatible_digests` are those of earlier definitions whose columns were declared otherwise while every
    value stayed what it is (`catalog.schema_changes`)."""

    definition_digest: str
    source: str
    compatible_digests: frozenset[str] = frozenset()

    def fits(self, committed_unit: CommittedUnit) -> bool:
        """Whether the committed unit's rows are those of this table as it is now."""
        fitting = {self.definition_digest, *self.compatible_digests}
        return committed_unit.source == self.source and committed_unit.definition_digest in fitting


def definition_digest(
    facts: TableFacts,
    table: TableConfig,
    *,
    schema_digest: str,
    target: tuple[str, str],
    keys: tuple[str, ...],
    column_ids: Sequence[int],
) -> str:
    """The digest of columns and types (`schema_digest`), of the kind, of what splits or orders the rows, of the warehouse
    table, of its merge `keys` and of the server's numbers of the columns (`column_ids`). Loads with equal digests can be compared
    and merged; after a change every unit is loaded again.
    """
    parts = [schema_digest, table.kind, *target, *(key.casefold() for key in keys)]
    if isinstance(table, PartitionTableConfig) and facts.partitioning is not None:
        parts += [facts.partitioning.column.name.casefold(), facts.partitioning.side]
    if isinstance(table, SCDTableConfig):
        parts.append(table.last_modified_column.casefold())
    parts.append(",".join(str(number) for number in column_ids))
    return digest_of(joined(*parts))[:32]


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
