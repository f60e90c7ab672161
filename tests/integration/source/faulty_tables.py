"""A table on a server that misbehaves when a test tells it to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sqlserver_sandbox.faults.plan import Where
from tests.integration.source.source_tables import SourceTables
from tests.support.fault_control import FaultControl
from tests.support.server_shop import Server

ROWS = 400


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


AT_ROWS = Where(pattern="SELECT \\[id\\]")
"""A statement for the rows of the table."""
