"""Source tables as upstream assets that can be observed: the data version of a table, or of each partition, is its probe.

Of a partition table an observation reports the partitions whose probe differs from what is committed, and no others: an event
for each of 15,000 partitions takes Dagster half a minute.
"""

from collections.abc import Iterator, Mapping
from typing import cast

import dagster as dg

from dltsync_core.clock import utc_now
from dltsync_core.committed import Probe
from dltsync_core.config import TableConfig
from dltsync_core.display import number_of
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.changed_units import changes_of
from dltsync_dagster.compat import of_many_tables, preview_accepted
from dltsync_dagster.failures import explained
from dltsync_dagster.location import Location
from dltsync_dagster.metadata import DATA_VERSION_TAG
from dltsync_dagster.partition_store import partitions_of_run
from dltsync_dagster.reporting import partition_of


def source_table(location: Location, table: TableConfig) -> dg.AssetSpec | dg.AssetsDefinition:
    """The upstream asset of one table."""
    spec = location.translator.get_source_spec(location.data_of(table))
    if table.kind == "partition":
        return _partitions_observable(location, table, spec)
    return _observable(location, table, spec)


def _partitions_observable(location: Location, table: TableConfig, spec: dg.AssetSpec) -> dg.AssetsDefinition:
    """The step logs an event for each changed partition and has no output: one would be an event of every partition of the
    run."""
    name = str(table.name)
    with preview_accepted():

        @dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
            name=location.op_name("observe", table),
            specs=[spec.replace_attributes(skippable=True)],
            partitions_def=location.partitions_of(table),
        )
        @of_many_tables
        def observe(context: dg.AssetExecutionContext) -> Iterator[dg.ObserveResult]:
            with explained(context.op_execution_context, location.settings), location.pipeline() as pipeline:
                probes, committed = pipeline.probe(name), pipeline.committed(name)
            asked = set(partitions_of_run(context.op_execution_context))
            changed = {change.unit for change in changes_of(table, probes, committed, utc_now())} & asked
            for event in observations(location, table, {unit: probes[unit] for unit in probes if unit in changed}):
                context.log_event(event)
            context.log.info(
                f"{name}: {len(changed)} of {number_of(len(asked), 'partition')} changed since the last load"
            )
            yield from ()

        return cast("dg.AssetsDefinition", observe)


def _observable(location: Location, table: TableConfig, spec: dg.AssetSpec) -> dg.AssetsDefinition:
    """An observation is one cheap statement, so it needs no pool, which this decorator does not accept. (The other one,
    `observable_source_asset`, names its step after the key: tables `a.b` and `a_b` would collide.)"""
    with preview_accepted():

        @dg.multi_observable_source_asset(name=location.op_name("observe", table), specs=[spec])  # type: ignore[untyped-decorator]
        @of_many_tables
        def observe(context: dg.AssetExecutionContext) -> Iterator[dg.ObserveResult]:
            with explained(context.op_execution_context, location.settings), location.pipeline() as pipeline:
                probe = pipeline.probe(str(table.name))[WHOLE_TABLE]
            yield dg.ObserveResult(
                asset_key=spec.key, data_version=dg.DataVersion(probe.signature), metadata=probe_metadata(probe)
            )

        return cast("dg.AssetsDefinition", observe)


def probe_metadata(probe: Probe) -> dict[str, str | int]:
    """A probe as metadata."""
    values: dict[str, str | int] = {"dltsync/probe_method": probe.method, "dagster/row_count": probe.rows}
    if probe.watermark_high is not None:
        values["dltsync/watermark"] = probe.watermark_high
    if probe.held_back is not None:
        values["dltsync/held_back"] = probe.held_back.sentence
    return values


def observations(location: Location, table: TableConfig, probes: Mapping[str, Probe]) -> list[dg.AssetObservation]:
    """Probes as observations of the source asset, each with its data version: of the whole table or of single partitions."""
    key = location.source_key(table)
    return [
        dg.AssetObservation(
            asset_key=key,
            partition=partition_of(table, unit),
            metadata=probe_metadata(probe),
            tags={DATA_VERSION_TAG: probe.signature},
        )
        for unit, probe in probes.items()
    ]
