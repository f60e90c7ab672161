from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import SandboxWarehouse, sandbox_warehouse


@pytest.fixture
def house(home_server: Server, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    with sandbox_warehouse(home_server, tmp_path) as made:
        yield made
