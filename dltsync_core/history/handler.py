"""Repair of a warehouse table's history, as users call it: `pipeline.scd_handler.repair_scd_integrity(...)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dltsync_core.history.versions import VersionColumns, VersionStore
from dltsync_core.identity import TableName


@dataclass(frozen=True)
class ScdTarget:
    """An scd table resolved: its source name, its place in the warehouse and the columns of its history."""

    table: TableName
    target: tuple[str, str]
    columns: VersionColumns


class ScdHandler:
    """Checks and repairs scd tables. `resolve` turns what a caller names (a table config or its name) into a target."""

    def __init__(self, resolve: Callable[[Any], ScdTarget], store: VersionStore) -> None:
        self._resolve = resolve
        self._store = store

    def repair_scd_integrity(self, table: Any, dry_run: bool = True) -> dict[str, Any]:
        """Findings and changes, JSON-ready. Nothing is changed unless `dry_run=False`; then all in one transaction."""
        raise NotImplementedError
