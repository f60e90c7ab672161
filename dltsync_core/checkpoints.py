"""Named moments of a run. Nothing happens at them, unless a test installs a handler: a crash harness stops the process there.

A moment is worth a name where a stop leaves something that the next run must understand. A new one needs an entry in `ALL`
and a call of `reached`; the crash matrix (tests/integration/crash) then stops there too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

# -- around the units ---------------------------------------------------------------------------------------------------

BACKING_UP = "backing_up"
"""The copy of the ledger is complete under its private name."""
LEDGER_WRITING = "ledger_writing"
"""A transaction of the ledger is complete and not committed."""
LEDGER_WRITTEN = "ledger_written"
"""A transaction of the ledger is committed, its caller does not know yet."""

LEASED = "leased"
"""A unit is leased, nothing of it was read again."""
LEASE_RELEASED = "lease_released"
"""The unit is committed and its lease released, the caller does not know yet."""

# -- of every unit ------------------------------------------------------------------------------------------------------

PLANNED = "planned"
"""The decision is recorded, nothing was read."""
STAGED = "staged"
"""A private directory of the lake is open, no row is in it."""
FIRST_BATCH = "first_batch"
"""The first rows are written."""
EXTRACTED = "extracted"
"""All rows are staged, closed and verified."""
PUBLISHED = "published"
"""The lake shows the new load, the warehouse does not."""
LOADED = "loaded"
"""The warehouse holds the new load, it is not counted yet."""
VALIDATED = "validated"
"""Source, lake and warehouse agree, the ledger does not have the load yet."""
COMMITTED = "committed"
"""The ledger has the load."""

# -- inside the lake's publication --------------------------------------------------------------------------------------

FILE_IN_PLACE = "file_in_place"
"""A file of the load has its public name, no manifest names it."""
MANIFEST_WRITTEN = "manifest_written"
"""The manifest exists, nothing it replaces was moved away."""
RETIRING = "retiring"
"""One object that the load replaces was moved away."""

# -- inside the warehouse's load ----------------------------------------------------------------------------------------

WAREHOUSE_EVOLVED = "warehouse_evolved"
"""The table admits the load's columns, none of its rows is in it, nothing of that is committed."""
WAREHOUSE_STATEMENT = "warehouse_statement"
"""One statement of the load was executed."""
WAREHOUSE_WRITTEN = "warehouse_written"
"""The load's last statement was executed, its transaction is not committed."""
WAREHOUSE_COMMITTED = "warehouse_committed"
"""The load's transaction is committed, its caller does not know yet."""

# -- where ledger, lake and warehouse did not agree ---------------------------------------------------------------------

SETTING_ASIDE = "setting_aside"
"""One object was moved to quarantine; others are still to be moved."""
ADOPTING = "adopting"
"""Lake and warehouse agree on a load that the ledger does not have; it is about to be adopted."""
RELOADING = "reloading"
"""The loads of a unit were found whole in the lake, the warehouse has yet to be filled from them."""

OF_RECOVERY = (SETTING_ASIDE, ADOPTING, RELOADING)
"""Loads do not pass these while ledger, lake and warehouse agree."""

# -- partitions out of retention ----------------------------------------------------------------------------------------

PARTITIONS_REMOVED = "partitions_removed"
"""Rows and markers of partitions out of retention left the warehouse; a staging table may still hold the rows."""
BOUNDARY_MERGED = "boundary_merged"
"""One boundary between empty partitions of the warehouse was merged; there may be others."""

OF_RETENTION = (PARTITIONS_REMOVED, BOUNDARY_MERGED)
"""Passed only where a table has a retention, and partitions out of it are in the warehouse."""

OF_EVERY_UNIT = (PLANNED, STAGED, FIRST_BATCH, EXTRACTED, PUBLISHED, LOADED, VALIDATED, COMMITTED)
"""In the order a unit passes them, whatever its kind and its warehouse."""

ALL = (
    *OF_EVERY_UNIT,
    BACKING_UP,
    LEDGER_WRITING,
    LEDGER_WRITTEN,
    LEASED,
    LEASE_RELEASED,
    FILE_IN_PLACE,
    MANIFEST_WRITTEN,
    RETIRING,
    WAREHOUSE_EVOLVED,
    WAREHOUSE_STATEMENT,
    WAREHOUSE_WRITTEN,
    WAREHOUSE_COMMITTED,
    *OF_RECOVERY,
    *OF_RETENTION,
)

_handler: Callable[[str], None] | None = None


def reached(name: str) -> None:
    """Call the handler, if there is one. Its exceptions pass through the run like any other failure at that moment."""
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
