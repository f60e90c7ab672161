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
        house.warehouse.load(house.request(TARGET, orders(two(kill["note"])), how=how, marker=marker(**kill["marker"])))


def two(note: str) -> dict[int, str | None]:
    return {1: note, 2: note}


UNDONE = (checkpoints.WAREHOUSE_STATEMENT, checkpoints.WAREHOUSE_WRITTEN)
"""Moments before the commit."""


def cases() -> Iterator[ParameterSet]:
    """Every kind of warehouse and way to load. What a kind does for one way it does for all, and what one does for keys the
    others do: the rest are slow tests."""
    for kind, (number, how) in product(KINDS, enumerate(DISPOSITIONS)):
        often = kind != "standard_sql" and (
            isinstance(how, ReplaceScope) or (kind == "duckdb" and isinstance(how, MergeKeys))
        )
        name = f"{kind}-{type(how).__name__}"
        yield pytest.param(kind, number, id=name, marks=[] if often else pytest.mark.slow)


@pytest.mark.parametrize(("anywhere", "number"), list(cases()), indirect=["anywhere"])
def test_a_load_killed_before_or_after_its_commit_is_right_when_repeated(
    anywhere: AnyWarehouse, forks: Forks, number: int
) -> None:
    """The rows and the marker are those before the load or those after it, never one without the other. A load that was killed
    is repeated by the next one, which is killed later, and at last by one that is not."""
    how = DISPOSITIONS[number]

    def load(rows: dict[int, str | None], fence: int, load_id: str) -> None:
        mark = marker(fence=fence, load_id=load_id)
        anywhere.warehouse.load(anywhere.request(TARGET, orders(rows), how=how, marker=mark))

    def kill(moment: str, note: str, fence: int) -> None:
        mark = {"fence": fence, "load_id": moment}
        given = {"where": asdict(anywhere.where), "disposition": number, "moment": moment, "note": note, "marker": mark}
        ended = forks.run(f"{__name__}:load_and_die", given)
        assert ended.status == -signal.SIGKILL, ended.stderr

    def found() -> tuple[dict[int, str | None], str]:
        return dict(anywhere.rows(TARGET)), anywhere.warehouse.markers(TARGET, "p")["all"].load_id

    def repeat(note: str, fence: int) -> None:
        load(two(note), fence, "again")
        assert found() == (two(note), "again")
        anywhere.warehouse.cleanup()
        # In standard SQL no lock tells a landing schema of a killed load from one in use.
        if anywhere.where.kind != "standard_sql":
            assert anywhere.leftovers() == []

    load({1: "a"}, 7, "before")
    for fence, moment in enumerate(UNDONE, start=8):
        kill(moment, "b", fence)
        assert found() == ({1: "a"}, "before"), moment
    repeat("b", 10)
    kill(checkpoints.WAREHOUSE_COMMITTED, "c", 11)
    assert found() == (two("c"), checkpoints.WAREHOUSE_COMMITTED)
    repeat("c", 12)
