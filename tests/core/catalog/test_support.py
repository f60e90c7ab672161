"""Which server it is that lacks something, and what to do, by what it says of itself."""

from __future__ import annotations

import pytest

from dltsync_core.catalog.support import Server, explained
from dltsync_core.errors import QueryError, ServerUnreachable, SyncError, TableNotFound, UnsupportedServer

GONE = TableNotFound(
    "reading the catalogue: Invalid object name 'sys.security_predicates'. (error 208)", number=208, server="db"
)


@pytest.mark.parametrize(
    ("server", "named", "remedy"),
    [
        (
            Server("12.0.6024.0", 2),
            "SQL Server 2014 (version 12.0.6024.0, Standard edition) has no",
            "upgrade the server",
        ),
        (Server("9.0.1", 3), "SQL Server 2005", "upgrade the server"),
        (Server("12.0.2000.8", 6), "Azure Synapse Analytics (dedicated pool) has no", "filled from"),
        (Server("12.0.2000.8", 11), "Fabric endpoint has no", "filled from"),
        (Server("12.0.2000.8", 5), "Azure SQL Database has no", "a compatible engine may answer"),
        (Server("16.0.1000.6", 3), "SQL Server 2022 (version 16.0.1000.6, Enterprise edition)", "SELECT @@VERSION"),
        (Server("99.1", 77), "SQL Server (version 99.1) has no", "SELECT @@VERSION"),
    ],
)
def test_a_server_is_named_with_what_it_lacks(server: Server, named: str, remedy: str) -> None:
    told = explained(GONE, lambda: server, "row-level security")
    assert isinstance(told, UnsupportedServer)
    assert named in told.problem
    assert "sys.security_predicates, which dltsync needs for row-level security (error 208)" in told.problem
    assert "SQL Server 2016 (13.0) or newer" in told.remedy
    assert remedy in told.remedy
    assert told.exit_code == 5


def test_a_server_that_cannot_even_say_what_it_is() -> None:
    def ask() -> Server:
        raise QueryError("refused")

    told = explained(QueryError("x: no name in here", number=4121), ask, "the list of tables")
    assert told.problem == "the server lacks something that dltsync reads (x: no name in here) for the list of tables"


@pytest.mark.parametrize("error", [QueryError("x", number=229), ServerUnreachable("x"), QueryError("x", number=None)])
def test_other_errors_stay_what_they_are(error: SyncError) -> None:
    def ask() -> Server:
        raise AssertionError("nothing is asked")

    assert explained(error, ask, "x") is error
