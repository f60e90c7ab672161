"""What stands in for the warehouse keeps the same contract as the warehouse itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from dltsync_core.testing import FakeWarehouse
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse
from dltsync_core.warehouse.port import Warehouse
from tests.support.contracts.warehouse import *  # noqa: F403


@pytest.fixture(params=["stand-in", "duckdb"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    if request.param == "stand-in":
        return FakeWarehouse()
    real: Warehouse = DuckDbWarehouse(tmp_path / "w.duckdb", work_directory=tmp_path / "work")
    return real
