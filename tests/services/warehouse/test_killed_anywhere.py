"""A load that is killed changes nothing or everything, can be repeated, and leaves nothing lying about, in every kind of
warehouse."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from dltsync_core import checkpoints
from dltsync_core.plan.steps import MergeKeys, ReplaceScope
from tests.support.any_warehouse import KINDS, AnyWarehouse, Where, marker
from tests.support.forks import Forks
from tests.support.killed import die_at
from tests.support.local_warehouse import DISPOSITIONS, TARGET, orders

pytestmark = pytest.mark.xdist_group("forks")


def load_and_die(kill: dict[str, Any]) -> None:
    """The work of a fork."""
    house = AnyWarehouse(Where(**kill["where"]))
    with checkpoints.watched(die_at(kill["moment"])):
        how = DISPOSITIONS[kill["disposition"]]
        house.warehouse.load(
            house.request(TARGET, orders({1: "b", 2: "b"}), how=how, marker=marker(fence=8, load_id="killed"))
        )


MOMENTS = (checkpoints.WAREHOUSE_STATEMENT, checkpoints.WAREHOUSE_WRITTEN, checkpoints.WAREHOUSE_COMMITTED)


def cases() -> Iterator[ParameterSet]:
    """Every kind of warehouse, way to load and moment. What a kind does for one way it does for all, and what one does for
    keys the others do: the rest are slow tests."""
    for kind, (number, how), moment in product(KINDS, enumerate(DISPOSITIONS), MOMENTS):
        often = kind != "standard_sql" and (
            isinstance(how, ReplaceScope) or (kind == "duckdb" and isinstance(how, MergeKeys))
        )
        name = f"{kind}-{type(how).__name__}-{moment}"
        yield pytest.param(kind, number, moment, id=name, marks=[] if often else pytest.mark.slow)


@pytest.mark.parametrize(("anywhere", "number", "moment"), list(cases()), indirect=["anywhere"])
def test_a_load_killed_before_or_after_its_commit_is_right_when_repeated(
    anywhere: AnyWarehouse, forks: Forks, number: int, moment: str
) -> None:
    """The rows and the marker are those before the load or those after it, never one without the other."""
    how = DISPOSITIONS[number]
    anywhere.warehouse.load(anywhere.request(TARGET, orders({1: "a"}), how=how, marker=marker(load_id="before")))
    ended = forks.run(
        f"{__name__}:load_and_die", {"where": asdict(anywhere.where), "disposition": number, "moment": moment}
    )
    assert ended.status == -signal.SIGKILL, ended.stderr
    found = anywhere.rows(TARGET), anywhere.warehouse.markers(TARGET, "p")["all"].load_id
    is_committed = moment == checkpoints.WAREHOUSE_COMMITTED
    assert found == (([(1, "b"), (2, "b")], "killed") if is_committed else ([(1, "a")], "before"))
    again = marker(fence=9, load_id="again")
    anywhere.warehouse.load(anywhere.request(TARGET, orders({1: "b", 2: "b"}), how=how, marker=again))
    assert anywhere.rows(TARGET) == [(1, "b"), (2, "b")]
    assert anywhere.warehouse.markers(TARGET, "p")["all"].load_id == "again"
    anywhere.warehouse.cleanup()
    if anywhere.where.kind != "standard_sql":  # there no lock tells a landing schema of a killed load from one in use
        assert anywhere.leftovers() == []
