"""A load as Dagster metadata: `dltsync/…` are dltsync's names, `dagster/…` are the names that the UI plots and renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from dltsync_core.committed import CommittedUnit
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.events import Event
from dltsync_core.run.result import RowCounts, RunResult, UnitResult
from dltsync_dagster.lineage import files_metadata, lineage_metadata

DATA_VERSION_TAG = "dagster/data_version"


def unit_metadata(unit: UnitResult, committed_unit: CommittedUnit | None) -> dict[str, Any]:
    """One unit's load. A skipped unit shows the rows of `committed_unit`."""
    values: dict[str, Any] = {
        "dltsync/status": unit.status,
        "dltsync/reason": unit.reason,
        "dltsync/rows_read": unit.rows_read,
        "dltsync/bytes_written": unit.bytes_written,
        "dltsync/duration_seconds": round(unit.duration_seconds, 3),
        "dltsync/extract_seconds": round(unit.extract_seconds, 3),
        "dltsync/load_seconds": round(unit.load_seconds, 3),
        "dltsync/validate_seconds": round(unit.validate_seconds, 3),
    }
    optional = {
        "dltsync/load_id": unit.load_id,
        "dltsync/watermark": unit.watermark,
        "dltsync/consistency": unit.consistency,
        "dltsync/probe": unit.probe_signature,
        "dltsync/warnings": "\n".join(unit.warnings) or None,
    }
    values |= {name: value for name, value in optional.items() if value is not None}
    values |= _count_metadata(unit.counts)
    values |= files_metadata(unit.files)
    rows = (
        unit.counts.source if unit.counts is not None else committed_unit.rows if committed_unit is not None else None
    )
    if rows is not None:
        values["dagster/row_count" if unit.unit == WHOLE_TABLE else "dagster/partition_row_count"] = rows
    return values


def _count_metadata(counts: RowCounts | None) -> dict[str, Any]:
    if counts is None:
        return {}
    retained = {"dltsync/retained_rows": counts.retained} if counts.retained else {}
    return {
        **retained,
        **rows_metadata(counts.source, counts.lake, counts.warehouse),
        "dltsync/counts_equal": counts.equal,
    }


def rows_metadata(source: int, lake: int, warehouse: int) -> dict[str, int]:
    """Rows in source, lake and warehouse, under the names that the UI plots."""
    return {"dltsync/source_rows": source, "dltsync/lake_rows": lake, "dltsync/warehouse_rows": warehouse}


def notes_metadata(result: RunResult) -> dict[str, str]:
    """The notes of a run, such as rows that moved between partitions while it read."""
    return {"dltsync/notes": "\n".join(result.notes)} if result.notes else {}


def committed_metadata(event: Event, committed_unit: CommittedUnit | None) -> dict[str, Any]:
    """A unit that was committed by a run that ended without a result."""
    rows = committed_unit.rows if committed_unit is not None else event.rows
    known = {
        "dltsync/status": "committed",
        "dltsync/load_id": event.load_id,
        "dagster/row_count" if event.unit == WHOLE_TABLE else "dagster/partition_row_count": rows,
    }
    return {name: value for name, value in known.items() if value is not None}


def table_metadata(
    committed_units: Mapping[str, CommittedUnit], source_key: dg.AssetKey, units: Sequence[UnitResult]
) -> dict[str, Any]:
    """The table as a whole after a run: rows over all units, columns as they stand in the newest lake files."""
    values: dict[str, Any] = (
        {"dagster/row_count": sum(committed_unit.rows for committed_unit in committed_units.values())}
        if committed_units
        else {}
    )
    written = [unit for unit in units if unit.files]
    if written:
        contracts = written[-1].contracts
        values["dagster/uri"] = _folder_uri(written[-1].files[-1])
        values["dagster/column_schema"] = column_schema(contracts)
        values |= lineage_metadata(contracts, source_key, written[-1].files)
        values["dltsync/lossy_columns"] = {
            name: contract["lost"] for name, contract in contracts.items() if not contract["lossless"]
        }
        values["dltsync/column_contracts"] = {name: dict(contract) for name, contract in contracts.items()}
    return values


def column_schema(contracts: Mapping[str, Mapping[str, Any]]) -> dg.TableSchema:
    """The columns with their Arrow type; as description the SQL Server type and the fidelity contract."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=contract["arrow_type"],
                description=_described(contract),
                constraints=dg.TableColumnConstraints(nullable=contract["nullable"]),
            )
            for name, contract in contracts.items()
        ]
    )


def _described(contract: Mapping[str, Any]) -> str:
    promise = "lossless" if contract["lossless"] else f"loses {contract['lost']}"
    return "; ".join(
        [contract["sql_type"], promise, *(contract[part] for part in ("origin", "note") if contract[part])]
    )


def _folder_uri(address: str) -> str:
    """The folder of a lake file, which lies in a directory or in an object store."""
    return address.rpartition("/")[0] if "://" in address else Path(address).parent.as_uri()
