"""Named moments of a run. Nothing happens at them, unless a test installs a handler: a crash harness stops the process there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

PLANNED = "planned"
"""The decision is recorded, nothing was read."""
STAGED = "staged"
"""A private place in the lake is open, no row is in it."""
FIRST_BATCH = "first_batch"
"""The first rows are written."""
EXTRACTED = "extracted"
"""All rows are staged, closed and verified."""
PUBLISHED = "published"
"""The lake shows the new load, the warehouse does not."""
LOADED = "loaded"
"""The warehouse holds the new load, nobody has counted it."""
VALIDATED = "validated"
"""All three places agree, the ledger does not know."""
COMMITTED = "committed"
"""The ledger knows."""

ALL = (PLANNED, STAGED, FIRST_BATCH, EXTRACTED, PUBLISHED, LOADED, VALIDATED, COMMITTED)
"""In the order a unit passes them."""

_handler: Callable[[str], None] | None = None


def reached(name: str) -> None:
    """Tell the handler, if there is one. What it raises goes through the run like any other failure at that moment."""
    if _handler is not None:
        _handler(name)


@contextmanager
def watched(handler: Callable[[str], None]) -> Iterator[None]:
    """Call `handler` at every checkpoint of this process while the block runs. For tests."""
    global _handler  # one process, one harness: passing it through every room would cost more than it protects
    before, _handler = _handler, handler
    try:
        yield
    finally:
        _handler = before
