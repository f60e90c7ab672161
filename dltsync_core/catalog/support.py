"""Errors for servers that lack something dltsync reads: product, missing object, remedy. Pure.

The catalogue queries and the read view need SQL Server 2016: row-level security
(`sys.security_predicates`), the columns of `sys.columns` for temporal, masked and encrypted data. Version and edition numbers:
SERVERPROPERTY in Microsoft's reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from dltsync_core.errors import SyncError, UnsupportedServer

MINIMUM = "SQL Server 2016 (13.0) or newer, Azure SQL Database, Azure SQL Managed Instance or SQL database in Fabric"

MISSING = frozenset({195, 207, 208, 321, 2812, 4121})
"""No such function (195, 4121), column (207), view (208), hint (321) or procedure (2812)."""

_OLDEST_MAJOR = 13
_YEARS = {
    8: "2000",
    9: "2005",
    10: "2008",
    11: "2012",
    12: "2014",
    13: "2016",
    14: "2017",
    15: "2019",
    16: "2022",
    17: "2025",
}
_BOX = {1: "Personal", 2: "Standard", 3: "Enterprise", 4: "Express"}
_SERVICES = {
    5: "Azure SQL Database",
    6: "Azure Synapse Analytics (dedicated pool)",
    8: "Azure SQL Managed Instance",
    9: "Azure SQL Edge",
    11: "Azure Synapse serverless or a Fabric endpoint",
    12: "SQL database in Fabric",
}
_WAREHOUSES = {6, 11}
"""Services that accept SQL and are another engine."""
_NAME = re.compile(r"'([^']+)'")


@dataclass(frozen=True)
class Server:
    """Version and edition of a server (`queries/server.sql`)."""

    product_version: str
    engine_edition: int

    @property
    def major(self) -> int:
        """0 when the version cannot be read."""
        found = re.match(r"\d+", self.product_version)
        return int(found[0]) if found else 0

    @property
    def is_supported(self) -> bool:
        """Whether the catalogue queries and the read view work there."""
        if self.engine_edition in _SERVICES:
            return self.engine_edition not in _WAREHOUSES
        return self.major >= _OLDEST_MAJOR

    def __str__(self) -> str:
        if self.engine_edition in _SERVICES:  # their version is always 12
            return _SERVICES[self.engine_edition]
        year = f" {_YEARS[self.major]}" if self.major in _YEARS else ""
        edition = f", {_BOX[self.engine_edition]} edition" if self.engine_edition in _BOX else ""
        return f"SQL Server{year} (version {self.product_version}{edition})"


def explained(error: SyncError, ask: Callable[[], Server], doing: str) -> SyncError:
    """The error for a statement on the server's own views: UnsupportedServer when it lacks one, else the error itself."""
    number = error.facts.get("number")
    if number not in MISSING:
        return error
    server: Server | None = None
    with suppress(SyncError, LookupError):
        server = ask()
    found = _NAME.search(error.problem)
    lacking = found[1] if found else f"something that dltsync reads ({error.problem})"
    return UnsupportedServer(
        f"{server or 'the server'} has no {lacking}, which dltsync needs for {doing} (error {number})"
        if found
        else f"{server or 'the server'} lacks {lacking} for {doing}",
        remedy=_remedy(server),
        number=number,
        server=error.facts.get("server"),
        product_version=server.product_version if server else None,
        engine_edition=server.engine_edition if server else None,
    )


def _remedy(server: Server | None) -> str:
    if server is not None and server.engine_edition in _WAREHOUSES:
        return f"dltsync reads {MINIMUM}: name the database that this one is filled from"
    if server is not None and server.engine_edition not in _SERVICES and 0 < server.major < _OLDEST_MAJOR:
        return f"dltsync reads {MINIMUM}: upgrade the server, or restore the database on a newer one and name that"
    return (
        f"dltsync reads {MINIMUM}. If this is one, a proxy or a compatible engine may answer instead: "
        "compare with SELECT @@VERSION, and report it"
    )
