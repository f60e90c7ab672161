"""Untrusted text as code inside Markdown: boundaries and names come from a database; the UI shows them as plain text."""

import re
from collections.abc import Sequence

from dltsync_core.display import visible

_BACKTICKS = re.compile(r"`+")


def code(text: str) -> str:
    """The text as code on one line, also in the cell of a table."""
    line = " ".join(visible(text).split())
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    # Markdown splits a table at its bars first, so they are escaped in code as well.
    return f"{fence}{space}{line}{space}{fence}".replace("|", "\\|")


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int, limit: int) -> str:
    """A table of cells that are Markdown already. The last `numbers` columns stand to the right; rows past the limit are counted
    below it."""
    words = len(headings) - numbers
    lines = [_line(headings), _line(["---"] * words + ["---:"] * numbers), *(_line(row) for row in rows[:limit])]
    if len(rows) > limit:
        lines += ["", f"and {len(rows) - limit:,} more"]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
