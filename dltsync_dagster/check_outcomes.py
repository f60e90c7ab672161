"""From the core's report of a comparison to what the check says of each unit. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from dltsync_core.display import quoted
from dltsync_core.identity import WHOLE_TABLE
from dltsync_dagster.evaluations import Verdict
from dltsync_dagster.markdown import code, grid
from dltsync_dagster.metadata import rows_metadata

_SHOWN = 50
_TOLD = 5
_PLACES = ("source", "lake", "warehouse")


def verdicts_of(table: Mapping[str, Any], chosen: Sequence[str] | None) -> list[Verdict]:
    """One verdict for each unit of a table's report; for a table that could not be compared, one for each unit that was chosen.

    Without a choice the last one is about the table as a whole (WHOLE_TABLE): the units side by side, and what belongs to none
    of them.
    """
    units, problems = table["units"], tuple(table["problems"])
    notes = tuple(table["notes"])
    if chosen is None:
        whole = _of_table(units, problems, notes)
        return [whole] if [unit["unit"] for unit in units] == [WHOLE_TABLE] else [*map(_of_unit, units), whole]
    if not units:
        return [Verdict(key, passed=False, sentence=_told(problems)) for key in chosen]
    return [_of_unit(unit, problems, notes) for unit in units]


def beside_load(verdict: Verdict) -> Verdict:
    """A difference that was seen while the table was being loaded may be that load."""
    if verdict.passed:
        return verdict
    return replace(
        verdict, sentence=f"{verdict.sentence}. A run that loads the table is under way: check again when it is done"
    )


def _of_unit(unit: Mapping[str, Any], problems: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> Verdict:
    wrong = (*problems, *unit["messages"])
    return Verdict(
        unit["unit"],
        passed=not wrong,
        sentence=_told(wrong) if wrong else f"{unit['source']:,} rows and every figure of their columns agree",
        metadata=_metadata([unit], problems, notes),
    )


def _of_table(units: Sequence[Mapping[str, Any]], problems: tuple[str, ...], notes: tuple[str, ...]) -> Verdict:
    wrong = (*problems, *(message for unit in units for message in unit["messages"]))
    agreeing = sum(unit["equal"] for unit in units)
    rows = sum(unit["source"] for unit in units)
    if wrong:
        sentence = _told(wrong)
    elif len(units) == 1:
        sentence = f"{rows:,} rows and every figure of their columns agree"
    else:
        sentence = f"{agreeing:,} partitions with {rows:,} rows and every figure of their columns agree"
    return Verdict(WHOLE_TABLE, passed=not wrong, sentence=sentence, metadata=_metadata(units, problems, notes))


def _told(messages: Sequence[str]) -> str:
    more = f"; and {len(messages) - _TOLD:,} more" if len(messages) > _TOLD else ""
    return "; ".join(messages[:_TOLD]) + more


def _metadata(
    units: Sequence[Mapping[str, Any]], problems: tuple[str, ...], notes: tuple[str, ...]
) -> dict[str, int | dg.MarkdownMetadataValue]:
    """What differs comes first, as there may be more than is shown."""
    found: dict[str, int | dg.MarkdownMetadataValue] = {}
    if units:
        source, lake, warehouse = (sum(unit[place] for unit in units) for place in _PLACES)
        found |= rows_metadata(source, lake, warehouse)
    if len(units) > 1:
        found["dltsync/units"] = dg.MetadataValue.md(_units_table(units))
    differing = [(unit["unit"], figure) for unit in units for figure in unit["columns"]]
    if differing:
        found["dltsync/differences"] = dg.MetadataValue.md(_figures_table(differing))
    rows = [(unit, row) for unit in units if unit["narrowed"] for row in unit["narrowed"]["rows"]]
    if rows:
        found["dltsync/rows"] = dg.MetadataValue.md(_rows_table(rows))
    unnamed = tuple(
        f"{u['unit']}: {u['narrowed']['why_not']}" for u in units if u["narrowed"] and u["narrowed"]["why_not"]
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
            *(f"{unit[place]:,}" for place in _PLACES),
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
            *(code(value) if (value := figure[place]) is not None else "" for place in _PLACES),
        )
        for unit, figure in differing
    ]
    return grid(("unit", "column", "figure", "source", "lake", "warehouse"), rows, numbers=3, limit=_SHOWN)


def _rows_table(rows: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """The rows that differ: what names each (all its values, where no key does), and its values that are not the same."""
    cells = [
        (
            code(unit["unit"]),
            code(", ".join(f"{name} {_value(value)}" for name, value in row["key"].items())),
            code(row["said"]),
            " ".join(map(_values, row["values"])) if unit["narrowed"]["key"] else "",
        )
        for unit, row in rows
    ]
    return grid(("unit", "row", "", "values"), cells, numbers=0, limit=_SHOWN)


def _values(value: Mapping[str, str | None]) -> str:
    return code(
        f"{value['column']}: " + ", ".join(f"{place} {_value(value[place])}" for place in _PLACES if place in value)
    )


def _value(text: str | None) -> str:
    return "NULL" if text is None else quoted(text)
