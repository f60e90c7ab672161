"""Stops that may be tidied up after (Ctrl-C), and a kill that hits two workers at once."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from dltsync_core import checkpoints
from tests.integration.crash.attempts import Stop
from tests.integration.crash.lake_reader import clutter
from tests.integration.crash.rehearsal import HALF_DONE
from tests.integration.crash.stage import Stage
from tests.integration.crash.table_kinds import CASES, Case
from tests.integration.crash.verdicts import half_visible, not_converged
from tests.integration.crash.warehouses import WAREHOUSES, WarehouseUnderTest

StageOf = Callable[[Case, WarehouseUnderTest], Stage]

pytestmark = pytest.mark.timeout(900)

every_moment = pytest.mark.parametrize(
    "moments",
    [
        pytest.param((checkpoints.MANIFEST_WRITTEN, checkpoints.WAREHOUSE_STATEMENT), id="some moments"),
        pytest.param(
            (checkpoints.FIRST_BATCH, *HALF_DONE, checkpoints.LOADED), id="every moment", marks=pytest.mark.exhaustive
        ),
    ],
)
every_warehouse = pytest.mark.parametrize("warehouse", [pytest.param(w, id=w.name, marks=w.marks) for w in WAREHOUSES])
TWO_SLOTS = next(case for case in CASES if case.name == "partition LEFT, both slots changed")
WHOLE = next(case for case in CASES if case.name == "static replace, changed with a new column")


@pytest.mark.survives(
    "crash",
    "Ctrl-C while rows are read, published, retired, loaded or committed",
    "KeyboardInterrupt once running units have cleaned up",
    "no half load is visible, no file is left over; the next run finishes",
)
@every_moment
@every_warehouse
def test_an_interrupted_run_leaves_nothing_half_done_nor_lying_about(
    stage_of: StageOf, warehouse: WarehouseUnderTest, moments: tuple[str, ...]
) -> None:
    stage = stage_of(WHOLE, warehouse)
    problems = []
    for step in moments:
        assert step in stage.trace
        with stage.cell() as place:
            ended = stage.run(place, stop=Stop(step, how="interrupt"))
            assert ended.status == 0
            assert ended.report is not None
            found = [] if str(ended.report["error"]).startswith("KeyboardInterrupt") else [f"ended with {ended.report}"]
            found += half_visible(stage, place)
            found += [f"left behind: {what}" for what in clutter(place / "lake")]
            found += not_converged(stage, place, stage.run(place, times=2))
            problems += [f"interrupted at {step}: {problem}" for problem in found]
    assert not problems, "\n".join(problems)


@pytest.mark.survives(
    "crash",
    "kill -9 while two workers have a partition of the same table in flight",
    "the next run finishes both",
    "source, lake and warehouse equal, row by row",
)
@every_moment
@every_warehouse
def test_a_kill_that_hits_two_workers_costs_neither_a_row(
    stage_of: StageOf, warehouse: WarehouseUnderTest, moments: tuple[str, ...]
) -> None:
    stage = stage_of(TWO_SLOTS, warehouse)
    problems = []
    for step in moments:
        assert step in stage.trace
        with stage.cell() as place:
            ended = stage.run(place, stop=Stop(step, how="kill while another works"), parallel=True)
            found = [] if ended.status == -signal.SIGKILL else [f"the process ended with {ended.status}"]
            found += half_visible(stage, place) + not_converged(stage, place, stage.run(place, times=2, parallel=True))
            problems += [f"killed at {step}: {problem}" for problem in found]
    assert not problems, "\n".join(problems)
