"""The rows that differ, as a person reads them: values in quotes and on one line, whatever is in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from dltsync_core.display import quoted, visible

_PLACES = ("source", "lake", "warehouse")


def print_narrowed(console: Console, report: Mapping[str, Any]) -> None:
    """Of every unit that was narrowed: its rows that differ, how many more there are, and what was looked at."""
    for table in report["tables"]:
        for unit in table["units"]:
            if unit.get("narrowed") is not None:
                subject = visible(f"{table['table']} {unit['unit']}")
                for line in _lines(subject, unit["narrowed"]):
                    console.print(line, soft_wrap=True)


def _lines(subject: str, narrowed: Mapping[str, Any]) -> Iterator[Text]:
    rows, more = narrowed["rows"], narrowed["more"]
    if narrowed["why_not"]:
        yield Text(f"{subject}: no rows can be named: {visible(narrowed['why_not'])}", style="yellow")
        return
    named = (
        f"named by {', '.join(map(visible, narrowed['key']))}"
        if narrowed["key"]
        else "told whole: no unique key names them"
    )
    count = f"{'' if narrowed['exact'] else 'at least '}{len(rows) + more:,}"
    yield Text(f"{subject}: {count} {'row differs' if count == '1' else 'rows differ'}, {named}", style="bold")
    for row in rows:
        yield Text.assemble(f"  {_key(row['key'])}: ", (visible(row["said"]), "red"))
        for value in row["values"] if narrowed["key"] else ():
            here = ", ".join(f"{place} {_value(value[place])}" for place in _PLACES if place in value)
            yield Text(f"      {visible(value['column'])}: {here}")
    if more:
        yield Text(f"  and {'' if narrowed['exact'] else 'at least '}{more:,} more", style="yellow")
    yield Text(f"  looked at: {'; '.join(_looks(narrowed['levels']))}", style="dim")


def _key(key: Mapping[str, str | None]) -> str:
    return ", ".join(f"{visible(name)} {_value(value)}" for name, value in key.items())


def _value(text: str | None) -> str:
    return "NULL" if text is None else quoted(text)


def _looks(levels: list[Mapping[str, int]]) -> Iterator[str]:
    for level in levels:
        if level["buckets"]:
            yield f"{level['buckets']:,} buckets, {level['differing']:,} of them with {level['rows']:,} rows differ"
        else:
            yield f"{level['rows']:,} rows by value"
