"""Shops that were loaded once: each test gets a copy of source, lake, ledger and warehouse, much cheaper than a first run."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pyodbc
import pytest

from tests.support.server_shop import Server, ServerShop
from tests.support.sqlserver_shop import drop_database

MakeShop = Callable[[Server, Path], ServerShop]


class ShopCopies:
    """Copies of one shop after its first run, one at a time.

    A database of the sandbox is copied under the name that it was loaded from, since ledger and lake know it by that name."""

    def __init__(self, control: pyodbc.Connection, home: Server, root: Path, make: MakeShop) -> None:
        self._control = control
        self._home = home
        self._root = root
        self._make = make
        self._name = f"shop_{uuid.uuid4().hex[:8]}"
        self._schema = ""

    @property
    def _loaded(self) -> str:
        return f"{self._name}_loaded"

    def load(self) -> None:
        """Make the one that is copied."""
        self._control.execute(f"CREATE DATABASE {self._name}")
        self._control.execute(f"ALTER DATABASE {self._name} SET ALLOW_SNAPSHOT_ISOLATION ON")
        model = self._in_database(self._root)
        self._schema = model.schema
        with closing(model):
            _load(model)
        self._copy(self._name, self._loaded)
        drop_database(self._control, self._name)

    def drop(self) -> None:
        drop_database(self._control, self._loaded)

    @contextmanager
    def copied(self, root: Path) -> Iterator[ServerShop]:
        """A copy, with its files below `root`, while the block lasts."""
        self._copy(self._loaded, self._name)
        try:
            shutil.copytree(self._root, root, dirs_exist_ok=True)
            shop = self._in_database(root)
            shop.schema = self._schema
            with closing(shop):
                shop.configure()
                yield shop
        finally:
            drop_database(self._control, self._name)

    def _in_database(self, root: Path) -> ServerShop:
        return self._make(replace(self._home, database=self._name), root)

    def _copy(self, source: str, name: str) -> None:
        self._control.execute(f"USE {source}")
        self._control.execute(f"EXEC sandbox_copy N'{name}'")
        self._control.execute(f"USE {self._home.database}")


class ShopsAnew:
    """The same for a genuine server, which copies no databases: each shop is made and loaded for itself."""

    def __init__(self, server: Server, make: MakeShop) -> None:
        self._server = server
        self._make = make

    @contextmanager
    def copied(self, root: Path) -> Iterator[ServerShop]:
        """A loaded shop while the block lasts."""
        shop = self._make(self._server, root)
        try:
            _load(shop)
            yield shop
        finally:
            shop.drop()


def _load(shop: ServerShop) -> None:
    shop.create()
    shop.configure()
    result = shop.run()
    assert result.success, result["errors"]


LoadedShops = ShopCopies | ShopsAnew


@contextmanager
def shops_loaded_once(request: pytest.FixtureRequest, make: MakeShop = ServerShop) -> Iterator[LoadedShops]:
    """For a fixture of a module or session: `copied` of what it gives is a loaded shop for a test."""
    if request.config.getoption("--db-url"):
        yield ShopsAnew(request.getfixturevalue("snapshot_server"), make)
        return
    home: Server = request.getfixturevalue("home_server")
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    with ExitStack() as stack:
        control = stack.enter_context(closing(home.connect()))
        shops = ShopCopies(control, home, factory.mktemp("loaded_shop"), make)
        shops.load()
        stack.callback(shops.drop)
        yield shops
