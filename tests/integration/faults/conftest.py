"""One world per test process, and the count of what it went through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from dltsync_core.connect import circuit
from dltsync_core.connect import retry as retrying
from dltsync_core.state import sqlite_store as sqlite
from tests.integration.faults.sqlserver_world import SqlServerWorld
from tests.integration.faults.troubles import Stranger
from tests.integration.faults.world import World
from tests.support.fault_control import FaultControl
from tests.support.server_shop import Server


@pytest.fixture(scope="session")
def faulty_server(fault_control: FaultControl) -> Server:
    """The server that misbehaves, in a database that allows SNAPSHOT isolation."""
    sandbox = fault_control.server
    server = Server.of(sandbox, "a sandbox that misbehaves")
    fault_control.clear()
    return with_snapshots(server, "faulty")


def with_snapshots(server: Server, name: str) -> Server:
    """A new database of that name which allows SNAPSHOT isolation."""
    with closing(server.connect()) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute(f"ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON")
    return replace(server, database=name)


@pytest.fixture(scope="session")
def prepared_world(faulty_server: Server, tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(faulty_server, tmp_path_factory.mktemp("world"))
    world.prepare()
    return world


@pytest.fixture(scope="session")
def prepared_sqlserver_world(faulty_server: Server, tmp_path_factory: pytest.TempPathFactory) -> SqlServerWorld:
    source = with_snapshots(faulty_server, "faulty_source")
    world = SqlServerWorld(source, tmp_path_factory.mktemp("sqlserver_world"))
    world.prepare()
    return world


@pytest.fixture(scope="session")
def stranger() -> Iterator[Stranger]:
    process = Stranger()
    yield process
    process.close()


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between attempts and for locks made short: what is tried is the same."""
    short = {kind: replace(r, floor=0.0, first=0.0, longest=0.0) for kind, r in retrying.BACKOFFS.items()}
    monkeypatch.setattr(retrying, "BACKOFFS", short)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.6)
    monkeypatch.setattr(circuit, "_breakers", {})


@pytest.fixture
def world(prepared_world: World, faults: FaultControl, short_waits: None) -> World:
    """The shop with a DuckDB warehouse."""
    prepared_world.spare()
    return prepared_world


@pytest.fixture
def sqlserver_world(
    prepared_sqlserver_world: SqlServerWorld, faults: FaultControl, short_waits: None
) -> SqlServerWorld:
    """The shop with a warehouse in SQL Server."""
    prepared_sqlserver_world.spare()
    return prepared_sqlserver_world
