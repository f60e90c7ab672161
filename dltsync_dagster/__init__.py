"""A Dagster code location over `dltsync_core`: every configured table is an asset.

`dagster dev -w workspace.yaml` loads `dltsync_dagster.definitions`. To put the same assets into a location of your own, call
`build_definitions(load_config("dltsync.yaml"))` and merge the result.
"""

from __future__ import annotations

from dltsync_dagster.build import build_definitions
from dltsync_dagster.settings import LocationSettings
from dltsync_dagster.translator import TableTranslator

__all__ = ["LocationSettings", "TableTranslator", "build_definitions"]
