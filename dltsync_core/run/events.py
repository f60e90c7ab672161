"""What a run says while it works. One callback receives these; the CLI, Dagster and the log translate them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from dltsync_core.clock import utc_now
from dltsync_core.display import number_of
from dltsync_core.identity import TableName
from dltsync_core.run.result import UnitResult

Stage = Literal[
    "planning",
    "planned",
    "extracting",
    "extracted",
    "published",
    "loading",
    "loaded",
    "validated",
    "committed",
    "skipped",
    "failed",
]

ENDED: frozenset[Stage] = frozenset(("committed", "skipped", "failed"))
"""The last event of a unit is of one of these stages."""


@dataclass(frozen=True)
class Event:
    """One thing that happened to one unit. `rows` counts what is known at that moment (while extracting: so far).

    `retry`: an attempt at this stage failed and is made again. `units` is how many units a table has, in its event planned;
    `expected_rows` are there those that will be read.
    `result` is the unit's result in events of the stages committed and skipped. `replaces` are the units whose rows a committed
    unit took over: they are no longer committed.
    """

    stage: Stage
    table: TableName
    unit: str
    load_id: str | None = None
    rows: int | None = None
    expected_rows: int | None = None
    bytes: int | None = None
    message: str = ""
    result: UnitResult | None = field(default=None, compare=False, repr=False)
    replaces: tuple[str, ...] = ()
    retry: bool = False
    units: int | None = None
    at: datetime = field(default_factory=utc_now)

    def described_as(self, name: str) -> str:
        """The event as a sentence, under this name of its stage."""
        rows = "" if self.rows is None else f", {number_of(self.rows, 'row')}"
        size = "" if self.bytes is None else f", {number_of(self.bytes, 'byte')}"
        message = f": {self.message}" if self.message else ""
        return f"{self.table} {self.unit} {name}{rows}{size}{message}"


EventSink: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The sink for callers who do not listen."""
