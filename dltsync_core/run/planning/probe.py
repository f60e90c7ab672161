"""Probes of the source, for sensors and people."""

from __future__ import annotations

from dltsync_core.committed import Probe
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, TableConfig
from dltsync_core.errors import ConfigError, NotPartitioned
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.run.planning.table import resolve_table
from dltsync_core.run.retry import with_retries


def partition_keys_of(context: RunContext, table: TableConfig) -> list[str]:
    """The units of a partition table, in catalogue order. Raises ConfigError, CatalogError, ConnectError."""
    if table.kind != "partition":
        raise ConfigError(f"{table.name} is configured as {table.kind}: it has no partitions")
    facts = context.source.read_tables([table])[table.name]
    if facts.partitioning is None:
        raise NotPartitioned(f"{facts.name} does not lie on a partition scheme", remedy="configure it as static")
    return [slot.range.key for slot in facts.partitioning.slots]


def probe_units(context: RunContext, table: TableConfig) -> dict[str, Probe]:
    """The probe of each unit, comparable with that of its committed unit."""
    resolved = resolve_table(context, table, context.source.read_tables([table])[table.name])
    return with_retries(
        context, lambda: _probe(context, resolved), stage="planning", table=resolved.name, unit=WHOLE_TABLE
    )


def _probe(context: RunContext, resolved: ResolvedTable) -> dict[str, Probe]:
    table, facts, mapping = resolved.config, resolved.facts, resolved.mapping
    with context.source.read_view(ceiling=resolved.needs_ceiling) as view:
        if isinstance(table, PartitionTableConfig):
            probes = view.probe_partitions(facts, mapping, table)
            return {unit: probes[slot.number] for unit in resolved.units if (slot := resolved.slot(unit)) is not None}
        if isinstance(table, SCDTableConfig):
            watermark = resolved.probed_watermark(context.ledger.committed_units(facts.name))
            return {WHOLE_TABLE: view.probe_scd(facts, mapping, table, watermark)}
        return {WHOLE_TABLE: view.probe_static(facts, mapping, table)}
