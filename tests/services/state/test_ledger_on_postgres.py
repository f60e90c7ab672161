"""The tests of `tests.support.contracts.ledger`, with the ledger in a real PostgreSQL."""

from __future__ import annotations

import pytest

from tests.support.contracts.ledger import *  # noqa: F403

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def store_url(postgres_url: str) -> str:
    """An empty database."""
    return postgres_url
