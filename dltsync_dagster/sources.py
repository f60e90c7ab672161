"""Source tables as upstream assets. Those of scd and static tables can be observed: their data version is the probe."""

from collections.abc import Iterator
from typing import cast

import dagster as dg

from dltsync_core.committed import Probe
from dltsync_core.config import TableConfig
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.compat import preview_accepted
from dltsync_dagster.failures import explained
from dltsync_dagster.location import Location
from dltsync_dagster.metadata import DATA_VERSION_TAG


def source_table(location: Location, table: TableConfig) -> dg.AssetSpec | dg.AssetsDefinition:
    """The upstream asset of one table."""
    spec = location.translator.get_source_spec(location.data_of(table))
    if table.kind == "partition":
        return spec
    return _observable(location, table, spec)


def _observable(location: Location, table: TableConfig, spec: dg.AssetSpec) -> dg.AssetsDefinition:
    """An observation is one cheap statement, so it needs no pool, which this decorator does not accept. (The other one,
    `observable_source_asset`, names its step after the key: tables `a.b` and `a_b` would collide.)"""
    with preview_accepted():

        @dg.multi_observable_source_asset(name=location.op_name("observe", table), specs=[spec])  # type: ignore[untyped-decorator]
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


def observation(location: Location, table: TableConfig, probe: Probe) -> dg.AssetObservation:
    """A sensor's probe, as an observation of the source asset."""
    return dg.AssetObservation(
        asset_key=location.source_key(table),
        metadata=probe_metadata(probe),
        tags={DATA_VERSION_TAG: probe.signature},
    )
