"""One Dagster run in a process of its own: what a run worker does, without a daemon."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dltsync_core.config import PipelineConfig
from dltsync_dagster import LocationSettings, build_definitions
from tests.dagster.conftest import ORDERS, RANGE, shop_config
from tests.dagster.fakes import FakeTable, FakeWorld
from tests.dagster.instances import revisions_read_once
from tests.dagster.sandbox_location import ShopKeys


def execute(facts: Mapping[str, Any]) -> None:
    """Executes the run that the facts name; prints its id and whether it succeeded, as JSON."""
    with revisions_read_once():
        _execute(facts)


def _execute(facts: Mapping[str, Any]) -> None:
    definitions = build_definitions(
        PipelineConfig(**facts["config"]),
        settings=LocationSettings(retry_delay_seconds=0, retries=5),
        translator=ShopKeys(),
    )
    with dg.DagsterInstance.get() as instance:  # the one of DAGSTER_HOME, shared with the others
        done = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(facts["asset"])],
            partition_key=facts["partition"],
            raise_on_error=False,
        )
    sys.stdout.write(json.dumps({"run_id": done.run_id, "success": done.success}) + "\n")


def loaded_modules(names: Sequence[str]) -> None:
    """Prints which of these modules a process has that builds definitions and runs pipelines, as JSON."""
    sys.stdout.write(json.dumps([name for name in names if name in sys.modules]) + "\n")


def killed_after(facts: Mapping[str, Any]) -> None:
    """A run over all of these partitions of the orders, in which the process is killed after so many commits."""
    partitions, left = facts["partitions"], [facts["commits"]]

    def begin(unit: str) -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    world = FakeWorld({"sales.Orders": FakeTable(dict.fromkeys(partitions, 1))}, on_unit=begin)
    definitions = build_definitions(shop_config(), settings=LocationSettings(), open_pipeline=world.open)
    with dg.DagsterInstance.get() as instance:
        definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[ORDERS],
            tags=dict(zip(RANGE, (partitions[0], partitions[-1]), strict=True)),
        )
