"""What is written into the ledger, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from dltsync_core.committed import TableKind
from dltsync_core.identity import TableName


class LoadStatus(str, Enum):
    """How far a load got. Recorded as it happens, never changed afterwards."""

    PLANNED = "planned"
    EXTRACTED = "extracted"
    PUBLISHED = "published"
    LOADED = "loaded"
    VALIDATED = "validated"
    COMMITTED = "committed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Looked at and found up to date. Recorded only where a failure stood: it is over."""


@dataclass(frozen=True)
class LoadEvent:
    """One line of the ledger: load `load_id` of a unit reached `status`. `detail` is the reason or the error text.
    `load_id` is empty where there was no load: a table that could not be planned, of which `unit` is then the whole."""

    table: TableName
    kind: TableKind
    unit: str
    load_id: str
    run_id: str
    status: LoadStatus
    at: datetime
    rows: int | None = None
    detail: str = ""
