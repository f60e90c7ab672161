"""Summaries and fingerprints of units: one statement for all of them, or for the given ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.extract.questions import Fetch
from dltsync_core.extract.unit import UnitFilter, condition_of
from dltsync_core.tsql.column_stats import summarise
from dltsync_core.tsql.conditions import retention_condition
from dltsync_core.tsql.digest import HashAlgorithm, digest_by_slot, digest_rows
from dltsync_core.tsql.fragments import Sql, Statement, join, sql
from dltsync_core.tsql.probes import slot_number
from dltsync_core.typemap.column_stats import ColumnStats, StatsColumn, no_rows, stats_of
from dltsync_core.typemap.mapping import ColumnMapping

MOST_CONDITIONS = 100
"""Slots that one statement names. For more of them the whole table is summarised: a statement has at most 2,100 parameters, and
long alternatives are slow to compile."""


def summarise_units(
    fetch: Fetch, facts: TableFacts, columns: Sequence[StatsColumn], units: Mapping[str, UnitFilter]
) -> dict[str, ColumnStats]:
    """The summary of every unit given: slots of a partitioned table, or one unit that is the whole table."""

    def statement(condition: Sql | None, slot: Sql | None) -> Statement:
        return summarise(facts.name, columns, condition, slot)

    answers = _ask(fetch, facts, units, statement)
    return {
        unit: stats_of(int(found[0]), columns, found[1:]) if (found := answers.get(unit)) else no_rows(columns)
        for unit in units
    }


def fingerprint_units(
    fetch: Fetch,
    facts: TableFacts,
    columns: Sequence[ColumnMapping],
    units: Mapping[str, UnitFilter],
    algorithm: HashAlgorithm,
) -> dict[str, str]:
    """The digest of every unit, as `rows|lane|lane`."""
    hashed = [mapping.column for mapping in columns]

    def statement(condition: Sql | None, slot: Sql | None) -> Statement:
        if slot is None:
            return digest_rows(facts.name, hashed, condition, algorithm=algorithm)
        return digest_by_slot(facts.name, hashed, slot, algorithm=algorithm, condition=condition)

    answers = _ask(fetch, facts, units, statement)
    return {
        unit: "|".join("" if part is None else str(part) for part in answers.get(unit, (0, None, None)))
        for unit in units
    }


def _ask(
    fetch: Fetch,
    facts: TableFacts,
    units: Mapping[str, UnitFilter],
    statement: Callable[[Sql | None, Sql | None], Statement],
) -> dict[str, tuple[Any, ...]]:
    """The row of each unit from one statement; units without rows may be missing. The statement is made from a condition and the
    expression of the slot number."""
    partitioning, slots = facts.partitioning, {u.slot.number: name for name, u in units.items() if u.slot is not None}
    if partitioning is None or not slots:
        ((name, unit),) = units.items()
        (row,) = fetch(statement(condition_of(unit), None))
        return {name: tuple(row)}
    some = len(slots) < len(partitioning.slots) and len(slots) <= MOST_CONDITIONS
    condition = _any_of([condition_of(unit) for unit in units.values()]) if some else retention_condition(partitioning)
    rows = fetch(statement(condition, slot_number(partitioning.function, partitioning.column)))
    return {slots[number]: tuple(row) for number, *row in rows if number in slots}


def _any_of(conditions: Sequence[Sql | None]) -> Sql | None:
    present = [condition for condition in conditions if condition is not None]
    if len(present) < len(conditions):
        return None
    return sql("({any})", any=join(" OR ", [sql("({one})", one=one) for one in present]))
