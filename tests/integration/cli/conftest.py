from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli.project import Project
from tests.integration.forks import Forks
from tests.integration.server_shop import ServerShop


@pytest.fixture
def project(shop: ServerShop, forks: Forks, tmp_path: Path) -> Project:
    """Commands over a shop with rows in it; nothing was loaded yet."""
    return Project(shop, forks, tmp_path / "project")
