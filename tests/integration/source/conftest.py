"""A schema of its own for each test of the source half."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.source.source_tables import SourceTables
from tests.support.server_shop import Server


@pytest.fixture
def tables(server: Server) -> Iterator[SourceTables]:
    """Somewhere to make tables."""
    made = SourceTables(server)
    yield made
    made.drop()
