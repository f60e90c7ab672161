"""DuckDB, loaded by dlt from the lake's own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dltsync_core.warehouse.port import Loaded, LoadRequest, ReplaceScope, Target


class DltWarehouse:
    """A DuckDB file. Thread-safe; processes and threads queue for the file.

    `work_directory` holds dlt's working files while a load runs and nothing afterwards. `on_wait` hears a sentence as
    soon as somebody else holds the file, and every ten seconds after that.
    """

    def __init__(
        self,
        path: Path,
        *,
        pipeline: str,
        work_directory: Path,
        lock_timeout_seconds: float = 600.0,
        memory_limit_mb: int | None = None,
        on_wait: Callable[[str], None] = lambda message: None,
    ) -> None:
        raise NotImplementedError

    def load(self, request: LoadRequest) -> Loaded:
        raise NotImplementedError

    def count(self, target: Target, scope: ReplaceScope | None = None) -> int:
        raise NotImplementedError

    def counts(self, target: Target, scopes: Mapping[str, ReplaceScope]) -> dict[str, int]:
        raise NotImplementedError

    def table_exists(self, target: Target) -> bool:
        raise NotImplementedError

    def columns(self, target: Target) -> dict[str, str]:
        raise NotImplementedError

    def drop_table(self, target: Target) -> None:
        raise NotImplementedError

    def unique_count(self, target: Target, columns: Sequence[str]) -> int:
        raise NotImplementedError
