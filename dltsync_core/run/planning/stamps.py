"""An increment held against the source: version keys and stamps of all rows, digested there and in the warehouse.

The probe of the increment's own read view has the digest of the source. A row whose change the increment did not read (a stamp
below its window) makes the warehouse's another one, also where counts agree.
"""

from __future__ import annotations

from dltsync_core.committed import Probe
from dltsync_core.config import SCDTableConfig
from dltsync_core.digest.canonical import reason_without_fingerprint
from dltsync_core.digest.segment import digest_batches
from dltsync_core.plan.evidence import STAMPS, figures_of
from dltsync_core.plan.keys import stamped_columns
from dltsync_core.plan.steps import Action, Step
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.typemap.mapping import ColumnMapping


def why_unproven(resolved: ResolvedTable) -> str:
    """Why the warehouse's stamps cannot be held against the source's; empty when they can, and where a rowversion makes that
    needless."""
    if resolved.needs_ceiling:
        return ""
    for name in _names(resolved):
        reason = reason_without_fingerprint(_loaded(resolved, name))
        if reason is not None:
            return f"an increment cannot be held against the stamps of all rows ({name}: {reason})"
    return ""


def stamps_at_source(step: Step, probe: Probe) -> str | None:
    """The digest of the source that an increment must lead to; None where there is nothing to hold it against."""
    return figures_of(probe.signature, STAMPS) if step.action is Action.LOAD_INCREMENT else None


def stamps_in_warehouse(context: RunContext, resolved: ResolvedTable) -> str:
    """The same digest of the rows that the warehouse holds. Reads the key and the stamp of every one of them."""
    columns = [_loaded(resolved, name) for name in _names(resolved)]
    with context.warehouse.rows(resolved.target, None, resolved.fields_of(_names(resolved))) as batches:
        return digest_batches(batches, columns).text.replace("|", ",")


def _names(resolved: ResolvedTable) -> tuple[str, ...]:
    return stamped_columns(resolved.facts, resolved.config) if isinstance(resolved.config, SCDTableConfig) else ()


def _loaded(resolved: ResolvedTable, name: str) -> ColumnMapping:
    column = resolved.mapping.column(name)
    if column is None:
        raise ValueError(f"{resolved.name}: {name} is left out, although versions are told apart by it")
    return column
