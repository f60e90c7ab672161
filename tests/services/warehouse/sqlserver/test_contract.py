"""The tests of `tests.support.contracts.warehouse`, with the warehouse in a database of its own on SQL Server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.warehouse.port import Warehouse
from tests.support.contracts.warehouse import *  # noqa: F403
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import sandbox_warehouse


@pytest.fixture
def warehouse(home_server: Server, tmp_path: Path) -> Iterator[Warehouse]:
    with sandbox_warehouse(home_server, tmp_path) as house:
        yield house.warehouse
        assert house.staging() == []
