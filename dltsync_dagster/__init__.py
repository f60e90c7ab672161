"""A Dagster code location over `dltsync_core`: every configured table is an asset. Install it with `dltsync[dagster]`.

`dagster dev -w workspace.yaml` loads `dltsync_dagster.definitions`. To put the same assets into a location of your own, call
`build_definitions(load_config("dltsync.yaml"))` and merge the result.

Names are loaded when they are first used: the command line imports this package for `dltsync demo`, also without Dagster.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dltsync_dagster.build import build_definitions
    from dltsync_dagster.component import DltsyncComponent
    from dltsync_dagster.discovery import DltsyncDiscoveryComponent
    from dltsync_dagster.settings import LocationSettings
    from dltsync_dagster.tables import DltsyncTables
    from dltsync_dagster.time_windows import TimeWindows
    from dltsync_dagster.translator import TableTranslator

__all__ = [
    "DltsyncComponent",
    "DltsyncDiscoveryComponent",
    "DltsyncTables",
    "LocationSettings",
    "TableTranslator",
    "TimeWindows",
    "build_definitions",
]

_MODULES = {
    "DltsyncComponent": "dltsync_dagster.component",
    "DltsyncDiscoveryComponent": "dltsync_dagster.discovery",
    "DltsyncTables": "dltsync_dagster.tables",
    "LocationSettings": "dltsync_dagster.settings",
    "TableTranslator": "dltsync_dagster.translator",
    "TimeWindows": "dltsync_dagster.time_windows",
    "build_definitions": "dltsync_dagster.build",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
