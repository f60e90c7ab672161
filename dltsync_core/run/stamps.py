"""An increment held against the source: version keys and stamps of all rows, digested there and in the warehouse.

The probe of the increment's own read view has the digest of the source. A row whose change the increment did not read (a stamp
below its window) makes the warehouse's another one, also where counts agree.
"""

from __future__ import annotations

from dltsync_core.changes.canonical import why_no_twin
from dltsync_core.changes.digest import digest_batches
from dltsync_core.config import SCDTableConfig
from dltsync_core.plan.evidence import STAMPS, figures_of
from dltsync_core.plan.keys import stamped_columns
from dltsync_core.plan.steps import Action, Probe, Step
from dltsync_core.run.prepared import TableShape
from dltsync_core.run.services import Services
from dltsync_core.typemap.mapping import ColumnMapping


def why_unproven(shape: TableShape) -> str:
    """Why the warehouse's stamps cannot be held against the source's; empty when they can, and where a rowversion makes that
    needless."""
    if shape.needs_ceiling:
        return ""
    for name in _names(shape):
        reason = why_no_twin(_loaded(shape, name))
        if reason is not None:
            return f"an increment cannot be held against the stamps of all rows ({name}: {reason})"
    return ""


def stamps_at_source(step: Step, probe: Probe) -> str | None:
    """The digest of the source that an increment must lead to; None where there is nothing to hold it against."""
    return figures_of(probe.signature, STAMPS) if step.action is Action.LOAD_INCREMENT else None


def stamps_in_warehouse(services: Services, shape: TableShape) -> str:
    """The same digest of the rows that the warehouse holds. Reads the key and the stamp of every one of them."""
    columns = [_loaded(shape, name) for name in _names(shape)]
    with services.warehouse.rows(shape.target, None, [column.name for column in columns]) as batches:
        return digest_batches(batches, columns).text.replace("|", ",")


def _names(shape: TableShape) -> tuple[str, ...]:
    return stamped_columns(shape.facts, shape.config) if isinstance(shape.config, SCDTableConfig) else ()


def _loaded(shape: TableShape, name: str) -> ColumnMapping:
    column = shape.mapping.column(name)
    if column is None:
        raise ValueError(f"{shape.name}: {name} is left out, although versions are told apart by it")
    return column
