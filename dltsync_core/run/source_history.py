"""What the source said of some versions at the last load. The lake tells: it holds the rows as they were extracted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack

import pyarrow as pa

from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.errors import LakeError
from dltsync_core.history.handler import Key, ScdTarget
from dltsync_core.history.versions import SourceHistory, SourceVersion
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.lake.lake import Lake
from dltsync_core.validate.lake_rows import lake_rows
from dltsync_core.warehouse.duckdb.version_sql import version_table

_WANTED = "dltsync_wanted"
_SAME_EVERYWHERE = frozenset({"VARCHAR", "TINYINT", "UTINYINT", "SMALLINT", "INTEGER", "BIGINT", "DATE"})
"""Types in DuckDB whose values are the same text in DuckDB and SQL Server."""


def history_in_lake(
    lake: Lake,
    table: TableName,
    scd: ScdTarget,
    types: Mapping[str, str] | None,
    keys: Collection[Key],
    memory: DuckDbMemory,
) -> SourceHistory:
    """All versions of these keys, of each the newest load's row. `table` is spelt as in the lake, `types` are those of the
    warehouse's columns in DuckDB; None for another warehouse: those of the lake. Every file of the table is read and its
    checksum compared. Raises LakeError when the lake does not hold the table whole, or writes a key otherwise than that
    warehouse."""
    manifests = lake.current(table).get(WHOLE_TABLE, ())
    if not manifests or any(manifest.kind != "scd" for manifest in manifests):
        raise LakeError(f"the lake holds no history of {table}", remedy="`dltsync run` loads it")
    columns = scd.columns
    found: dict[Key, list[SourceVersion]] = defaultdict(list)
    with ExitStack() as stack:
        loads = [stack.enter_context(lake.files(manifest)) for manifest in manifests]
        if not any(loads):
            return found
        version_keys = (*columns.business_keys, columns.effective_date)
        connection, relation = stack.enter_context(lake_rows(loads, version_keys, memory))
        if types is None:
            described = connection.execute(f"DESCRIBE SELECT * FROM {relation} AS d_rows").fetchall()
            types = {str(name): str(kind) for name, kind, *_ in described}
            _check_keys(table, columns.business_keys, types)
        sql = version_table("", scd.target, columns, dict(types))
        wanted = {
            f"k{number}": pa.array([key[number] for key in keys], pa.string())
            for number in range(len(columns.business_keys))
        }
        connection.register(_WANTED, pa.table(wanted))
        for *key, start, end, latest in connection.execute(sql.said_of(relation, _WANTED, types)).fetchall():
            found[tuple(key)].append(SourceVersion(int(start), None if end is None else int(end), bool(latest)))
    return found


def _check_keys(table: TableName, keys: Sequence[str], types: Mapping[str, str]) -> None:
    """Raises LakeError for a key whose text differs from database to database, such as that of a date and time."""
    for key in keys:
        kind = types.get(key, "")
        if kind not in _SAME_EVERYWHERE and not kind.startswith("DECIMAL"):
            raise LakeError(
                f"{table}: values of the key {key} ({kind or 'not in the lake'}) cannot be compared with those of the warehouse",
                remedy="look at the rows at the source",
            )
