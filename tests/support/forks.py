"""The tests' side of the zygote: real processes, one at a time, that start in milliseconds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
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

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.log = directory / "zygote.log"
        with self.log.open("ab") as log:
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.support.zygote"],
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
        name = uuid4().hex
        stdout, stderr = (self._directory / f"{name}.{stream}" for stream in ("out", "err"))
        work = {
            "name": name,
            "entry": entry,
            "payload": payload,
            "directory": str(directory or self._directory),
            "environment": dict(environment or {}),
            "stdout": str(stdout),
            "stderr": str(stderr),
        }
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(json.dumps(work) + "\n")
        self._zygote.stdin.flush()
        answered, _, status = self._answer().partition(" ")
        while answered != name:  # a test that ran out of time did not wait for its process
            answered, _, status = self._answer().partition(" ")
        written = [path.read_text(encoding="utf-8") if path.exists() else "" for path in (stdout, stderr)]
        for path in (stdout, stderr):
            path.unlink(missing_ok=True)
        return Ended(int(status), *written)

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


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Processes for the tests of this one."""
    made = Forks(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()
