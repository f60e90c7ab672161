"""Every store that can hold a ledger: an SQLite file, and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.state.store import Store


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def store_url(request: pytest.FixtureRequest) -> str | None:
    """`state.state_url`: None is the SQLite file in the state directory, which is `tmp_path`."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else None


@pytest.fixture
def store(store_url: str | None, tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path, store_url)
    try:
        yield opened
    finally:
        opened.close()
