"""The tests of `tests.support.contracts.warehouse`, with the warehouse in a database of its own on SQL Server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.warehouse.port import Warehouse
from tests.support.contracts.warehouse import *  # noqa: F403
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import sandbox_warehouse


@pytest.fixture(params=["bulkcopy", "fast_executemany"])
def warehouse(home_server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    with sandbox_warehouse(home_server, tmp_path, bulk_load=request.param) as house:
        yield house.warehouse
        assert house.staging() == []
