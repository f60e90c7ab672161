"""One Dagster run in a process of its own: what a run worker does, without a daemon."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import dagster as dg

from dltsync_core.config import PipelineConfig
from dltsync_dagster import LocationSettings, build_definitions


def execute(facts: Mapping[str, Any]) -> None:
    """Executes the run that the facts name; prints its id and whether it succeeded, as JSON."""
    definitions = build_definitions(
        PipelineConfig(**facts["config"]), settings=LocationSettings(retry_delay_seconds=0, retries=5)
    )
    with dg.DagsterInstance.get() as instance:  # the one of DAGSTER_HOME, shared with the others
        done = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(facts["asset"])],
            partition_key=facts["partition"],
            raise_on_error=False,
        )
    sys.stdout.write(json.dumps({"run_id": done.run_id, "success": done.success}) + "\n")
