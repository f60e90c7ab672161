"""The tests of `tests.support.contracts.warehouse`, with the warehouse in a database of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.warehouse.port import Warehouse
from tests.support.contracts.warehouse import *  # noqa: F403
from tests.support.sandbox_server import SandboxServer
from tests.support.sqlserver_warehouse import sandbox_warehouse


@pytest.fixture(params=["bulkcopy", "fast_executemany"])
def warehouse(sandbox: SandboxServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    with sandbox_warehouse(sandbox, tmp_path, bulk_load=request.param) as house:
        yield house.warehouse
        assert house.staging() == []
