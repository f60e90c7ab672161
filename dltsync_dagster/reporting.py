"""From the core's results to Dagster's events, one exact event per partition, also when the run fails half way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dltsync_core.committed import CommittedUnit
from dltsync_core.config import TableConfig
from dltsync_core.run.result import UnitResult
from dltsync_dagster.events import StepLog
from dltsync_dagster.location import Location
from dltsync_dagster.metadata import DATA_VERSION_TAG, committed_metadata, unit_metadata


def materialization(
    location: Location, table: TableConfig, unit: str, metadata: Mapping[str, Any], version: str | None
) -> dg.AssetMaterialization:
    """The event of one unit, for units that are not (or not any more) outputs of the step."""
    return dg.AssetMaterialization(
        asset_key=location.asset_key(table),
        partition=unit if table.kind == "partition" else None,
        metadata=dict(metadata),
        tags={DATA_VERSION_TAG: version} if version else None,
    )


def finished_materializations(
    location: Location, table: TableConfig, units: Sequence[UnitResult], committed_units: Mapping[str, CommittedUnit]
) -> list[dg.AssetMaterialization]:
    """Events for the units that are up to date, of a run in which others failed."""
    return [
        materialization(
            location,
            table,
            unit.unit,
            unit_metadata(unit, committed_units.get(unit.unit)),
            version_of(unit, committed_units),
        )
        for unit in units
        if unit.status != "failed"
    ]


def interrupted_materializations(
    location: Location, table: TableConfig, log: StepLog, committed_units: Mapping[str, CommittedUnit]
) -> list[dg.AssetMaterialization]:
    """Events for the units that were committed before the run ended without a result."""
    return [
        materialization(
            location,
            table,
            unit,
            committed_metadata(event, committed_units.get(unit)),
            _signature(committed_units.get(unit)),
        )
        for unit, event in log.committed.items()
    ]


def version_of(unit: UnitResult, committed_units: Mapping[str, CommittedUnit]) -> str | None:
    """The data version of a unit: the probe signature of the source when it was read."""
    return unit.probe_signature or _signature(committed_units.get(unit.unit))


def _signature(committed_unit: CommittedUnit | None) -> str | None:
    return committed_unit.probe.signature if committed_unit is not None else None


def reported_in_run(
    instance: dg.DagsterInstance, run_id: str, key: dg.AssetKey, partitions: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """Partitions that an earlier attempt of this run has already reported, with their metadata."""
    found: dict[str, Mapping[str, Any]] = {}
    wanted = list(partitions)
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=wanted), limit=1000, cursor=cursor
        )
        for record in page.records:
            event = record.asset_materialization
            if record.run_id == run_id and event is not None and event.partition is not None:
                found.setdefault(event.partition, event.metadata)
        if not page.has_more:
            return found
        cursor = page.cursor
