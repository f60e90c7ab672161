"""Shops on the server of `tests.support.db_url`: the sandbox, or with `--db-url` a genuine one.

Every test keeps to a schema of its own and drops it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.connect.data import DataSession, Rows
from tests.support.server_shop import Server, ServerShop, Statements, made_shop
from tests.support.shop_copies import LoadedShops, shops_loaded_once

COSTLY = ("cli", "crash", "faults", "lake", "recovery", "security", "sqlserver_warehouse", "validation")
"""Folders whose tests start many processes or many loads: `make test-slow` runs them, `make test` would take far too long."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.path.relative_to(here).parts[0] in COSTLY:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Listens at the only door that statements for rows go through."""
    sent = Statements()
    rows, fetch, fetch_each = DataSession.rows, DataSession.fetch, DataSession.fetch_each

    def listen_rows(self: DataSession, statement: str, parameters: Sequence[str], doing: str) -> Rows:
        sent.rows.append(statement)
        return rows(self, statement, parameters, doing)

    def listen_fetch(self: DataSession, statement: str, parameters: Sequence[str], doing: str) -> list[tuple[Any, ...]]:
        sent.looks.append(statement)
        return fetch(self, statement, parameters, doing)

    def listen_fetch_each(
        self: DataSession, statement: str, parameters: Sequence[str], doing: str
    ) -> list[list[tuple[Any, ...]]]:
        sent.looks.append(statement)
        return fetch_each(self, statement, parameters, doing)

    monkeypatch.setattr(DataSession, "rows", listen_rows)
    monkeypatch.setattr(DataSession, "fetch_each", listen_fetch_each)
    monkeypatch.setattr(DataSession, "fetch", listen_fetch)
    return sent


@pytest.fixture
def shop(snapshot_server: Server, tmp_path: Path) -> Iterator[ServerShop]:
    """A shop with rows in it, gone afterwards."""
    with made_shop(snapshot_server, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def loaded_shops(request: pytest.FixtureRequest) -> Iterator[LoadedShops]:
    with shops_loaded_once(request) as shops:
        yield shops


@pytest.fixture
def synced(loaded_shops: LoadedShops, tmp_path: Path) -> Iterator[ServerShop]:
    """A shop after its first run."""
    with loaded_shops.copied(tmp_path) as shop:
        yield shop


@pytest.fixture
def shop_without_snapshot(server: Server, tmp_path: Path) -> Iterator[ServerShop]:
    """The same in a database that may not allow SNAPSHOT isolation (the sandbox's master does not)."""
    with made_shop(server, tmp_path) as made:
        yield made
