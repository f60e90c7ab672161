from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.any_warehouse import KINDS, AnyWarehouse, Where
from tests.support.delta_tables import deltalake
from tests.support.local_warehouse import LocalWarehouse


@pytest.fixture
def house(tmp_path: Path) -> LocalWarehouse:
    return LocalWarehouse(tmp_path)


@pytest.fixture(params=KINDS)
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AnyWarehouse:
    """One of each kind of warehouse, empty."""
    return AnyWarehouse(_where(request, request.param, tmp_path))


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
