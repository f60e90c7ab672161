"""The processes of the steps, with the executor of the shipped location: forks of one process that has imported everything."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository

from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster import LocationSettings, build_definitions, step_executor
from tests.dagster.conftest import COUNTRIES, CURRENCIES, shop_config
from tests.dagster.fakes import FakeTable, FakeWorld

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "forkserver" not in multiprocessing.get_all_start_methods(), reason="this system has no fork servers"
    ),
]

SEEN = "TEST_STEP_PROCESSES"
"""The directory where each step leaves its process and the parent of it."""


def location() -> dg.Definitions:
    """What each process of the run loads."""
    unchanged = FakeTable({WHOLE_TABLE: 1})
    world = FakeWorld({"dbo.Countries": unchanged, "dbo.Currencies": unchanged}, on_unit=_leave_word)
    settings = LocationSettings()
    return build_definitions(
        shop_config(), settings=settings, open_pipeline=world.open, executor=step_executor(settings)
    )


def _leave_word(unit: str) -> None:
    (Path(os.environ[SEEN]) / str(os.getpid())).write_text(str(os.getppid()))


def run_both() -> None:
    """A run of two assets, in the process of its own that Dagster gives each run."""
    root = Path(__file__).resolve().parents[2]
    job = ReconstructableRepository.for_module(__name__, "location", str(root)).get_reconstructable_job("__ASSET_JOB")
    with (
        dg.instance_for_test() as instance,
        dg.execute_job(job, instance, asset_selection=[COUNTRIES, CURRENCIES]) as done,
    ):
        assert done.success


def test_the_steps_of_a_run_are_processes_of_their_own_forked_from_one_that_has_imported_everything(
    tmp_path: Path,
) -> None:
    # A process has one fork server, with the environment of the moment when it was started: perhaps by an earlier test.
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import os; from {__name__} import run_both; print(os.getpid(), flush=True); run_both()",
        ],
        env={**os.environ, SEEN: str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    parents = {int(file.name): int(file.read_text()) for file in tmp_path.iterdir()}
    assert len(parents) == 2, "a process for each of the tables"
    (server,) = set(parents.values())
    of_run = int(run.stdout.split()[0])
    assert server not in {of_run, *parents}, "one that imports for both: neither the run's process nor a step's"
