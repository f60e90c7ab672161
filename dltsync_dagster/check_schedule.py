"""When each table of a sensor is probed next: pure decisions over a state that the sensor's cursor stores.

A tick probes the tables that are due, those that have waited longest first. What it does not reach stays due, and comes first
at the next tick: so every table gets its turn, however many there are and however short a tick is. A table that fails is tried
again after a pause that doubles. The cursor has one short entry for each table of the sensor, and no more.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import timedelta

from dltsync_core.config import TableConfig
from dltsync_core.identity import digest_of

CHEAP_METHODS = frozenset({"rowversion", "row_count"})
"""Methods of change detection whose probe reads no row's content."""
COST_FACTOR = 60
"""A table is probed so many times less than one probe takes: at most a sixtieth of the time goes into its probes."""
EVERY_TICK_SECONDS = 60.0
"""What is due sooner than this is due at every tick."""
LONGEST_INTERVAL = timedelta(hours=6)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60, 3600
JITTER = 0.1
"""An interval is up to so much shorter, so that tables of one interval do not fall due in one tick for ever."""
_KEY_LENGTH = 12
_VERSION = 1


@dataclass(frozen=True)
class TableState:
    """What the cursor has of one table. Times are whole seconds since 1970.

    `due` is when it is probed next. `cost_ms` is what its last probe took. `failures` counts probes in a row that failed.
    `change` names the change that was found last and not loaded yet (`change_of`), empty when there is none; from `ask_at` on the
    sensor probes it again, and asks for it.
    """

    due: int = 0
    cost_ms: int = 0
    failures: int = 0
    change: str = ""
    ask_at: int = 0


States = Mapping[str, TableState]
"""By the table's key (`key_of`)."""


def key_of(table: TableConfig) -> str:
    """A short name of a table for the cursor, the same whatever else is configured."""
    return digest_of(str(table.name.folded))[:_KEY_LENGTH]


def read_cursor(cursor: str | None) -> dict[str, TableState]:
    """The states in a cursor. One of another version, or none at all, makes every table due at once: nothing is missed."""
    try:
        stored = json.loads(cursor or "")
        if stored["version"] != _VERSION:
            return {}
        return {key: TableState(*values) for key, values in stored["tables"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_cursor(states: States, tables: Iterable[TableConfig]) -> str:
    """The cursor for these tables; what it had of others is forgotten."""
    kept = {key: states[key] for table in tables if (key := key_of(table)) in states}
    trimmed = {key: _trimmed(state) for key, state in kept.items()}
    return json.dumps({"version": _VERSION, "tables": trimmed}, separators=(",", ":"))


def _trimmed(state: TableState) -> list[object]:
    values, defaults = list(astuple(state)), astuple(TableState())
    while values and values[-1] == defaults[len(values) - 1]:
        values.pop()
    return values


def due_tables(tables: Sequence[TableConfig], states: States, now: float) -> list[TableConfig]:
    """The tables that are due, those that have waited longest first; the config's order among equals."""
    waiting = [(_due(states.get(key_of(table), TableState())), n, table) for n, table in enumerate(tables)]
    return [table for due, _, table in sorted(waiting, key=lambda one: one[:2]) if due <= now]


def next_due(tables: Iterable[TableConfig], states: States) -> int | None:
    """When the first of these tables is due."""
    return min((_due(states.get(key_of(table), TableState())) for table in tables), default=None)


def _due(state: TableState) -> int:
    return min(state.due, state.ask_at) if state.change else state.due


def failing_tables(tables: Iterable[TableConfig], states: States) -> list[TableConfig]:
    """Tables whose last probe failed: each is probed by requests of its own."""
    return [table for table in tables if states.get(key_of(table), TableState()).failures > 0]


def change_of(loads: Iterable[str]) -> str:
    """The name of a change, as long as the committed loads of the table are these."""
    return digest_of("\n".join(sorted(loads)))[:8]


def without_loaded(state: TableState, loads: Iterable[str]) -> TableState:
    """The state, without a change after which something of the table was committed."""
    return replace(state, change="", ask_at=0) if state.change and state.change != change_of(loads) else state


def interval(table: TableConfig, methods: Collection[str], seconds: float) -> float:
    """Seconds between two probes of a table: as configured, else by how its changes are detected and what its probe took. 0: at
    every tick."""
    if table.check_every is not None:
        return table.check_every.total_seconds()
    if CHEAP_METHODS.issuperset(methods):
        return 0.0
    wait = min(seconds * COST_FACTOR, LONGEST_INTERVAL.total_seconds())
    return wait if wait > EVERY_TICK_SECONDS else 0.0


def after_probe(
    table: TableConfig, state: TableState, methods: Collection[str], seconds: float, now: float
) -> TableState:
    """After a probe that took so many seconds and found no change."""
    due = now + interval(table, methods, seconds) * (1 - JITTER * _chance(table, now))
    return TableState(due=int(due), cost_ms=round(1000 * seconds))


def after_change(state: TableState, loads: Iterable[str], ask_at: float) -> TableState:
    """After `after_probe`, when there was a change: from `ask_at` on it is probed again unless it was loaded."""
    return replace(state, change=change_of(loads), ask_at=int(ask_at))


def after_failure(state: TableState, now: float) -> TableState:
    """After a probe that failed or took too long."""
    pause = min(FIRST_PAUSE_SECONDS * 2 ** min(state.failures, 16), LONGEST_PAUSE_SECONDS)
    return TableState(due=int(now) + pause, cost_ms=state.cost_ms, failures=state.failures + 1)


def _chance(table: TableConfig, now: float) -> float:
    """A number from 0 to 1, different for each table and moment, and the same for the same ones."""
    return int(digest_of(f"{table.name} {int(now)}")[:8], 16) / 0xFFFFFFFF
