"""One thing that a pipeline needs, and whether it is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dltsync_core.errors import SyncError

Area = Literal["machine", "source", "tables", "ledger", "lake", "warehouse"]
Status = Literal["ok", "warning", "missing"]


@dataclass(frozen=True)
class Requirement:
    """`message` says what is there, or what is not. `remedy` is a sentence, `statement` the SQL that an administrator runs.
    `exit_code` is what the command returns when it is missing (`cli.outcome.EXIT_CODES`)."""

    area: Area
    status: Status
    message: str
    remedy: str = ""
    statement: str = ""
    exit_code: int = 1

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready. `exit_code` only where something is missing."""
        fields = asdict(self)
        if self.status != "missing":
            del fields["exit_code"]
        return fields


def ok(area: Area, message: str) -> Requirement:
    """It is there."""
    return Requirement(area, "ok", message)


def warning(area: Area, message: str, remedy: str = "", statement: str = "") -> Requirement:
    """A run works without it, less well."""
    return Requirement(area, "warning", message, remedy, statement)


def missing(area: Area, error: SyncError, statement: str = "") -> Requirement:
    """A run would end with this error."""
    return Requirement(area, "missing", error.problem, error.remedy, statement, error.exit_code)


def not_granted(area: Area, message: str, statement: str, remedy: str = "") -> Requirement:
    """The server would refuse a statement of a run."""
    return Requirement(area, "missing", message, remedy, statement, exit_code=5)


def exit_code_of(requirements: Iterable[Requirement]) -> int:
    """The smallest code of what is missing; 0 when nothing is."""
    return min((one.exit_code for one in requirements if one.status == "missing"), default=0)
