"""A load whose process is killed changes nothing or everything, can be repeated, and leaves nothing behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

import pytest

from dltsync_core import checkpoints
from dltsync_core.plan.steps import ReplaceScope
from tests.services.warehouse.sqlserver.loads import DISPOSITIONS, PARTED, orders, part, request, rows
from tests.support.forks import Forks
from tests.support.killed import die_at
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import Prepared, SandboxWarehouse, prepared_warehouse

pytestmark = pytest.mark.xdist_group("forks")
"""With the other tests that fork: one process to fork from is enough."""

MOMENTS = (
    checkpoints.WAREHOUSE_EVOLVED,
    checkpoints.WAREHOUSE_STATEMENT,
    checkpoints.WAREHOUSE_WRITTEN,
    checkpoints.WAREHOUSE_COMMITTED,
)


class Kill(TypedDict):
    """What a process is to load where, and at which moment it is killed."""

    root: str
    server: dict[str, Any]
    database: str
    disposition: int
    moment: str


def load_and_die(kill: Kill) -> None:
    """The work of a fork."""
    house = SandboxWarehouse(Server(**kill["server"]), Path(kill["root"]), kill["database"])
    with checkpoints.watched(die_at(kill["moment"])):
        house.warehouse.load(
            request(house, orders({1: "b", 2: "b"}), DISPOSITIONS[kill["disposition"]], layout=PARTED, fence=2)
        )


def fill(house: SandboxWarehouse) -> None:
    house.warehouse.load(request(house, orders({1: "a", 11: "stays"}), layout=PARTED))


@pytest.fixture(scope="module")
def once_filled(home_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(home_server, tmp_path_factory.mktemp("filled"), fill) as made:
        yield made


@pytest.mark.survives(
    "crash",
    "kill -9 of a load into a SQL Server warehouse at every checkpoint",
    "the next load drops the staging tables and finishes",
    "old rows or new ones; nothing is left in staging",
)
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(
            number,
            id=type(how).__name__,
            marks=[] if isinstance(how, ReplaceScope) else pytest.mark.slow,
        )
        for number, how in enumerate(DISPOSITIONS)
    ],
)
def test_a_load_killed_at_any_moment_is_right_when_repeated(
    once_filled: Prepared, tmp_path: Path, home_server: Server, forks: Forks, number: int
) -> None:
    how = DISPOSITIONS[number]
    stays = [] if how == DISPOSITIONS[0] else [(11, "stays")]
    new = [(1, "b"), (2, "b"), *stays]
    for moment in MOMENTS:
        with once_filled.copy(tmp_path) as house:
            ended = forks.run(
                f"{__name__}:load_and_die",
                Kill(
                    root=str(house.root),
                    server=asdict(home_server),
                    database=house.database,
                    disposition=number,
                    moment=moment,
                ),
            )
            assert ended.status == -signal.SIGKILL, ended.stderr
            expected = new if moment == checkpoints.WAREHOUSE_COMMITTED else [(1, "a"), (11, "stays")]
            assert rows(house) == expected, moment
            assert bool(house.staging()) == (moment != checkpoints.WAREHOUSE_EVOLVED), "a killed load cannot clean up"
            house.warehouse.load(request(house, orders({1: "b", 2: "b"}), how, layout=PARTED, fence=3))
            assert rows(house) == new, moment
            assert house.staging() == []
            house.warehouse.cleanup()
            assert not list((house.root / "work").glob("*"))


def test_what_a_killed_load_left_goes_without_another_load(
    house: SandboxWarehouse, home_server: Server, forks: Forks
) -> None:
    house.warehouse.load(request(house, orders({1: "a"})))
    given = Kill(
        root=str(house.root),
        server=asdict(home_server),
        database=house.database,
        disposition=1,
        moment=checkpoints.WAREHOUSE_STATEMENT,
    )
    assert forks.run(f"{__name__}:load_and_die", given).status == -signal.SIGKILL
    assert house.staging()
    house.warehouse.cleanup()
    assert house.staging() == []
    assert rows(house) == [(1, "a")]


def test_cleanup_leaves_a_load_at_work_alone(house: SandboxWarehouse) -> None:
    seen: list[list[str]] = []

    def meanwhile(moment: str) -> None:
        if moment == checkpoints.WAREHOUSE_WRITTEN:
            house.another().warehouse.cleanup()
            seen.append(house.staging())

    with checkpoints.watched(meanwhile):
        house.warehouse.load(request(house, orders({1: "a"}), part("(-inf,10)"), layout=PARTED))
    assert [len(names) for names in seen] == [2]
    assert rows(house) == [(1, "a")]
