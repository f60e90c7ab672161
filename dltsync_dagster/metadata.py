"""A load as Dagster metadata: `dltsync/…` are dltsync's names, `dagster/…` are the names that the UI plots and renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from dltsync_core.committed import CommittedUnit
from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.run.result import RowCounts, RunResult, UnitResult
from dltsync_dagster.lineage import files_metadata, lineage_metadata

DATA_VERSION_TAG = "dagster/data_version"
LOAD_ID = "dltsync/load_id"
"""Which load a materialization is about. By it the events of Dagster are compared with the ledger."""


def unit_metadata(unit: UnitResult, committed_rows: int | None = None) -> dict[str, Any]:
    """One unit's load. A skipped unit shows the rows that are committed of it."""
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
        LOAD_ID: unit.load_id,
        "dltsync/watermark": unit.watermark,
        "dltsync/consistency": unit.consistency,
        "dltsync/probe": unit.probe_signature,
        "dltsync/warnings": "\n".join(unit.warnings) or None,
    }
    values |= {name: value for name, value in optional.items() if value is not None}
    if unit.load_method is not None:
        values["dltsync/load_method"] = unit.load_method
    if unit.load_method_reasons:
        values["dltsync/load_method_reasons"] = "; ".join(unit.load_method_reasons)
    values |= _count_metadata(unit.counts)
    values |= files_metadata(unit.files)
    rows = unit.counts.source if unit.counts is not None else committed_rows
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


def notes_metadata(result: RunResult) -> dict[str, Any]:
    """The notes of a run, such as rows that moved between partitions while it read, and what left the warehouse because it
    is out of retention."""
    values: dict[str, Any] = {"dltsync/notes": "\n".join(result.notes)} if result.notes else {}
    if result.removed:
        values["dltsync/removed_rows"] = sum(one.rows for one in result.removed)
        values["dltsync/removed_partitions"] = [unit for one in result.removed for unit in one.partitions]
    return values


def committed_metadata(committed_unit: CommittedUnit) -> dict[str, Any]:
    """A committed unit, from the ledger: its load was not reported by the run that did it."""
    rows = "dagster/row_count" if committed_unit.unit == WHOLE_TABLE else "dagster/partition_row_count"
    values = {
        "dltsync/status": "committed",
        "dltsync/reason": f"reported from the ledger: committed by run {committed_unit.run_id}",
        "dltsync/committed_at": dg.MetadataValue.timestamp(committed_unit.committed_at),
        LOAD_ID: committed_unit.load_id,
        "dltsync/watermark": committed_unit.watermark,
        "dltsync/probe": committed_unit.probe.signature,
        "dltsync/warehouse_rows": committed_unit.warehouse_rows,
        rows: committed_unit.rows,
    }
    return {name: value for name, value in values.items() if value is not None}


def table_metadata(rows: int | None, source_key: dg.AssetKey, units: Sequence[UnitResult]) -> dict[str, Any]:
    """The table as a whole after a load: rows over all units, columns as they stand in the newest lake files."""
    values: dict[str, Any] = {"dagster/row_count": rows} if rows is not None else {}
    written = [unit for unit in units if unit.files]
    if written:
        contracts = written[-1].contracts
        values["dagster/uri"] = _folder_uri(written[-1].files[-1])
        values["dagster/column_schema"] = column_schema(contracts)
        values |= lineage_metadata(contracts, source_key, written[-1].files)
        lost = {name: contract["lost"] for name, contract in contracts.items() if not contract["lossless"]}
        if lost:
            values["dltsync/lossy_columns"] = lost
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
        [
            contract["sql_type"],
            promise,
            *(contract[part] for part in ("origin", "note", "warehouse") if contract.get(part)),
        ]
    )


def _folder_uri(address: str) -> str:
    """The folder of a lake file, which lies in a directory or in an object store."""
    return address.rpartition("/")[0] if "://" in address else Path(address).parent.as_uri()
