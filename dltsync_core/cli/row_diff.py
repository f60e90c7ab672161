"""The rows that differ, as text: each value in quotes and on one line, whatever characters are in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from dltsync_core.display import quoted, visible

_PLACES = ("source", "lake", "warehouse")


def print_row_diffs(console: Console, report: Mapping[str, Any]) -> None:
    """For every unit with a row diff: its rows that differ, how many further ones there are, and what was compared."""
    for table in report["tables"]:
        for unit in table["units"]:
            if unit.get("row_diff") is not None:
                subject = visible(f"{table['table']} {unit['unit']}")
                for line in _lines(subject, unit["row_diff"]):
                    console.print(line, soft_wrap=True)


def _lines(subject: str, diff: Mapping[str, Any]) -> Iterator[Text]:
    rows, omitted = diff["rows"], diff["omitted"]
    if diff["reason"]:
        yield Text(f"{subject}: the rows that differ are not known: {visible(diff['reason'])}", style="yellow")
        return
    key = f"key {', '.join(map(visible, diff['key']))}" if diff["key"] else "shown whole: the table has no unique key"
    least = "" if diff["omitted_is_exact"] else "at least "
    count = f"{least}{len(rows) + omitted:,}"
    yield Text(f"{subject}: {count} {'row differs' if count == '1' else 'rows differ'}, {key}", style="bold")
    for row in rows:
        yield Text.assemble(f"  {_key(row['key'])}: ", (visible(row["message"]), "red"))
        for value in row["values"] if diff["key"] else ():
            here = ", ".join(f"{place} {_value(value[place])}" for place in _PLACES if place in value)
            yield Text(f"      {visible(value['column'])}: {here}")
    if omitted:
        yield Text(f"  and {least}{omitted:,} more", style="yellow")
    yield Text(f"  compared: {'; '.join(_levels(diff['levels']))}", style="dim")


def _key(key: Mapping[str, str | None]) -> str:
    return ", ".join(f"{visible(name)} {_value(value)}" for name, value in key.items())


def _value(text: str | None) -> str:
    return "NULL" if text is None else quoted(text)


def _levels(levels: list[Mapping[str, int]]) -> Iterator[str]:
    for level in levels:
        if level["buckets"]:
            yield f"{level['buckets']:,} buckets, of which {level['differing']:,} with {level['rows']:,} rows differ"
        else:
            yield f"{level['rows']:,} rows by value"
