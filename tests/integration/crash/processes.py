"""Attempts in processes of their own, and what they report."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.crash.attempts import Attempt, Stop
from tests.support.forks import Forks


@dataclass(frozen=True)
class Told:
    """`status` is the exit code, or the negative number of the signal. The report is there when the process lived to tell."""

    status: int
    report: dict[str, Any] | None
    stderr: str

    @property
    def runs(self) -> list[dict[str, Any]]:
        return list(self._whole["runs"])

    @property
    def trace(self) -> list[str]:
        return list(self._whole["trace"])

    @property
    def _whole(self) -> dict[str, Any]:
        assert self.report is not None, f"the process ended with {self.status} and told nothing\n{self.stderr}"
        assert self.report["error"] is None, self.report["error"]
        return self.report


class Processes:
    """Runs attempts, one at a time."""

    def __init__(self, forks: Forks, directory: Path) -> None:
        self._forks = forks
        self._directory = directory

    def run(
        self, config: Mapping[str, Any], *, runs: Sequence[Mapping[str, Any]] = ({},), stop: Stop | None = None
    ) -> Told:
        """One process: it runs as often as told, and ends where told."""
        report = self._directory / f"{uuid.uuid4().hex}.json"
        attempt = Attempt(config, str(report), tuple(runs), stop)
        ended = self._forks.run("tests.integration.crash.attempts:perform", attempt.as_payload())
        told = json.loads(report.read_text(encoding="utf-8")) if report.exists() else None
        report.unlink(missing_ok=True)
        return Told(ended.status, told, ended.stderr)
