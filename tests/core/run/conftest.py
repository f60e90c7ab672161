"""A shop whose tables nobody has loaded yet, and one in which all are."""

from __future__ import annotations

from pathlib import Path

import pytest

from dltsync_core.run.context import RunContext
from tests.support.memory_shop import MemoryShop, loaded_shop


@pytest.fixture
def place(tmp_path: Path) -> MemoryShop:
    return MemoryShop(tmp_path)


@pytest.fixture
def synced(tmp_path: Path) -> MemoryShop:
    shop = loaded_shop(tmp_path)
    shop.source.asked.clear()
    return shop


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(RunContext, "sleep", lambda self, seconds: waits.append(seconds))
    return waits
