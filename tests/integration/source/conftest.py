"""A schema of its own for each test of the source half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.integration.source.faulty_tables import ROWS
from tests.integration.source.source_tables import SourceTables
from tests.support.fault_control import FaultControl
from tests.support.server_shop import Server


@pytest.fixture
def tables(server: Server) -> Iterator[SourceTables]:
    """Somewhere to make tables."""
    made = SourceTables(server)
    yield made
    made.drop()


@pytest.fixture
def faulty_tables(faults: FaultControl, server: Server) -> Iterator[SourceTables]:
    """Four hundred rows on a server that misbehaves when it is told to."""
    place = faults.server
    faults.clear()
    tables = SourceTables(
        replace(
            server,
            host=place.host,
            port=place.port,
            database=place.database,
            username=place.user,
            password=place.password,
        )
    )
    tables.table("t", "id int NOT NULL PRIMARY KEY, name nvarchar(100) NOT NULL")
    tables.run("INSERT INTO {s}.t VALUES " + ", ".join(f"({n}, N'{'x' * 90}')" for n in range(ROWS)))
    yield tables
    faults.clear()
    tables.drop()
