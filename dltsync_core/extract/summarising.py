"""Summaries of units: one statement for all of them, or for those that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.extract.conditions import condition_of
from dltsync_core.extract.probing import Fetch
from dltsync_core.extract.unit import UnitFilter
from dltsync_core.tsql.fragments import Sql, join, sql
from dltsync_core.tsql.probes import slot_number
from dltsync_core.tsql.summary import summarise
from dltsync_core.typemap.summary import Summary, SummaryColumn, no_rows, summary_of

MOST_CONDITIONS = 100
"""Slots that are named in the statement. Of more of them the whole table is summarised: 2,100 parameters are the most there
can be, and long alternatives are slow to compile."""


def summarise_units(
    fetch: Fetch, facts: TableFacts, columns: Sequence[SummaryColumn], units: Mapping[str, UnitFilter]
) -> dict[str, Summary]:
    """The summary of every unit given: slots of a partitioned table, or one unit that is the whole table."""
    partitioning, slots = facts.partitioning, {u.slot.number: name for name, u in units.items() if u.slot is not None}
    if partitioning is None or not slots:
        ((name, unit),) = units.items()
        ((rows, *answers),) = fetch(summarise(facts.name, columns, condition_of(unit)))
        return {name: summary_of(int(rows), columns, answers)}
    some = len(slots) < len(partitioning.slots) and len(slots) <= MOST_CONDITIONS
    condition = _any_of([condition_of(unit) for unit in units.values()]) if some else None
    slot = slot_number(partitioning.function, partitioning.column)
    found = dict.fromkeys(units, no_rows(columns))
    for number, rows, *answers in fetch(summarise(facts.name, columns, condition, slot)):
        if number in slots:
            found[slots[number]] = summary_of(int(rows), columns, answers)
    return found


def _any_of(conditions: Sequence[Sql | None]) -> Sql | None:
    present = [condition for condition in conditions if condition is not None]
    if len(present) < len(conditions):
        return None
    return sql("({any})", any=join(" OR ", [sql("({one})", one=one) for one in present]))
