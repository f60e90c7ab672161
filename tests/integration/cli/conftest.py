from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli_project import CliProject
from tests.support.forks import Forks
from tests.support.server_shop import ServerShop


@pytest.fixture
def project(shop: ServerShop, forks: Forks, tmp_path: Path) -> CliProject:
    """Commands over a shop with rows in it; nothing was loaded yet."""
    return CliProject(shop, forks, tmp_path / "project")
