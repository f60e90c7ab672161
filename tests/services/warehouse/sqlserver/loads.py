"""Loads for the tests of a SQL Server warehouse: small tables, partitions of them, and their markers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.clock import utc_now
from dltsync_core.committed import LoadIdentity, Marker, Probe
from dltsync_core.identity import TableName, Target
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.ranges import parse_key
from dltsync_core.warehouse.port import LoadRequest, TargetLayout
from tests.support.sqlserver_warehouse import SandboxWarehouse
from tests.support.table_facts import column, partitioned

TARGET: Target = ("sales", "Orders")
NUMBER = column("No", "int", is_nullable=False)
TENS = partitioned(NUMBER, ["10", "20"], "right")
KEYED = TargetLayout(("No",))
PARTED = TargetLayout(("No",), TENS)
UNITS = tuple(slot.range.key for slot in TENS.slots)
DISPOSITIONS: tuple[Disposition, ...]


def orders(rows: Mapping[int, str | None]) -> pa.Table:
    """A number that is never NULL, and a note."""
    fields: list[pa.Field[Any]] = [pa.field("No", pa.int32(), nullable=False), pa.field("Note", pa.string())]
    return pa.table(
        {"No": pa.array(list(rows), pa.int32()), "Note": pa.array(list(rows.values()), pa.string())},
        schema=pa.schema(fields),
    )


def part(unit: str) -> ReplaceScope:
    """The rows of a partition."""
    return ReplaceScope(NUMBER, pa.int32(), (parse_key(unit),))


DISPOSITIONS = (ReplaceTable(), part("(-inf,10)"), MergeKeys(("No",)), UpsertKeys(("No",)))


def request(
    house: SandboxWarehouse,
    table: pa.Table,
    how: Disposition | None = None,
    *,
    target: Target = TARGET,
    layout: TargetLayout = KEYED,
    fence: int = 1,
    unit: str = "all",
    pipeline: str = "p",
    retires: tuple[str, ...] = (),
    can_be_undone: bool = False,
) -> LoadRequest:
    """A load with its marker."""
    path = house.root / f"{uuid.uuid4().hex}.parquet"
    pq.write_table(table, path, version="2.6")
    load_id = uuid.uuid4().hex
    identity = LoadIdentity(pipeline, "s/d", TableName("dbo", target[1]), "static", unit, load_id, "run", "definition")
    marker = Marker(identity, fence, table.num_rows, Probe("fingerprint", 2, "2|17", None), None, "digest", utc_now())
    return LoadRequest(
        target,
        (path,),
        table.schema,
        how or ReplaceTable(),
        load_id,
        marker=marker,
        retires=retires,
        layout=layout,
        can_be_undone=can_be_undone,
    )


def rows(house: SandboxWarehouse, target: Target = TARGET) -> list[tuple[Any, ...]]:
    """All rows, in order, read by pyodbc."""
    return house.query(f"SELECT * FROM [{target[0]}].[{target[1]}] ORDER BY 1")


def loaded_by(house: SandboxWarehouse) -> dict[str, str]:
    """Which load each unit of the target comes from, by the markers."""
    return {unit: one.load_id for unit, one in house.warehouse.markers(TARGET, "p").items()}
