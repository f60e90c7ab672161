"""What a login of PostgreSQL lacks for loads, with the statement that grants it (`dltsync check`)."""

from __future__ import annotations

import uuid
from pathlib import Path

import psycopg

from dltsync_core.checkup.warehouse import check_warehouse
from dltsync_core.config import PipelineConfig


def test_each_missing_grant_is_named_and_granting_it_is_enough(postgres_url: str, tmp_path: Path) -> None:
    owner = postgres_url.replace("+psycopg", "")
    role = f"loader_{uuid.uuid4().hex[:8]}"
    config = PipelineConfig(
        database={"server": "s", "database": "d", "username": "u", "password": "p"},
        static_tables=[{"table_name": "t"}],
        destination={
            "type": "dlt",
            "destination": "postgres",
            "credentials": owner.replace("ledger@", f"{role}:any@"),
            "dataset_name": "house",
        },
        state={"state_directory": tmp_path / "state", "parquet_directory": tmp_path / "lake"},
    )

    def lacking() -> list[str]:
        return [one.statement for one in check_warehouse(config) if one.status == "missing"]

    with psycopg.connect(owner, autocommit=True) as connection:
        (database,) = connection.execute("SELECT current_database()").fetchone() or ("",)
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute("CREATE SCHEMA house")
        wanted = [
            f'GRANT CREATE ON DATABASE "{database}" TO "{role}"',
            f'GRANT USAGE, CREATE ON SCHEMA "house" TO "{role}"',
        ]
        assert lacking() == wanted
        connection.execute(wanted[0])
        assert lacking() == wanted[1:]
        connection.execute(wanted[1])
        assert lacking() == []
        before = connection.execute("SELECT nspname FROM pg_namespace ORDER BY nspname").fetchall()
        assert [one.status for one in check_warehouse(config)] == ["ok", "ok"]
        assert connection.execute("SELECT nspname FROM pg_namespace ORDER BY nspname").fetchall() == before
    assert not (tmp_path / "state").exists()
