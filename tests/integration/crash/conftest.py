"""The stages of the matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.crash.processes import Processes
from tests.integration.crash.stage import Stage
from tests.integration.crash.table_kinds import Case
from tests.integration.crash.warehouses import WarehouseUnderTest
from tests.support.forks import Forks
from tests.support.server_shop import Server


@pytest.fixture
def stage_of(
    snapshot_server: Server, forks: Forks, tmp_path: Path
) -> Iterator[Callable[[Case, WarehouseUnderTest], Stage]]:
    """Makes stages, which go away with the test."""
    made: list[Stage] = []
    with ExitStack() as stack:

        def make(case: Case, warehouse: WarehouseUnderTest) -> Stage:
            beside = warehouse.beside(snapshot_server)
            stage = Stage(case, beside, snapshot_server, Processes(forks, tmp_path), tmp_path / f"{len(made)}")
            made.append(stage)
            stage.set_up()
            stack.callback(stage.tear_down)
            return stage

        yield make
