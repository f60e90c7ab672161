from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox_server import SandboxServer
from tests.support.sqlserver_warehouse import SandboxWarehouse, sandbox_warehouse


@pytest.fixture
def house(sandbox: SandboxServer, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    with sandbox_warehouse(sandbox, tmp_path) as made:
        yield made
