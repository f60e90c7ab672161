"""What a load did, as Dagster metadata: `dltsync/…` is ours, `dagster/…` are the names the UI plots and renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq

from dltsync_core.identity import WHOLE_TABLE
from dltsync_core.lake.footer import footer_from
from dltsync_core.plan.heads import Head
from dltsync_core.run.events import Event
from dltsync_core.run.result import ThreeCounts, UnitResult
from dltsync_core.typemap.mapping import SQL_TYPE_KEY

DATA_VERSION_TAG = "dagster/data_version"


def unit_metadata(unit: UnitResult, head: Head | None) -> dict[str, Any]:
    """One unit's load. A unit that was not read (skipped) shows the rows of what is committed, `head`."""
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
    rows = unit.counts.source if unit.counts is not None else head.rows if head is not None else None
    if rows is not None:
        values["dagster/row_count" if unit.unit == WHOLE_TABLE else "dagster/partition_row_count"] = rows
    return values


def _count_metadata(counts: ThreeCounts | None) -> dict[str, Any]:
    if counts is None:
        return {}
    kept = {"dltsync/kept_rows": counts.kept} if counts.kept else {}
    return {
        **kept,
        "dltsync/source_rows": counts.source,
        "dltsync/lake_rows": counts.lake,
        "dltsync/warehouse_rows": counts.warehouse,
        "dltsync/counts_equal": counts.equal,
    }


def committed_metadata(event: Event, head: Head | None) -> dict[str, Any]:
    """A unit that was committed by a run that did not live to give its result."""
    rows = head.rows if head is not None else event.rows
    known = {
        "dltsync/status": "committed",
        "dltsync/load_id": event.load_id,
        "dagster/row_count" if event.unit == WHOLE_TABLE else "dagster/partition_row_count": rows,
    }
    return {name: value for name, value in known.items() if value is not None}


def table_metadata(heads: Mapping[str, Head], source_key: dg.AssetKey, files: Sequence[str]) -> dict[str, Any]:
    """The table as a whole after a run: rows over all units, columns as they stand in the newest lake file."""
    values: dict[str, Any] = {"dagster/row_count": sum(head.rows for head in heads.values())} if heads else {}
    if files:
        newest = Path(files[-1])
        schema, contracts = pq.read_schema(newest), _contracts(newest)
        values["dagster/column_schema"] = column_schema(schema, contracts)
        values["dltsync/lossy_columns"] = {
            name: contract.get("lost") or contract.get("note", "")
            for name, contract in contracts.items()
            if not contract["lossless"]
        }
        values["dltsync/column_contracts"] = {name: dict(contract) for name, contract in contracts.items()}
        values["dagster/column_lineage"] = dg.TableColumnLineage(
            {name: [dg.TableColumnDep(asset_key=source_key, column_name=name)] for name in schema.names}
        )
        values["dagster/uri"] = newest.parent.as_uri()
    return values


def column_schema(schema: Any, contracts: Mapping[str, Mapping[str, Any]]) -> dg.TableSchema:
    """The columns with their Arrow type; as description the SQL Server type they came from and what is promised about them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=_described(_sql_type(field.metadata), contracts.get(field.name, {})),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


def _described(sql_type: str | None, contract: Mapping[str, Any]) -> str | None:
    said = [sql_type] if sql_type else []
    if contract:
        said.append("lossless" if contract["lossless"] else f"loses {contract.get('lost', '')}")
        said += [contract[part] for part in ("origin", "note") if contract.get(part)]
    return "; ".join(said) or None


def _contracts(file: Path) -> Mapping[str, Mapping[str, Any]]:
    """From the footer: what was promised when the file was written."""
    return footer_from(pq.read_metadata(file).metadata, path=str(file)).contracts


def _sql_type(metadata: Mapping[bytes, bytes] | None) -> str | None:
    found = (metadata or {}).get(SQL_TYPE_KEY)
    return found.decode() if found is not None else None
