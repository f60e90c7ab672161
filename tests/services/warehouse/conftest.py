from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.any_warehouse import KINDS, AnyWarehouse, OnSqlServer, Where
from tests.support.delta_tables import deltalake
from tests.support.local_warehouse import LocalWarehouse
from tests.support.sqlserver_warehouse import sandbox_warehouse
from tests.support.variants import variants


@pytest.fixture
def house(tmp_path: Path) -> LocalWarehouse:
    return LocalWarehouse(tmp_path)


@pytest.fixture(params=variants(KINDS, often=set(KINDS) - {"standard_sql"}))
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyWarehouse]:
    """One of each kind of warehouse, empty. SQL Server takes part where a test names it."""
    kind, _, bulk_load = request.param.partition(":")
    if kind == "sqlserver":
        server = request.getfixturevalue("home_server")
        with sandbox_warehouse(server, tmp_path, bulk_load=bulk_load or "bulkcopy") as house:
            yield OnSqlServer(house)
            assert house.staging() == []
    else:
        yield AnyWarehouse(_where(request, kind, tmp_path))


@pytest.fixture
def postgres_house(request: pytest.FixtureRequest, tmp_path: Path) -> AnyWarehouse:
    return AnyWarehouse(_where(request, "postgres", tmp_path))


def _where(request: pytest.FixtureRequest, kind: str, root: Path) -> Where:
    url = ""
    if kind == "delta":
        deltalake()
    if kind == "postgres":
        url = request.getfixturevalue("postgres_url").replace("+psycopg", "").replace("ledger@", "ledger:any@")
    return Where(kind, str(root), url)
