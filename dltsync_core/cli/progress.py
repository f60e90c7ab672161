"""The live display of a run on a terminal, fed by events. Everything is drawn on stderr, and fits into 80 columns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from dltsync_core.display import number_of, visible
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.event_log import described, duration_of
from dltsync_core.run.events import ENDED, Event
from dltsync_core.run.totals import RunTotals

_DONE = {"committed": ("✓", "green"), "failed": ("✗", "red")}
"""Units that get a line. Unchanged ones are in the totals only: there may be thousands."""
_OTHER_LINES = 4
"""Lines of the terminal that the units leave free: the totals, and the end of what was printed above."""


class RunProgress:
    """Shows how far the run is, the units on their way, and a line for each that was loaded or failed. Call it with events; safe
    from several threads."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._totals = RunTotals(clock)
        self._units: dict[tuple[str, str], tuple[float, Event]] = {}
        self._lock = threading.Lock()
        self._spinner = Spinner("dots")
        self._live = Live(self, console=console, transient=True, refresh_per_second=8)

    def __enter__(self) -> RunProgress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        self._totals.note(event)
        key = (str(event.table), event.unit)
        with self._lock:
            if event.stage in ENDED:
                self._units.pop(key, None)
            elif event.stage not in {"planning", "planned"}:
                began = self._units[key][0] if key in self._units else self._clock()
                self._units[key] = began, event
        if event.stage in _DONE:
            self._console.print(_finished(event), soft_wrap=False, overflow="ellipsis", no_wrap=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The totals, then as many units as there are lines, those that have taken longest first."""
        with self._lock:
            units = sorted(self._units.values(), key=lambda each: each[0])
        room = max(console.height - _OTHER_LINES, 1)
        totals = self._totals.now()
        text = described(totals) if totals.units else "planning"
        lines = Table.grid(padding=(0, 1), expand=True)
        lines.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        lines.add_column(no_wrap=True, justify="right")
        for began, event in units[:room]:
            lines.add_row(Text(f"  {_label(event)}"), Text(f"{_stage(event)}  {duration_of(self._clock() - began)}"))
        if len(units) > room:
            lines.add_row(Text(f"  and {len(units) - room:,} more", style="dim"), "")
        head = Table.grid(padding=(0, 1))
        head.add_row(self._spinner, Text(text, style="bold", no_wrap=True, overflow="ellipsis"))
        yield Group(head, lines)


def _label(event: Event) -> str:
    return visible(f"{event.table}" if event.unit == WHOLE_TABLE else f"{event.table} {event.unit}").replace("\n", " ")


def _stage(event: Event) -> str:
    """What happens to a unit: `reading 45%, 12,000 rows`, `loading 90,000 rows`."""
    name = "retrying" if event.retry else "reading" if event.stage == "extracting" else event.stage
    if event.rows is None:
        return name
    share = f" {min(event.rows / event.expected_rows, 1):.0%}," if event.expected_rows else ""
    return f"{name}{share} {number_of(event.rows, 'row')}"


def _finished(event: Event) -> Text:
    mark, style = _DONE[event.stage]
    rows = "" if event.rows is None or event.stage != "committed" else f"  {number_of(event.rows, 'row')}"
    line = Text.assemble((f" {mark} ", style), _label(event), rows)
    if event.message:
        first = event.message.splitlines()[0]
        line.append(f"  {visible(first)}", style="red" if event.stage == "failed" else "dim")
    return line
