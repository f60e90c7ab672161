"""A page is a story: its blocks run one after the other, in one directory, over the tables that it speaks of."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyodbc
import pytest
import yaml

from dltsync_core.config import PipelineConfig, load_config
from dltsync_core.config.files import references
from tests.pages.blocks import Block
from tests.pages.world import PASSWORD, READER, World
from tests.support.forks import Forks

HOSTS = ("sql01.example.com", "warehouse.example.com", "sql01")
"""Servers of the pages: the sandbox answers for them."""
WITHOUT_A_TERMINAL = {"init": ["--yes"]}
"""Options that answer the questions which a command asks at a terminal."""


@dataclass
class Story:
    """`values` is the config in `dltsync.yaml`, to which a block adds its part; a page that begins without a file has none."""

    world: World
    forks: Forks
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    database: str = "Sales"
    folders: Mapping[str, str] = field(default_factory=dict)
    scope: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment |= {"DLT_SYNC_TRUST_SERVER_CERTIFICATE": "true", "COLUMNS": "80"}

    def begins_with(self, database: str, **values: Any) -> None:
        """The config that the reader of the page has already, over this database."""
        self.database = database
        self.environment["DLT_SYNC_PASSWORD"] = PASSWORD
        server = self.world.server
        login = {"server": f"{server.host},{server.port}", "database": database, "username": READER}
        self.values = {"database": login, **values}
        self._write(self.values)

    def run(self, block: Block) -> None:
        """Raises AssertionError when the block does not do what the page says."""
        executors: dict[str, Callable[[Block], None]] = {
            "console": self._console,
            "yaml": self._yaml,
            "python": self._python,
            "sql": self._sql,
        }
        assert block.language in executors, f"{block}: nothing runs a block in {block.info!r}: say in a comment why not"
        executors[block.language](block)

    def _here(self, text: str) -> str:
        """The text of a block with the servers, passwords and folders of this story."""
        for host in HOSTS:
            text = text.replace(host, f"{self.world.server.host},{self.world.server.port}")
        for folder, here in self.folders.items():
            text = text.replace(folder, here)
        return text.replace("…", PASSWORD)

    def _values_here(self, value: Any) -> Any:
        """As `_here`, for what YAML made of a text."""
        if isinstance(value, dict):
            return {key: self._values_here(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._values_here(inner) for inner in value]
        return self._here(value) if isinstance(value, str) else value

    # -- commands -----------------------------------------------------------------------------------------------------

    def _console(self, block: Block) -> None:
        commands = list(re.finditer(r"(?m)^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.text))
        assert commands, f"{block}: a command begins with `$ `"
        for number, command in enumerate(commands, 1):
            code = int(block.reason) if block.mark == "exit code" and number == len(commands) else 0
            self._command(block, command[1], command[2], code)

    def _command(self, block: Block, line: str, output: str, code: int) -> None:
        words = shlex.split(self._here(line), comments=True)
        if words[0] == "export":
            self.environment |= dict(word.split("=", 1) for word in words[1:])
            return
        assert words[0] == "dltsync", f"{block}: {words[0]} does not run here: say in a comment why not"
        self.dltsync(
            *words[1:], *WITHOUT_A_TERMINAL.get(words[1], ()), code=code, output=output, where=f"{block}: {line}"
        )

    def dltsync(self, *words: str, code: int = 0, output: str = "", where: str = "") -> None:
        """The command in the directory of the page. It ends with this code, and prints the output if there is any."""
        ended = self.forks.run(
            "tests.support.cli_command:call",
            {"arguments": list(words)},
            directory=self.root,
            environment=self.environment,
        )
        assert ended.status == code, f"{where}: exit code {ended.status}\n{ended.stdout}{ended.stderr}"
        if output:
            printed = [line.rstrip() for line in ended.stdout.splitlines()]
            assert printed == output.splitlines(), f"{where}\n{printed} is not {output.splitlines()}"

    # -- configs ------------------------------------------------------------------------------------------------------

    def _yaml(self, block: Block) -> None:
        """A whole config replaces that of the page; a part is added to it. Then it is read, and a plan made."""
        part = self._values_here(yaml.safe_load(block.text))  # as values: `server,port` would be two of them in `{…}`
        assert isinstance(part, dict), f"{block}: no mapping"
        connection = part.get("destination", {}).get("connection")
        if connection is not None:
            connection.setdefault("trust_server_certificate", True)  # the sandbox's is signed by itself
        unknown = set(part) - set(PipelineConfig.model_fields)
        assert not unknown, f"{block}: no fields of the config: {', '.join(map(str, unknown))}"
        self.values = dict(part) if "database" in part else merged(self.values, part)
        self._write(self.values)
        self.environment |= dict.fromkeys(references(part) - set(self.environment), PASSWORD)
        load_config(self.root / "dltsync.yaml", self.environment)
        if block.mark != "only loaded":
            self.dltsync("plan", where=str(block))

    def _write(self, values: Mapping[str, Any]) -> None:
        (self.root / "dltsync.yaml").write_text(yaml.safe_dump(dict(values), allow_unicode=True), encoding="utf-8")

    # -- Python and SQL -----------------------------------------------------------------------------------------------

    def _python(self, block: Block) -> None:
        code = compile(self._here(block.text), str(block), "exec")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.root)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            exec(code, self.scope)  # noqa: S102 -- what a reader does with the block

    def _sql(self, block: Block) -> None:
        """At the server, or with `sql duckdb` in DuckDB, over the files of the page's directory."""
        if block.info == "sql duckdb":
            with duckdb.connect() as connection, pytest.MonkeyPatch.context() as patch:
                patch.chdir(self.root)
                assert connection.execute(block.text).fetchall(), f"{block}: no rows"
            return
        with closing(pyodbc.connect(self.world.server.odbc(database=self.database), autocommit=True)) as connection:
            connection.execute(block.text)


def merged(values: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """The config with a part of one: sections are merged, lists and a destination with a `type` replace what was there."""
    result = dict(values)
    for name, value in part.items():
        before = result.get(name)
        if isinstance(value, dict) and isinstance(before, dict) and "type" not in value:
            result[name] = merged(before, value)
        else:
            result[name] = value
    return result
