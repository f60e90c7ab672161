"""Where every table stands, from the ledger and the lake; the server is only asked whether it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dltsync_core.clock import iso
from dltsync_core.config import PipelineConfig, TableConfig
from dltsync_core.errors import SyncError
from dltsync_core.identity import TableName, dotted
from dltsync_core.lake.lake import Lake
from dltsync_core.run.last_errors import failures_of
from dltsync_core.run.ports import Source
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.records import LoadEvent


def pipeline_status(config: PipelineConfig, source: Source, lake: Lake, ledger: Ledger) -> dict[str, Any]:
    """JSON-ready. A server that does not answer is part of the answer, not an error. Raises StateError."""
    problem, server = None, None
    try:
        facts = source.check()
        server = {
            "server": facts.server,
            "database": facts.database,
            "product_version": facts.product_version,
            "snapshot_allowed": facts.snapshot_allowed,
        }
    except SyncError as error:
        problem = str(error)
        if config.patterns:
            problem += "\n  -> tables that only a pattern of the config matches are not in this list"
    failures = ledger.failures()
    return {
        "pipeline_name": config.pipeline_name,
        "database_connected": problem is None,
        "database_error": problem,
        "database": server,
        "tables": [_table(config, table, ledger, failures) for table in config.tables],
        "lake_bytes": lake.size_bytes(),
        "lake": lake.address,
        "ledger": ledger.described,
        "warehouse": config.destination.name,
    }


def _table(
    config: PipelineConfig, table: TableConfig, ledger: Ledger, failures: Mapping[TableName, Sequence[LoadEvent]]
) -> dict[str, Any]:
    name = ledger.find_table(table.name)
    committed_units = ledger.committed_units(name).live
    newest = max(committed_units.values(), key=lambda committed_unit: committed_unit.committed_at, default=None)
    last_error = max(failures_of(table.name, name, failures), key=lambda event: event.at, default=None)
    return {
        "table": str(table.name),
        "kind": table.kind,
        "target": dotted(*config.target_of(table)),
        "units": len(committed_units),
        "rows": sum(committed_unit.rows for committed_unit in committed_units.values()),
        "last_committed_at": iso(newest.committed_at) if newest else None,
        "last_load_id": newest.load_id if newest else None,
        "watermark": newest.watermark if newest and table.kind == "scd" else None,
        "last_error": last_error.detail if last_error else None,
        "last_error_at": iso(last_error.at) if last_error else None,
    }
