"""A reader of the warehouse in SQL Server: it polls a table while the rows are replaced, and says what it saw."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyodbc

from dltsync_core.config import DatabaseConfig
from dltsync_dagster.demo.source import CHANGED_MONTH, connect

State: TypeAlias = tuple[Any, ...]
_PAUSE_SECONDS = 0.05


@dataclass
class Seen:
    """What a reader saw: `before` and `after` are the states of the rows before the first poll and after the last one, `states`
    how often it saw each. `failed` is the error that ended it, if one did."""

    before: State
    after: State = ()
    states: Counter[State] = field(default_factory=Counter)
    failed: str | None = None

    @property
    def others(self) -> int:
        """Polls that saw neither the old rows nor the new ones."""
        return sum(count for state, count in self.states.items() if state not in (self.before, self.after))

    @property
    def whole(self) -> bool:
        """Whether it saw the old rows or the new ones and nothing else, and lived to the end."""
        return self.failed is None and not self.others and bool(self.states)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        changed = self.before != self.after
        return {
            "polls": sum(self.states.values()),
            "old": self.states[self.before] if changed else 0,
            "new": self.states[self.after],
            "other": self.others,
            "failed": self.failed,
        }


@contextmanager
def reading(database: DatabaseConfig, table: str) -> Iterator[Seen]:
    """While the block runs, another session polls the flights of the month that changes, one statement after the other."""
    done = threading.Event()
    with closing(connect(database)) as connection:
        seen = Seen(_state(connection, table))

        def poll() -> None:
            try:
                while not done.wait(_PAUSE_SECONDS):
                    seen.states[_state(connection, table)] += 1
            except pyodbc.Error as error:
                seen.failed = str(error)

        poller = threading.Thread(target=poll, name="reader of the warehouse")
        poller.start()
        try:
            yield seen
        finally:
            done.set()
            poller.join()
            if seen.failed is None:
                seen.after = _state(connection, table)
                seen.states[seen.after] += 1


def _state(connection: pyodbc.Connection, table: str) -> State:
    """Figures that differ between the rows before the change and after it."""
    row = connection.execute(
        f"SELECT COUNT_BIG(*), SUM(CAST(dep_delay AS bigint)), SUM(CAST(flight AS bigint)) FROM {table} "
        "WHERE time_hour >= CAST(? AS datetime2(0)) AND time_hour < CAST(? AS datetime2(0))",
        *CHANGED_MONTH,
    ).fetchone()
    return tuple(row)
