"""What the options of `state` do in a run whose ledger is on a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.contracts.retention import *  # noqa: F403
from tests.support.memory_shop import MemoryShop

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def state_url(postgres_url: str) -> str:
    return postgres_url


def test_a_ledger_on_a_server_is_left_to_its_administrator(tmp_path: Path, postgres_url: str) -> None:
    place = MemoryShop(tmp_path, state_url=postgres_url, backup_state_before_run=True)
    assert place.run().success
    place.assert_same()
    assert not (tmp_path / "state" / "backups").exists()
