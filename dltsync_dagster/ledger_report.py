"""Reports the whole ledger to a Dagster instance at once: what Dagster does not know, or everything after a wipe.

The sensors report the same, bounded per tick. This is for an operator: after Dagster's database was lost, or when its events are
to be replaced. It reads the ledger only; it opens neither source nor warehouse.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterHomeNotSetError

from dltsync_core.config import PipelineConfig, TableConfig
from dltsync_core.errors import ConfigError, EnvironmentProblem, StateConflict
from dltsync_core.plan.selection import select_tables
from dltsync_dagster.build import build_location
from dltsync_dagster.compat import DltTranslator
from dltsync_dagster.location import Location
from dltsync_dagster.partition_store import align
from dltsync_dagster.partitions import PartitionChanges
from dltsync_dagster.port import OpenPipeline, Pipeline
from dltsync_dagster.reconciliation import Limits, Reconciliation, read_ledger
from dltsync_dagster.run_history import tables_in_runs
from dltsync_dagster.settings import LocationSettings
from dltsync_dagster.translator import TableTranslator


def report_ledger(
    config: PipelineConfig,
    instance: dg.DagsterInstance,
    *,
    tables: Sequence[str] | None = None,
    wipe: bool = False,
    translator: TableTranslator | DltTranslator | None = None,
    open_pipeline: OpenPipeline | None = None,
) -> dict[str, Any]:
    """Report committed units that Dagster does not know; with `wipe` forget all its events of these tables first and report every
    committed unit. The translator must be that of the code location: it names the assets.

    {"wiped", "tables": [{"table", "asset", "reported", "withdrawn"}]}, where `withdrawn` counts materializations that no longer
    hold. Raises StateConflict while a run loads one of the tables, ConfigError and StateError.
    """
    options: dict[str, Any] = {"open_pipeline": open_pipeline} if open_pipeline is not None else {}
    location = build_location(config, settings=LocationSettings(), translator=translator, **options)
    chosen = select_tables(config.tables, names=tables)
    _refuse_while_loading(location, instance, chosen)
    with location.pipeline() as pipeline:
        for table in chosen:
            _add_partitions(location, instance, pipeline, table)
        ledgers = [read_ledger(location, instance, pipeline, table) for table in chosen]
    if wipe:
        instance.wipe_assets([location.asset_key(table) for table in chosen])
    shown = []
    reconciliation = Reconciliation(location)
    for ledger in ledgers:
        events = reconciliation.events(instance, [ledger], Limits.none())
        for event in events:
            instance.report_runless_asset_event(event)
        reported = sum(isinstance(event, dg.AssetMaterialization) for event in events)
        shown.append(
            {
                "table": str(ledger.table.name),
                "asset": location.asset_key(ledger.table).to_user_string(),
                "reported": reported,
                "withdrawn": len(events) - reported,
            }
        )
    return {"wiped": wipe, "tables": shown}


def opened_instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME. Raises EnvironmentProblem when there is none."""
    try:
        return dg.DagsterInstance.get()
    except DagsterHomeNotSetError:
        raise EnvironmentProblem(
            "DAGSTER_HOME is not set, so there is no Dagster instance to report to.",
            remedy="set it to the directory of dagster.yaml that webserver and daemon use",
        ) from None


def imported_translator(address: str | None) -> TableTranslator | DltTranslator | None:
    """The translator at `module:name`, a class or an object. Raises ConfigError when there is none."""
    if address is None:
        return None
    module, _, name = address.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as problem:
        raise ConfigError(
            f"--translator {address}: {problem}",
            remedy="write module:name of what build_definitions(translator=...) gets",
        ) from problem
    made: TableTranslator | DltTranslator = found() if isinstance(found, type) else found
    return made


def _refuse_while_loading(location: Location, instance: dg.DagsterInstance, tables: Sequence[TableConfig]) -> None:
    by_key = {location.asset_key(table): table for table in tables}
    busy = tables_in_runs(instance, by_key, location)
    if busy:
        names = ", ".join(sorted(str(by_key[key].name) for key in busy))
        raise StateConflict(
            f"a Dagster run is loading {names}", remedy="wait until it has ended, or cancel it, and report again"
        )


def _add_partitions(location: Location, instance: dg.DagsterInstance, pipeline: Pipeline, table: TableConfig) -> None:
    """Committed partitions that Dagster's list lacks, as after its database was lost. What vanished at the source since is
    deleted again by the sensor."""
    partitions = location.dynamic_partitions_of(table)
    if partitions is None:
        return
    name = str(partitions.name)
    known = set(instance.get_dynamic_partitions(name))
    missing = tuple(unit for unit in pipeline.committed(str(table.name)) if unit not in known)
    align(instance, name, PartitionChanges(add=missing, delete=()))
