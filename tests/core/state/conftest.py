"""A ledger in an SQLite file. The same tests run on a real PostgreSQL in tests/services/state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.state.store import Store


@pytest.fixture
def store_url() -> str | None:
    """`state.state_url`: None is the SQLite file in the state directory, which is `tmp_path`."""
    return None


@pytest.fixture
def store(store_url: str | None, tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path, store_url)
    try:
        yield opened
    finally:
        opened.close()
