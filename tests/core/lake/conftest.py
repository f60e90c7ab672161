from __future__ import annotations

from pathlib import Path

import pytest

from dltsync_core.lake.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", "shop", keep_generations=1)
