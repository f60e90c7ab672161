"""The list of tables is read from a real server when it is refreshed, and only then."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from pathlib import Path

import pyodbc
import pytest

from dltsync_dagster import DltsyncDiscoveryComponent
from dltsync_dagster.discovery import TablePattern
from dltsync_dagster.inline_config import written_config
from tests.support.sandbox_server import SandboxServer

STATEMENTS = (
    "CREATE SCHEMA sales",
    "CREATE PARTITION FUNCTION pf (int) AS RANGE RIGHT FOR VALUES (100)",
    "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
    "CREATE TABLE sales.Orders (No int NOT NULL CONSTRAINT pk_o PRIMARY KEY (No)) ON ps(No)",
    "CREATE TABLE sales.Kinds (Code char(2) NOT NULL CONSTRAINT pk_k PRIMARY KEY)",
    "CREATE TABLE sales.Kinds_old (Code char(2) NOT NULL CONSTRAINT pk_q PRIMARY KEY)",
    "CREATE TABLE dbo.Others (Code char(2) NOT NULL CONSTRAINT pk_t PRIMARY KEY)",
)


def test_a_refresh_stores_the_tables_that_match(
    sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"shop_{uuid.uuid4().hex[:8]}"
    with closing(pyodbc.connect(sandbox.odbc(), autocommit=True)) as master:
        master.execute(f"CREATE DATABASE {database}")
    with closing(pyodbc.connect(sandbox.odbc(database=database), autocommit=True)) as connection:
        for statement in STATEMENTS:
            connection.execute(statement)
    login = sandbox.database_config(database=database).model_dump(mode="json", exclude_unset=True)
    monkeypatch.setenv("SHOP_PASSWORD", sandbox.password)
    config = written_config({"database": {**login, "password": "${SHOP_PASSWORD}"}}, tmp_path, "config")
    found = DltsyncDiscoveryComponent(config, tables=[TablePattern(pattern="SALES.*", exclude=["*_old"])])
    found.write_state_to_path(tmp_path / "state")
    text = (tmp_path / "state").read_text()
    assert json.loads(text)["tables"] == [["sales", "Kinds", False], ["sales", "Orders", True]]
    assert sandbox.password not in text
