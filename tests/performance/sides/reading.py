"""Reading one table from the server with dltsync's extractor, and nothing else: by one statement, or in slices."""

from __future__ import annotations

from typing import Any

from dltsync_core.config import DatabaseConfig, ProcessingConfig, StaticTableConfig
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.extract.unit import WHOLE
from tests.performance.measure import start_measuring


def run(*, database: dict[str, Any], table: str, rows: int, slices: int = 1, **_: Any) -> dict[str, Any]:
    """The rows, and the statements that read them."""
    processing = ProcessingConfig(statement_rows_limit=-(-rows // slices))
    source = SqlServerSource(DatabaseConfig(**database), processing)
    config = StaticTableConfig(table_name=table)
    facts = source.read_tables([config])[config.name]
    mapping = source.map_columns(facts, config)
    with source.read_view() as view:
        start_measuring()
        report = view.extract(facts, mapping, WHOLE, lambda batch: None)
    source.close()
    return {"rows": report.rows, "statements": report.statements}
