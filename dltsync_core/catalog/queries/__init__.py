"""Fixed statements, one per file; the header comment of each says what a row means."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def query(name: str) -> str:
    """The text of `<name>.sql`."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def query_for(name: str, count: int) -> str:
    """The text of `<name>.sql` with its `IN (?)` widened to `count` markers."""
    text = query(name)
    if text.count("IN (?)") != 1:
        raise ValueError(f"{name}.sql has no single IN (?)")
    return text.replace("IN (?)", f"IN ({', '.join('?' * count)})")
