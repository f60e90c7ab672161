"""A Dagster code location over `dltsync_core`: every configured table is an asset. Install it with `dltsync[dagster]`.

`dagster dev -w workspace.yaml` loads `dltsync_dagster.definitions`. To put the same assets into a location of your own, call
`build_definitions(load_config("dltsync.yaml"))` and merge the result with `Definitions.merge`, or take parts of it:
`build_assets`, `build_table`.

Names are loaded when they are first used: the command line imports this package for its commands, also without Dagster.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dltsync_core.config import load_config
    from dltsync_dagster.assets import SyncOptions
    from dltsync_dagster.build import build_assets, build_definitions, build_location, build_table, step_executor
    from dltsync_dagster.component import DltsyncComponent
    from dltsync_dagster.discovery import DltsyncDiscoveryComponent
    from dltsync_dagster.ledger_report import report_ledger
    from dltsync_dagster.location import Location, StepOptions
    from dltsync_dagster.resources import ParquetLake, PipelineResources, SqlServerConnection, StateStore, Warehouse
    from dltsync_dagster.settings import LocationSettings
    from dltsync_dagster.tables import DltsyncTables
    from dltsync_dagster.time_windows import TimeWindows
    from dltsync_dagster.translator import TableTranslator, TableTranslatorData

__all__ = [
    "DltsyncComponent",
    "DltsyncDiscoveryComponent",
    "DltsyncTables",
    "Location",
    "LocationSettings",
    "ParquetLake",
    "PipelineResources",
    "SqlServerConnection",
    "StateStore",
    "StepOptions",
    "SyncOptions",
    "TableTranslator",
    "TableTranslatorData",
    "TimeWindows",
    "Warehouse",
    "build_assets",
    "build_definitions",
    "build_location",
    "build_table",
    "load_config",
    "report_ledger",
    "step_executor",
]

_MODULES = {
    "DltsyncComponent": "dltsync_dagster.component",
    "DltsyncDiscoveryComponent": "dltsync_dagster.discovery",
    "DltsyncTables": "dltsync_dagster.tables",
    "Location": "dltsync_dagster.location",
    "LocationSettings": "dltsync_dagster.settings",
    "ParquetLake": "dltsync_dagster.resources",
    "PipelineResources": "dltsync_dagster.resources",
    "SqlServerConnection": "dltsync_dagster.resources",
    "StateStore": "dltsync_dagster.resources",
    "StepOptions": "dltsync_dagster.location",
    "SyncOptions": "dltsync_dagster.assets",
    "TableTranslator": "dltsync_dagster.translator",
    "TableTranslatorData": "dltsync_dagster.translator",
    "Warehouse": "dltsync_dagster.resources",
    "build_assets": "dltsync_dagster.build",
    "TimeWindows": "dltsync_dagster.time_windows",
    "build_definitions": "dltsync_dagster.build",
    "build_location": "dltsync_dagster.build",
    "build_table": "dltsync_dagster.build",
    "load_config": "dltsync_core.config",
    "report_ledger": "dltsync_dagster.ledger_report",
    "step_executor": "dltsync_dagster.build",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
