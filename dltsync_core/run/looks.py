"""Cheap looks at the source, for sensors and people."""

from __future__ import annotations

from dltsync_core.config import PartitionTableConfig, SCDTableConfig, TableConfig
from dltsync_core.errors import ConfigError, NotPartitioned
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.plan.steps import Probe
from dltsync_core.run.planning import shape_table
from dltsync_core.run.prepared import TableShape
from dltsync_core.run.retry import patiently
from dltsync_core.run.services import Services


def partition_keys_of(services: Services, table: TableConfig) -> list[str]:
    """The units of a partition table, in catalogue order. Raises ConfigError, CatalogError, ConnectError."""
    if table.kind != "partition":
        raise ConfigError(f"{table.name} is configured as {table.kind}: it has no partitions")
    facts = services.source.read_tables([table])[table.name]
    if facts.partitioning is None:
        raise NotPartitioned(f"{facts.name} does not lie on a partition scheme", remedy="configure it as static")
    return [slot.range.key for slot in facts.partitioning.slots]


def probe_units(services: Services, table: TableConfig) -> dict[str, Probe]:
    """The probe of each unit, comparable with that of its head."""
    shape = shape_table(services, table, services.source.read_tables([table])[table.name])
    return patiently(services, lambda: _probe(services, shape), stage="planning", table=shape.name, unit=WHOLE_TABLE)


def _probe(services: Services, shape: TableShape) -> dict[str, Probe]:
    table, facts, mapping = shape.config, shape.facts, shape.mapping
    with services.source.read_view(ceiling=shape.needs_ceiling) as view:
        if isinstance(table, PartitionTableConfig):
            probes = view.probe_partitions(facts, mapping, table)
            return {unit: probes[slot.number] for unit in shape.units if (slot := shape.slot(unit)) is not None}
        if isinstance(table, SCDTableConfig):
            watermark = shape.probed_watermark(services.ledger.heads(facts.name))
            return {WHOLE_TABLE: view.probe_scd(facts, mapping, table, watermark)}
        return {WHOLE_TABLE: view.probe_static(facts, mapping, table)}
