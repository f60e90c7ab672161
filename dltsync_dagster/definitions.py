"""What `workspace.yaml` loads: the config that DLT_SYNC_CONFIG names, else ./dltsync.yaml, as a code location.

A config that is missing or wrong fails the location with the same message that `dltsync plan` gives.
"""

from __future__ import annotations

from dltsync_core.config import load_config
from dltsync_dagster.build import build_definitions, step_executor

__all__ = ["build_definitions", "defs"]

defs = build_definitions(load_config(), executor=step_executor())
