"""The tests' side of the zygote: real processes that start in milliseconds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest


@dataclass(frozen=True)
class Ended:
    """`status` is the exit code, or the negative number of the signal."""

    status: int
    stdout: str
    stderr: str


class Forks:
    """Work is a function by its name, `module:function`, which gets the payload (JSON) and runs in a process of its own."""

    def __init__(self, directory: Path, imports: Sequence[str] = ()) -> None:
        """`imports` are modules that every process has loaded when it starts."""
        self._directory = directory
        self.log = directory / "zygote.log"
        with self.log.open("ab") as log:
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.support.zygote", *imports],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._answer()

    def run(
        self, entry: str, payload: Any, *, directory: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Ended:
        """The process has ended when this returns."""
        return self.run_all(entry, [payload], directory=directory, environment=environment)[0]

    def run_all(
        self,
        entry: str,
        payloads: Sequence[Any],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> list[Ended]:
        """A process for each payload, all at once. All have ended when this returns."""
        pieces = [
            {
                "name": uuid4().hex,
                "entry": entry,
                "payload": payload,
                "directory": str(directory or self._directory),
                "environment": dict(environment or {}),
            }
            for payload in payloads
        ]
        for piece in pieces:
            piece |= {stream: str(self._directory / f"{piece['name']}.{stream}") for stream in ("stdout", "stderr")}
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(json.dumps(pieces) + "\n")
        self._zygote.stdin.flush()
        statuses: dict[str, int] = {}
        while not all(piece["name"] in statuses for piece in pieces):
            answered, _, status = self._answer().partition(" ")  # also for a test that ran out of time and did not wait
            statuses[answered] = int(status)
        return [
            Ended(statuses[piece["name"]], *map(_read_once, (piece["stdout"], piece["stderr"]))) for piece in pieces
        ]

    def close(self) -> None:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.close()
        self._zygote.wait(60)
        self._zygote.stdout.close()

    def _answer(self) -> str:
        assert self._zygote.stdout is not None
        line = self._zygote.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"the zygote ended:\n{self.log.read_text(errors='replace')}")
        return line


def _read_once(file: str) -> str:
    path = Path(file)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.unlink(missing_ok=True)
    return text


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Processes for the tests of this one."""
    made = Forks(tmp_path_factory.mktemp("forks"))
    try:
        yield made
    finally:
        made.close()
