"""What a pipeline consists of: its config, source, lake and warehouse, and how they are opened."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from dltsync_core.config import PipelineConfig, TableConfig, load_config
from dltsync_core.errors import ConfigError
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.lake.open_lake import open_lake
from dltsync_core.logging import log_file_of
from dltsync_core.plan.selection import find_table
from dltsync_core.plan.table_patterns import MatchedTables, matched_tables, needs_columns
from dltsync_core.run.context import Rooms, RunContext, log, opened_context, opened_ledger
from dltsync_core.run.events import EventSink
from dltsync_core.run.housekeeping import check_names
from dltsync_core.run.ports import Source, VersionedWarehouse
from dltsync_core.run.read_lake import TableToRead
from dltsync_core.run.read_table import table_to_read
from dltsync_core.run.reporting import RunReporter
from dltsync_core.state.ledger import Ledger
from dltsync_core.warehouse.open_warehouse import open_warehouse


class PipelineBase:
    """Config, source, lake, warehouse and ledger of one pipeline. Building it opens and creates nothing."""

    def __init__(
        self,
        config: PipelineConfig | str | Path | Mapping[str, Any],
        *,
        source: Source | None = None,
        warehouse: VersionedWarehouse | None = None,
    ) -> None:
        if isinstance(config, (str, Path)):
            config = load_config(Path(config))
        elif not isinstance(config, PipelineConfig):
            config = PipelineConfig(**config)
        self.config = config.located_at(Path.cwd())
        check_names(self.config)
        state, memory = self.config.state, self.config.processing.memory
        self._source: Source = source or SqlServerSource(
            self.config.database, self.config.processing, self.config.representation
        )
        self._lake = open_lake(state, self.config.pipeline_name, memory.scratch)
        self._reporter = RunReporter(self.config)
        self._warehouse: VersionedWarehouse = warehouse or open_warehouse(
            self.config, on_wait=lambda message: self._reporter.waiting(message)
        )

    def close(self) -> None:
        """Close connections. The pipeline can be used again: they are opened when needed."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _table(self, name: str) -> TableConfig:
        """The entry of a table. The source is asked only when no entry names it and there are patterns."""
        if self.config.patterns:
            with suppress(ConfigError):
                return find_table(self.config.tables, name)
        return find_table(self.matched_config().tables, name)

    def matched_config(self) -> PipelineConfig:
        """The config with the tables that its patterns stand for now, read from the source's catalogue; the config itself when
        it has no patterns. What is said about the patterns is logged. Raises ConnectError, ConfigError."""
        matched = self._matched()
        for note in matched.notes:
            log.warning("%s", note)
        return matched.config

    def _matched(self) -> MatchedTables:
        if not self.config.patterns:
            return MatchedTables(self.config)
        return matched_tables(self.config, self._source.list_tables(with_columns=needs_columns(self.config)))

    def _tables(self, names: Iterable[str]) -> list[TableConfig]:
        known = {str(table.name): table for table in self.config.tables}
        return [known.get(name) or self._table(name) for name in names]

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        """To look into."""
        with (
            log_file_of(self.config),
            opened_ledger(self.config, self._reporter, threading.Event(), writable=False) as ledger,
        ):
            yield ledger

    def _to_read(
        self, table_name: str, partition_keys: Sequence[str] | None, columns: Sequence[str] | None
    ) -> TableToRead:
        with self._ledger() as ledger:
            return table_to_read(self.config, self._table(table_name), ledger, partition_keys, columns)

    @contextmanager
    def _context(
        self, sink: EventSink, *, run_id: str | None = None, writable: bool, log_in_first: bool = False
    ) -> Iterator[RunContext]:
        self._reporter = RunReporter(self.config, sink)
        rooms = Rooms(self._source, self._lake, self._warehouse)
        with (
            log_file_of(self.config),
            opened_context(
                self.config, rooms, self._reporter, run_id=run_id, writable=writable, log_in_first=log_in_first
            ) as context,
        ):
            yield context
