"""Text of strangers as code inside Markdown: boundaries and names come from a database; the UI shows and never obeys them."""

import re

from dltsync_core.showing import visible

_BACKTICKS = re.compile(r"`+")


def code(text: str) -> str:
    """The text as code on one line, also in the cell of a table."""
    line = " ".join(visible(text).split())
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    # A table is cut at its bars before anything else is read, so they are escaped in code as well.
    return f"{fence}{space}{line}{space}{fence}".replace("|", "\\|")
