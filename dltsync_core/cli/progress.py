"""The live display of a run on a terminal, fed by events. Everything is drawn on stderr."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from dltsync_core.display import visible
from dltsync_core.run.events import Event

_DONE = {"committed": ("✓", "green"), "skipped": ("·", "dim"), "failed": ("✗", "red")}


class RunProgress:
    """Shows units in flight as bars and finished ones as lines. Call it with events; safe from several threads."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> RunProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        with self._lock:
            if event.stage in _DONE:
                self._finish(event)
            elif event.stage not in {"planning", "planned"}:
                self._advance(event)

    def _advance(self, event: Event) -> None:
        key = (str(event.table), event.unit)
        if key not in self._tasks:
            label = f"{event.table}" if event.unit == "all" else f"{event.table} {event.unit}"
            # Square brackets of a name or a partition key are not console markup.
            self._tasks[key] = self._progress.add_task(escape(visible(label)), total=None, detail="")
        detail = event.stage if event.rows is None else f"{event.stage} {event.rows:,} rows"
        self._progress.update(
            self._tasks[key],
            total=event.expected_rows,
            completed=event.rows or 0,
            detail=detail,
        )

    def _finish(self, event: Event) -> None:
        task = self._tasks.pop((str(event.table), event.unit), None)
        if task is not None:
            self._progress.remove_task(task)
        mark, style = _DONE[event.stage]
        unit = "" if event.unit == "all" else f" {event.unit}"
        rows = "" if event.rows is None or event.stage != "committed" else f"  {event.rows:,} rows"
        line = Text.assemble((f" {mark} ", style), visible(f"{event.table}{unit}"), rows)
        if event.message:
            line.append(
                f"  {visible(event.message.splitlines()[0])}", style="red" if event.stage == "failed" else "dim"
            )
        self._progress.console.print(line, soft_wrap=False, overflow="ellipsis", no_wrap=True)
