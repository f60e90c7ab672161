"""A shop whose tables nobody has loaded yet, and one in which all are."""

from __future__ import annotations

from pathlib import Path

import pytest

from dltsync_core.run.context import RunContext
from tests.core.run.shop import Shop


@pytest.fixture
def place(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def synced(place: Shop) -> Shop:
    assert place.run().success
    place.source.asked.clear()
    return place


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(RunContext, "sleep", lambda self, seconds: waits.append(seconds))
    return waits
