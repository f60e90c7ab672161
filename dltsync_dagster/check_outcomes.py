"""From the core's report of a comparison to the outcome of the check for each unit. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from dltsync_core.display import number_of, quoted
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.evaluations import CheckOutcome
from dltsync_dagster.markdown import code, grid
from dltsync_dagster.metadata import rows_metadata

_SHOWN = 50
_LISTED = 5
_SIDES = ("source", "lake", "warehouse")


def outcomes_of(table: Mapping[str, Any], chosen: Sequence[str] | None) -> list[CheckOutcome]:
    """One outcome for each unit of a table's report; for a table that could not be compared, one for each chosen unit.

    Without a choice the last one is about the table as a whole (WHOLE_TABLE): all units, and problems that belong to none of
    them.
    """
    units, problems = table["units"], tuple(table["problems"])
    notes = tuple(table["notes"])
    if chosen is None:
        whole = _of_table(units, problems, notes)
        return [whole] if [unit["unit"] for unit in units] == [WHOLE_TABLE] else [*map(_of_unit, units), whole]
    if not units:
        return [CheckOutcome(key, passed=False, sentence=_joined(problems)) for key in chosen]
    return [_of_unit(unit, problems, notes) for unit in units]


def during_load(outcome: CheckOutcome) -> CheckOutcome:
    """A difference that was found while a run loads the table may come from that load."""
    if outcome.passed:
        return outcome
    return replace(
        outcome, sentence=f"{outcome.sentence}. Another run loads the table now: check again when it has ended"
    )


def _of_unit(unit: Mapping[str, Any], problems: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> CheckOutcome:
    wrong = (*problems, *unit["messages"])
    return CheckOutcome(
        unit["unit"],
        passed=not wrong,
        sentence=_joined(wrong) if wrong else _agreeing(unit["source"]),
        metadata=_metadata([unit], problems, notes),
    )


def _of_table(units: Sequence[Mapping[str, Any]], problems: tuple[str, ...], notes: tuple[str, ...]) -> CheckOutcome:
    wrong = (*problems, *(message for unit in units for message in unit["messages"]))
    agreeing = sum(unit["equal"] for unit in units)
    rows = sum(unit["source"] for unit in units)
    if wrong:
        sentence = _joined(wrong)
    elif len(units) == 1:
        sentence = _agreeing(rows)
    else:
        sentence = f"{number_of(agreeing, 'partition')} with {_agreeing(rows)}"
    return CheckOutcome(WHOLE_TABLE, passed=not wrong, sentence=sentence, metadata=_metadata(units, problems, notes))


def _agreeing(rows: int) -> str:
    """Rows of source, lake and warehouse, in a sentence."""
    return f"{number_of(rows, 'row')} and every figure of {'its' if rows == 1 else 'their'} columns agree"


def _joined(messages: Sequence[str]) -> str:
    more = f"; and {len(messages) - _LISTED:,} more" if len(messages) > _LISTED else ""
    return "; ".join(messages[:_LISTED]) + more


def _metadata(
    units: Sequence[Mapping[str, Any]], problems: tuple[str, ...], notes: tuple[str, ...]
) -> dict[str, int | dg.MarkdownMetadataValue]:
    """Differences come first, because the table is cut at a limit."""
    found: dict[str, int | dg.MarkdownMetadataValue] = {}
    if units:
        source, lake, warehouse = (sum(unit[side] for unit in units) for side in _SIDES)
        found |= rows_metadata(source, lake, warehouse)
    if len(units) > 1:
        found["dltsync/units"] = dg.MetadataValue.md(_units_table(units))
    differing = [(unit["unit"], figure) for unit in units for figure in unit["columns"]]
    if differing:
        found["dltsync/differences"] = dg.MetadataValue.md(_figures_table(differing))
    rows = [(unit, row) for unit in units if unit["row_diff"] for row in unit["row_diff"]["rows"]]
    if rows:
        found["dltsync/rows"] = dg.MetadataValue.md(_rows_table(rows))
    unnamed = tuple(
        f"{u['unit']}: {u['row_diff']['reason']}" for u in units if u["row_diff"] and u["row_diff"]["reason"]
    )
    notes = (*notes, *unnamed)
    for name, sentences in (("dltsync/problems", problems), ("dltsync/notes", notes)):
        if sentences:
            shown = [(code(sentence),) for sentence in sentences]
            found[name] = dg.MetadataValue.md(grid((name.rpartition("/")[2],), shown, numbers=0, limit=_SHOWN))
    return found


def _units_table(units: Sequence[Mapping[str, Any]]) -> str:
    order = sorted(units, key=lambda unit: bool(unit["equal"]))
    rows = [
        (
            code(unit["unit"]),
            "equal" if unit["equal"] else "**different**",
            *(f"{unit[side]:,}" for side in _SIDES),
        )
        for unit in order
    ]
    return grid(("unit", "", "rows in source", "in lake", "in warehouse"), rows, numbers=3, limit=_SHOWN)


def _figures_table(differing: Sequence[tuple[str, Mapping[str, str | None]]]) -> str:
    rows = [
        (
            code(unit),
            code(str(figure["column"])),
            str(figure["figure"]),
            *(code(value) if (value := figure[side]) is not None else "" for side in _SIDES),
        )
        for unit, figure in differing
    ]
    return grid(("unit", "column", "figure", "source", "lake", "warehouse"), rows, numbers=3, limit=_SHOWN)


def _rows_table(rows: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """The rows that differ: the key of each (all values, without a key), and its values that differ."""
    cells = [
        (
            code(unit["unit"]),
            code(", ".join(f"{name} {_value(value)}" for name, value in row["key"].items())),
            code(row["message"]),
            " ".join(map(_values, row["values"])) if unit["row_diff"]["key"] else "",
        )
        for unit, row in rows
    ]
    return grid(("unit", "row", "", "values"), cells, numbers=0, limit=_SHOWN)


def _values(value: Mapping[str, str | None]) -> str:
    return code(f"{value['column']}: " + ", ".join(f"{side} {_value(value[side])}" for side in _SIDES if side in value))


def _value(text: str | None) -> str:
    return "NULL" if text is None else quoted(text)
