"""A shop that was loaded twice, once for the whole module: tests spoil copies of its three places, and leave the source alone."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.server_shop import Server, ServerShop


@dataclass(frozen=True)
class History:
    """`shop` as it is now, and the directory with the three places as they were one load before."""

    shop: ServerShop
    before: Path


def change(shop: ServerShop) -> None:
    """As many orders and countries as before (no count tells the difference), and one version more."""
    shop.execute("UPDATE {s}.Orders SET Note = N'geändert' WHERE OrderNo = 103")
    shop.add_version(3, "2026-01-07", "Çem", "2026-01-07T08:00:00")
    shop.execute("UPDATE {s}.Countries SET Name = N'Suisse' WHERE Code = 'CH'")


@pytest.fixture(scope="module")
def history(snapshot_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    directory = tmp_path_factory.mktemp("recovery")
    shop = ServerShop(snapshot_server, directory / "now")
    try:
        shop.create()
        assert shop.run().success
        shutil.copytree(shop.root, directory / "before")
        change(shop)
        assert shop.run().success
        yield History(shop, directory / "before")
    finally:
        shop.drop()


@pytest.fixture
def synced(history: History, tmp_path: Path) -> ServerShop:
    """A copy of the places, over the same source: all three agree with it."""
    shop = copy.copy(history.shop)
    shop.root = tmp_path / "places"
    shutil.copytree(history.shop.root, shop.root)
    return shop
