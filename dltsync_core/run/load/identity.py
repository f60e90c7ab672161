"""The identity of a load of this run."""

from __future__ import annotations

from dltsync_core.committed import LoadIdentity
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable


def load_identity(context: RunContext, resolved: ResolvedTable, unit: str, load_id: str) -> LoadIdentity:
    """What the footer, the manifest, the marker and the ledger say of the load."""
    return LoadIdentity(
        pipeline=context.config.pipeline_name,
        source=resolved.definition.source,
        table=resolved.name,
        kind=resolved.config.kind,
        unit=unit,
        load_id=load_id,
        run_id=context.run_id,
        definition_digest=resolved.definition.definition_digest,
    )
