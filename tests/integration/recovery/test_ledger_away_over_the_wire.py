"""The ledger's server restarts while tables are loaded from source to warehouse with the real drivers."""

from __future__ import annotations

import threading

import pytest
from pydantic import SecretStr

from dltsync_core import checkpoints
from dltsync_core.config import PipelineConfig
from tests.support.postgres_server import PostgresServer
from tests.support.server_shop import ServerShop


@pytest.mark.survives(
    "state",
    "a PostgreSQL ledger crashes and restarts while four workers load three kinds of table over the wire",
    "warnings: the ledger is away, trying again in so many seconds",
    "the same run finishes; source, lake and warehouse equal, row by row",
)
@pytest.mark.parametrize("moment", [checkpoints.LEDGER_WRITING, checkpoints.PUBLISHED, checkpoints.VALIDATED])
def test_a_run_outlasts_a_crash_of_the_ledger_s_server(
    shop: ServerShop, own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    url = SecretStr(f"postgresql+psycopg://{own_postgres.address}/postgres")

    def config() -> PipelineConfig:
        plain = ServerShop.config(shop)
        return plain.model_copy(update={"state": plain.state.model_copy(update={"state_url": url})})

    monkeypatch.setattr(shop, "config", config)
    restarts: list[threading.Timer] = []
    guard = threading.Lock()

    def crash(name: str) -> None:
        with guard:
            if name == moment and not restarts:
                own_postgres.crash()
                restarts.append(threading.Timer(1.0, own_postgres.start))
                restarts[0].start()

    with checkpoints.watched(crash):
        result = shop.run()
    restarts[0].join()
    assert result.success, result["errors"]
    assert {unit.status for unit in result.units} == {"committed"}
    shop.assert_same()
    assert {unit.status for unit in shop.run().units} == {"skipped"}
