from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.local_warehouse import LocalWarehouse


@pytest.fixture
def house(tmp_path: Path) -> LocalWarehouse:
    return LocalWarehouse(tmp_path)
