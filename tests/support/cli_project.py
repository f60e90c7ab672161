"""A directory with a config file over a small shop, in which commands are called."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.forks import Ended, Forks
from tests.support.server_shop import ServerShop


@dataclass
class CliProject:
    """`values` is the config; change it, then call a command. The password comes from the environment, as it should."""

    shop: ServerShop
    forks: Forks
    root: Path
    values: dict[str, Any] = field(default_factory=dict)
    text: str | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        server, schema = self.shop.server, self.shop.schema
        self.environment["DLT_SYNC_PASSWORD"] = server.password
        self.values = {
            "database": {
                "server": server.host,
                "port": server.port,
                "database": server.database,
                "username": server.username,
                "trust_server_certificate": True,
                "connection_timeout": 5,
            },
            "partition_tables": [{"table_name": "Orders", "schema_name": schema}],
            "scd_tables": [{"table_name": "Customers", "schema_name": schema, "last_modified_column": "Changed"}],
            "static_tables": [{"table_name": "Countries", "schema_name": schema}],
            "processing": {"retry_attempts": 1},
            "state": {"state_directory": "state", "parquet_directory": "lake"},
            "destination": {"path": "house.duckdb"},
        }

    @property
    def secrets(self) -> list[str]:
        return [self.environment["DLT_SYNC_PASSWORD"]]

    def call(self, *arguments: str, entry: str = "call", **more: Any) -> Ended:
        """`dltsync ARGUMENTS` in the project's directory."""
        self.root.mkdir(exist_ok=True)
        text = yaml.safe_dump(self.values, allow_unicode=True) if self.text is None else self.text
        (self.root / "dltsync.yaml").write_text(text, encoding="utf-8")
        return self.forks.run(
            f"tests.support.cli_command:{entry}",
            {"arguments": list(arguments), **more},
            directory=self.root,
            environment=self.environment,
        )

    def on_a_terminal(self, *arguments: str, typed: Sequence[tuple[str, str]] = ()) -> str:
        """What a terminal of 80 columns shows, its escape sequences left out. `typed`: a line for each question."""
        ended = self.call(*arguments, entry="call_on_a_terminal", typed=list(typed))
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ended.stdout).replace("\r\n", "\n")

    def json(self, *arguments: str, **more: Any) -> tuple[Ended, dict[str, Any]]:
        """The same with --json: stdout is one JSON object and nothing else."""
        ended = self.call(*arguments, "--json", **more)
        found = json.loads(ended.stdout)
        assert isinstance(found, dict)
        return ended, found

    def disk(self) -> Mapping[str, str]:
        """Everything below the directory but the config and the logs of SQLite: names and contents."""
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file()
            else "directory"
            for path in sorted(self.root.rglob("*"))
            if path.name != "dltsync.yaml"
        }
