from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.validation.loaded import LoadedShop
from tests.support.server_shop import Server, ServerShop
from tests.support.type_tables import TypeTables


@pytest.fixture(scope="module")
def loaded(snapshot_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadedShop]:
    """A shop that was loaded once for all tests of a module."""
    shop = ServerShop(snapshot_server, tmp_path_factory.mktemp("shop"))
    try:
        shop.create()
        assert shop.run().success
        yield LoadedShop(shop)
    finally:
        shop.drop()


@pytest.fixture
def synced(loaded: LoadedShop) -> Iterator[LoadedShop]:
    """It, and afterwards as whole as it was."""
    with loaded.kept():
        yield loaded


@pytest.fixture
def types(server: Server, tmp_path: Path) -> Iterator[TypeTables]:
    """Tables of any columns, and a pipeline over them."""
    house = TypeTables(server, tmp_path)
    yield house
    house.drop()
