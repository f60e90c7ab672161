"""What stands in for the warehouse keeps the contract of the warehouses themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.any_warehouse import AnyWarehouse, Where
from tests.support.contracts.warehouse import *  # noqa: F403


@pytest.fixture
def anywhere(tmp_path: Path) -> AnyWarehouse:
    return AnyWarehouse(Where("stand-in", str(tmp_path)))
