"""Small loads for the tests of the lake: a table of orders, and rows with values that travel badly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa

from dltsync_core.committed import LoadIdentity, Probe, TableKind
from dltsync_core.identity import WHOLE_TABLE, TableName, new_load_id
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.load import FinalFacts, LoadFacts, StagedFiles
from dltsync_core.lake.manifest import Manifest
from dltsync_core.ranges import parse_key

ORDERS = TableName("sales", "Orders")
FIELDS: list[pa.Field[Any]] = [
    pa.field("OrderNo", pa.int32(), nullable=False),
    pa.field("Amount", pa.decimal128(38, 10)),
    pa.field("Note", pa.string()),
]
SCHEMA = pa.schema(FIELDS)


def identity_of(
    kind: TableKind, unit: str = WHOLE_TABLE, *, table: TableName = ORDERS, load_id: str = "", run_id: str = "run-1"
) -> LoadIdentity:
    return LoadIdentity("shop", "db1/shop", table, kind, unit, load_id or new_load_id(), run_id, "d1")


def as_load(manifest: Manifest, *, load_id: str, **more: Any) -> Manifest:
    """The same manifest for another load, with other facts of its identity (`unit`, `kind`)."""
    return replace(manifest, identity=replace(manifest.identity, load_id=load_id, **more))


def facts_of(
    kind: TableKind,
    unit: str = WHOLE_TABLE,
    *,
    table: TableName = ORDERS,
    load_id: str = "",
    run_id: str = "run-1",
    **more: Any,
) -> LoadFacts:
    range_ = parse_key(unit) if kind == "partition" else None
    given: dict[str, Any] = {
        "schema": SCHEMA,
        "source_server": "db1",
        "source_database": "shop",
        "partition_range": range_,
    }
    return LoadFacts(identity_of(kind, unit, table=table, load_id=load_id, run_id=run_id), **{**given, **more})


def final_facts(rows: int, **more: Any) -> FinalFacts:
    given: dict[str, Any] = {
        "counted_rows": rows,
        "probe": Probe("rowversion", rows, f"{rows}:0x00000000000007D1", "2026-11-23 08:59:59.1234567"),
        "schema_digest": "5c3e",
        "consistency": "snapshot",
        "extracted_at": "2026-11-23T09:00:00.000000Z",
    }
    return FinalFacts(**{**given, **more})


def batch_of(numbers: Sequence[int], *, amount: str = "1.5", note: str | None = "x") -> pa.RecordBatch:
    count = len(numbers)
    columns: list[pa.Array[Any]] = [
        pa.array(numbers, pa.int32()),
        pa.array([Decimal(amount)] * count, pa.decimal128(38, 10)),
        pa.array([note] * count, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def stage(lake: Lake, facts: LoadFacts, numbers: Sequence[int], **final: Any) -> StagedFiles:
    with lake.stage(facts) as load:
        if numbers:
            load.write(batch_of(numbers))
        return load.finish(final_facts(len(numbers), **final))


def publish(
    lake: Lake, kind: TableKind, unit: str, numbers: Sequence[int], *, retire_all: bool = False, **more: Any
) -> Manifest:
    """Publish as the only one at work: under a fence of its own."""
    staged = stage(lake, facts_of(kind, unit, **more), numbers)
    return lake.publish(staged, fence=next_fence(lake, staged), retire_all=retire_all)


def next_fence(lake: Lake, staged: StagedFiles) -> int:
    return lake.highest_sequence(staged.facts.table) + 1


def manifest_of(unit: str) -> Manifest:
    return Manifest(
        identity=identity_of("partition", unit, load_id="L"),
        probe=Probe("", 0, ""),
        sequence=1,
        files=(),
        rows=0,
        columns=(),
        schema_digest="",
        watermark_low=None,
        consistency="snapshot",
        extracted_at="",
        created_at="",
        replaces_unit=True,
    )
