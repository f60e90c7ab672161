"""Every named moment of every kind of load into every warehouse: the process is killed there, and the next run converges.

`kill -9` leaves nobody to tidy up: what is on the disk, at the server and in the warehouse is what the next run finds.
"""

from __future__ import annotations

import ast
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import dltsync_core
from dltsync_core import checkpoints
from tests.integration.crash.attempts import Stop
from tests.integration.crash.rehearsal import REHEARSED, rehearsed, rehearsed_in, steps_of_kind
from tests.integration.crash.stage import Stage
from tests.integration.crash.table_kinds import CASES, KINDS, Case
from tests.integration.crash.verdicts import half_visible, not_converged
from tests.integration.crash.warehouses import WAREHOUSES, WarehouseUnderTest
from tests.support.crash_summary import CELLS

StageOf = Callable[[Case, WarehouseUnderTest], Stage]
Record = Callable[[str, object], None]

pytestmark = pytest.mark.timeout(1800)
"""A case is some dozens of processes. On a machine that is busy with other things each takes seconds."""

every_case = pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in CASES])
every_warehouse = pytest.mark.parametrize("warehouse", [pytest.param(w, id=w.name, marks=w.marks) for w in WAREHOUSES])


def stopped_and_run_again(stage: Stage, *stops: Stop) -> list[str]:
    """The problems of one cell: each stop ends a process of its own, on what the one before left behind."""
    with stage.cell() as place:
        problems: list[str] = []
        for number, stop in enumerate(stops):
            ended = stage.run(place, stop=stop)
            if ended.status != -signal.SIGKILL and number == 0:
                return [f"the process was not killed, it ended with {ended.status}: {ended.report}"]
            problems += half_visible(stage, place)
        return problems + not_converged(stage, place, stage.run(place, times=2))


def verdict(stage: Stage, cells: Sequence[tuple[Stop, ...]], record: Record) -> str:
    """All cells of a stage; the problems as text, and the size for the summary."""
    whole = len(stage.stops(every_occurrence=True)) + len(killed_twice(stage))
    steps = sorted({stop.step for stops in cells for stop in stops})
    record(CELLS, (stage.case.name, stage.warehouse.name, len(cells), whole, steps))
    return "\n".join(
        f"killed at {' and '.join(map(str, stops))}: {problem}"
        for stops in cells
        for problem in stopped_and_run_again(stage, *stops)
    )


def killed_twice(stage: Stage) -> list[tuple[Stop, Stop]]:
    """The run that mends is killed, too: at the same step, and at another one."""
    stops = stage.stops()
    return list(dict.fromkeys([*((stop, stop) for stop in stops), *zip(stops, reversed(stops), strict=True)]))


@pytest.mark.survives(
    "crash",
    "kill -9 during recovery: a lost warehouse filled from the lake, a lost ledger rebuilt from lake "
    "and warehouse, an orphan file moved to quarantine",
    "the next run continues the recovery; no rows of the source are read",
    "source, lake and warehouse equal, row by row",
)
@pytest.mark.parametrize(
    ("case", "warehouse"),
    [
        pytest.param(c, w, id=f"{c.name}-{w.name}", marks=w.marks)
        for w in WAREHOUSES
        for c in REHEARSED
        if rehearsed_in(w.name, c)
    ],
)
def test_the_run_after_a_kill_converges(
    stage_of: StageOf, case: Case, warehouse: WarehouseUnderTest, record_property: Record
) -> None:
    stage = stage_of(case, warehouse)
    steps = rehearsed_in(warehouse.name, case)
    assert set(steps) <= set(stage.trace), "a step that this load is to be stopped at is not passed"
    problems = verdict(stage, [(stop,) for stop in stage.stops() if stop.step in steps], record_property)
    assert not problems, problems


@pytest.mark.exhaustive
@pytest.mark.survives(
    "crash",
    "kill -9 at every checkpoint (planning, reading, publishing, retiring, loading, committing, "
    "copying the ledger) of every way to load every kind of table: first loads, changes, splits, "
    "merges, increments, resyncs",
    "the next run finishes the rest, and reports as read exactly the rows that came over the wire",
    "source, lake and warehouse equal, row by row; no reader saw half a unit in between; no file is left over",
)
@every_case
@every_warehouse
def test_the_run_after_a_kill_at_every_single_time_converges(
    stage_of: StageOf, case: Case, warehouse: WarehouseUnderTest, record_property: Record
) -> None:
    stage = stage_of(case, warehouse)
    problems = verdict(stage, [(stop,) for stop in stage.stops(every_occurrence=True)], record_property)
    assert not problems, problems


@pytest.mark.exhaustive
@pytest.mark.survives(
    "crash",
    "the run after a kill is killed as well, at the same checkpoint and at another one",
    "the run after that finishes",
    "source, lake and warehouse equal, row by row",
)
@every_case
@every_warehouse
def test_the_run_after_two_kills_converges(
    stage_of: StageOf, case: Case, warehouse: WarehouseUnderTest, record_property: Record
) -> None:
    stage = stage_of(case, warehouse)
    problems = verdict(stage, killed_twice(stage), record_property)
    assert not problems, problems


def test_every_step_is_stopped_at_every_day() -> None:
    """That each is passed by the load that is to be stopped there, the tests above assert. Those of a retention have a test
    beside the SQL Server warehouse."""
    stopped = {step for case in CASES for step in rehearsed(case)}
    assert stopped == set(checkpoints.ALL) - set(checkpoints.OF_RETENTION)
    for kind in KINDS:
        stopped_at = [step for case in CASES if case.kind == kind and not case.lost for step in rehearsed(case)]
        assert sorted(stopped_at) == sorted(steps_of_kind(kind))


def test_every_checkpoint_in_the_code_is_on_the_list() -> None:
    """And what is on the list is in the code, so that ALL is the whole truth."""
    package = Path(dltsync_core.__file__).parent
    used = {
        ast.unparse(node.args[0]).rpartition(".")[2]
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"checkpoints.reached", "reached"}
    }
    names = {name for name, value in vars(checkpoints).items() if name.isupper() and isinstance(value, str)}
    assert used == names
    assert {getattr(checkpoints, name) for name in names} == set(checkpoints.ALL)
    assert len(set(checkpoints.ALL)) == len(checkpoints.ALL)
