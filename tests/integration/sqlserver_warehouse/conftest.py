"""Source and warehouse on one server, each in a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import Server
from tests.support.sqlserver_shop import SqlServerShop, dropped, made_database, made_sqlserver_shop


@pytest.fixture
def other_server(own_sandbox: SandboxServer) -> Server:
    """A database on a server of its own, which knows nothing of the source."""
    server = Server.of(own_sandbox, "another sandbox")
    return made_database(server)


@pytest.fixture
def target(server: Server) -> Iterator[Server]:
    """An empty database for a warehouse."""
    made = made_database(server)
    yield made
    dropped(made)


@pytest.fixture
def house(snapshot_server: Server, target: Server, tmp_path: Path) -> Iterator[SqlServerShop]:
    """A shop with rows in it whose warehouse is a database of the same server, empty so far."""
    with made_sqlserver_shop(snapshot_server, tmp_path, target) as made:
        yield made


@pytest.fixture
def loaded(house: SqlServerShop) -> SqlServerShop:
    """The same after its first run."""
    result = house.run()
    assert result.success, result["errors"]
    return house
