"""Names, keys and data that mean something to a shell, a glob, SQL, YAML, a connection string or HTML do no harm anywhere."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from dltsync_core.config import DatabaseConfig, load_config
from dltsync_core.connect.control import control_session
from dltsync_core.errors import ConnectError
from dltsync_core.logging import configure_logging
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.support.hostile_text import HOSTILE, PASSWORDS
from tests.support.server_shop import Server


def bracketed(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"


def _cut(name: str, units: int) -> str:
    """So many UTF-16 units of it: what a name is measured in."""
    while len(name.encode("utf-16-le")) // 2 > units:
        name = name[:-1]
    return name


class HostileTables:
    """A partitioned, an scd and a static table whose every name is `name`, and a config file for them."""

    def __init__(self, server: Server, root: Path, name: str) -> None:
        self.server, self.root, self.name = server, root, name
        self.tag = uuid.uuid4().hex[:6]
        self._connection = server.connect()
        self.schema = _cut(name, 128 - 7) + "_" + self.tag
        self._made: list[str] = []

    def execute(self, sql: str, *values: Any) -> Any:
        return self._connection.execute(sql, *values)

    def create(self) -> None:
        schema, column = bracketed(self.schema), bracketed(self.name)
        self.execute(f"CREATE SCHEMA {schema}")
        self._made.append(f"DROP SCHEMA {schema}")
        literal = "N'" + self.name.replace("'", "''") + "'"
        function, scheme = f"[pf {self.tag}]", f"[ps {self.tag}]"
        self.execute(f"CREATE PARTITION FUNCTION {function} (datetime2(3)) AS RANGE RIGHT FOR VALUES ('2026-02-01')")
        self._made.append(f"DROP PARTITION FUNCTION {function}")
        self.execute(f"CREATE PARTITION SCHEME {scheme} AS PARTITION {function} ALL TO ([PRIMARY])")
        self._made.append(f"DROP PARTITION SCHEME {scheme}")
        for letter, on in (("P", f"ON {scheme}([At])"), ("S", ""), ("V", "")):
            table = f"{schema}.{bracketed(self.table(letter))}"
            key = "" if letter == "P" else f", PRIMARY KEY ({column}{', [At]' if letter == 'V' else ''})"
            self.execute(
                f"CREATE TABLE {table} ({column} nvarchar(200) COLLATE Latin1_General_100_BIN2 NOT NULL, "
                f"[At] datetime2(3) NOT NULL, "
                f"[Until] datetime2(3) NULL, [Latest] bit NOT NULL, [Changed] datetime2(7) NOT NULL{key}) {on}"
            )
            self._made.append(f"DROP TABLE {table}")
            for month, value in ((1, self.name), (2, "plain")):
                self.execute(
                    f"INSERT INTO {table} ({column}, [At], [Latest], [Changed]) VALUES "
                    f"({literal if value == self.name else 'N' + repr(value)}, '2026-0{month}-05', 1, '2026-0{month}-05')"
                )

    def table(self, letter: str) -> str:
        return _cut(self.name, 127) + letter

    def config_file(self) -> Path:
        server = self.server
        content = {
            "database": {
                "server": server.host,
                "port": server.port,
                "database": server.database,
                "username": server.username,
                "password": server.password.replace("$", "$$"),
                "trust_server_certificate": True,
            },
            "partition_tables": [self._entry("P")],
            "scd_tables": [
                {
                    **self._entry("V"),
                    "business_key_columns": [self._escaped(self.name)],
                    "last_modified_column": "Changed",
                    "is_latest_column": "Latest",
                    "effective_date_column": "At",
                    "end_date_column": "Until",
                }
            ],
            "static_tables": [self._entry("S")],
            "state": {"state_directory": "state", "parquet_directory": "lake"},
            "destination": {"path": "house.duckdb"},
            "log_file": "log.jsonl",
        }
        path = self.root / "dltsync.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return path

    def _entry(self, letter: str) -> dict[str, Any]:
        return {
            "schema_name": self._escaped(self.schema),
            "table_name": self._escaped(self.table(letter)),
        }

    @staticmethod
    def _escaped(text: str) -> str:
        return text.replace("${", "$${")

    def drop(self) -> None:
        for statement in reversed(self._made):
            self.execute(statement)
        self._connection.close()


@pytest.fixture(params=HOSTILE, ids=lambda name: ascii(name)[:24])
def tables(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[HostileTables]:
    made = HostileTables(server, tmp_path / "place", request.param)
    made.root.mkdir()
    try:
        made.create()
        yield made
    finally:
        made.drop()


def test_every_row_arrives_and_nothing_else_happens(tables: HostileTables) -> None:
    config = load_config(tables.config_file())
    configure_logging(level="INFO", structured=True, quiet_stderr=True)
    with IncrementalSQLServerParquetPipeline(config) as pipeline:
        first = pipeline.run(parallel_execution=False)
        assert first.success, first["errors"]
        assert pipeline.run(parallel_execution=False)["total_records"] == 0
        report = pipeline.validate_all_tables()
    assert report["valid_tables"] == report["total_tables"] == 3, report
    for letter in "PSV":
        assert _in_warehouse(tables, letter) == sorted([(tables.name, 1), ("plain", 2)])
        assert _in_lake(tables, letter) == sorted([(tables.name, 1), ("plain", 2)])
    _nothing_left_the_place(tables)


def _in_warehouse(tables: HostileTables, letter: str) -> list[tuple[Any, ...]]:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    with duckdb.connect(str(tables.root / "house.duckdb"), read_only=True) as connection:
        schema = load_config(tables.root / "dltsync.yaml").destination.dataset_name
        statement = (
            f"SELECT {quoted(tables.name)}, month({quoted('At')}) FROM {quoted(schema)}.{quoted(tables.table(letter))}"
        )
        return sorted(connection.execute(statement).fetchall())


def _in_lake(tables: HostileTables, letter: str) -> list[tuple[Any, ...]]:
    rows = []
    for manifest in tables.root.glob("lake/dltsync/*/_manifests/*.json"):
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        if (facts["schema_name"], facts["table_name"]) == (tables.schema, tables.table(letter)):
            files = [str(tables.root / "lake" / "dltsync" / file["path"]) for file in facts["files"]]
            with duckdb.connect(":memory:") as connection:
                found = connection.read_parquet(files, hive_partitioning=False)
                assert found.columns[0] == tables.name
                rows += found.fetchall()
    return sorted((row[0], row[1].month) for row in rows)


def _nothing_left_the_place(tables: HostileTables) -> None:
    """Files lie below the configured directories only, under names that are safe in globs, shells and on Windows."""
    assert {path.name for path in tables.root.parent.iterdir()} == {tables.root.name}
    assert {path.name.split(".")[0] for path in tables.root.iterdir()} <= {"dltsync", "state", "lake", "house", "log"}
    for path in (tables.root / "lake").rglob("*"):
        part = path.name
        assert not set(part) & set("[]*?:\\<>|\"'\n;&$ "), part
        assert len(part) < 200
    for line in (tables.root / "log.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line)  # a line break in a name must not start a line of its own


def test_files_are_for_their_owner(server: Server, tmp_path: Path) -> None:
    """After a run with no umask at all: state and log are their owner's alone; lake and warehouse are their owner's and the
    group's, so that a reader of files needs no other right. Nothing is everybody's."""
    tables = HostileTables(server, tmp_path / "place", "Orders")
    tables.root.mkdir()
    before = os.umask(0)
    try:
        tables.create()
        config = load_config(tables.config_file())
        configure_logging(structured=True, quiet_stderr=True)
        with IncrementalSQLServerParquetPipeline(config) as pipeline:
            for _ in range(2):  # the second copies the ledger
                assert pipeline.run(force=True).success
    finally:
        os.umask(before)
        tables.drop()
    modes = {
        str(path.relative_to(tables.root)): path.stat().st_mode & 0o777
        for path in tables.root.rglob("*")
        if path.name != "dltsync.yaml"
    }
    assert {"state", "lake", "house.duckdb", "log.jsonl", "state/ledger.db", "state/backups"} <= modes.keys()
    shared = ("lake", "house.duckdb", "state/work")  # the last lies behind a door of its own
    allowed = {path: 0o750 if path.startswith(shared) else 0o700 for path in modes}
    assert {path: f"{mode:o}" for path, mode in modes.items() if mode & ~allowed[path]} == {}


@pytest.mark.parametrize("password", PASSWORDS)
def test_passwords_reach_the_server_as_they_are(server: Server, password: str) -> None:
    """A wrong password with every awkward character is refused as a wrong password, not as a broken connection string."""
    config = DatabaseConfig(
        server=server.host,
        port=server.port,
        database=server.database,
        username=server.username,
        password=password,
        trust_server_certificate=True,
    )
    with pytest.raises(ConnectError) as caught, control_session(config):
        pass
    assert password.strip() not in str(caught.value)
    assert "18456" in str(caught.value) or "login" in str(caught.value).casefold()
