"""Probes: which statement to send for a table, and what its answer says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from dltsync_core.catalog.facts import ColumnFacts, TableFacts
from dltsync_core.config.tables import PartitionTableConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.errors import CatalogError, NotPartitioned
from dltsync_core.plan.steps import Probe
from dltsync_core.plan.window import window_after
from dltsync_core.tsql.digest import digest_by_slot, digest_rows
from dltsync_core.tsql.fragments import Statement
from dltsync_core.tsql.probes import (
    checksum_table,
    count_by_slot,
    highest_change,
    rowversion_by_slot,
    slot_number,
)
from dltsync_core.tsql.ranges import window_condition
from dltsync_core.typemap.columns import find_column
from dltsync_core.typemap.mapping import TableMapping

Fetch: TypeAlias = Callable[[Statement], list[tuple[Any, ...]]]
"""Sends a statement and returns its rows."""


def change_method(facts: TableFacts, table: PartitionTableConfig) -> tuple[str, ColumnFacts | None]:
    """How changes of a partition are recognised, and by which column. `auto`: rowversion, else last_modified, else fingerprint.

    Raises ColumnNotFound, CatalogError when rowversion is asked for and the table has none.
    """
    rowversion = next((c for c in facts.columns if c.type_name == "rowversion"), None)
    modified = table.last_modified_column
    method = table.change_detection
    if method == "auto":
        method = "rowversion" if rowversion else "last_modified" if modified else "fingerprint"
    if method == "rowversion":
        if rowversion is None:
            raise CatalogError(
                f"{facts.name}: change_detection is rowversion, but no column is of that type",
                remedy="use auto, last_modified or fingerprint",
            )
        return method, rowversion
    if method == "last_modified" and modified is not None:
        column = find_column(facts, modified, "last_modified_column")
        return ("rowversion" if column.type_name == "rowversion" else method), column
    return method, None


def probe_partitions(
    fetch: Fetch, facts: TableFacts, mapping: TableMapping, table: PartitionTableConfig
) -> dict[int, Probe]:
    """The probe of every slot, by slot number, with one statement; a slot without rows has a probe of 0 rows."""
    partitioning = facts.partitioning
    if partitioning is None:
        raise NotPartitioned(f"{facts.name} is not partitioned", remedy="configure it as static or scd")
    method, column = change_method(facts, table)
    slot = slot_number(partitioning.function, partitioning.column)
    if method == "rowversion" and column is not None:
        statement = rowversion_by_slot(facts.name, slot, column)
    elif method == "last_modified" and column is not None:
        statement = digest_by_slot(facts.name, [column], slot, high=column)
    elif method == "row_count":
        statement = count_by_slot(facts.name, slot)
    else:
        statement = digest_by_slot(facts.name, [m.column for m in mapping.columns], slot)
    found: dict[int, Probe] = {}
    for number, rows, *rest in fetch(statement):
        high = rest[-1] if column is not None and rest else None
        found[number] = Probe(method, rows, _signature(rows, *rest, mapping.schema_digest), high)
    empty = Probe(method, 0, _signature(0, mapping.schema_digest))
    return {slot.number: found.get(slot.number, empty) for slot in partitioning.slots}


def probe_scd(
    fetch: Fetch,
    facts: TableFacts,
    mapping: TableMapping,
    table: SCDTableConfig,
    *,
    committed: str | None,
    ceiling: str,
) -> Probe:
    """Count and highest change position; the signature adds a digest of version keys and change column over the lag below
    `committed`, which sees what was committed late or taken away there.

    For a rowversion the highest position stays below `ceiling`, where no transaction is still open.
    """
    modified = find_column(facts, table.last_modified_column, "last_modified_column")
    is_rowversion = modified.type_name == "rowversion"
    ((rows, high),) = fetch(highest_change(facts.name, modified, ceiling if is_rowversion else None))
    window = window_after(committed, high, type_name=modified.type_name, lag_seconds=table.lag_seconds)
    parts = ["-"]
    if committed is not None:
        keys = [find_column(facts, table.effective_date_column, "effective_date_column"), modified]
        keys += [find_column(facts, k, "business_key_columns") for k in table.business_key_columns or facts.primary_key]
        condition = window_condition(modified, window.low, committed)
        parts = [str(part) for part in fetch(digest_rows(facts.name, keys, condition))[0]]
    method = "rowversion" if is_rowversion else "last_modified"
    return Probe(method, rows, _signature(rows, high, *parts, mapping.schema_digest), high)


def probe_static(fetch: Fetch, facts: TableFacts, mapping: TableMapping, table: StaticTableConfig) -> Probe:
    """The digest of the whole content, by the configured hash."""
    columns = [m.column for m in mapping.columns]
    if table.hash_algorithm == "checksum":
        statement = checksum_table(facts.name, columns)
    else:
        statement = digest_rows(facts.name, columns, None, algorithm=table.hash_algorithm)
    ((rows, *sums),) = fetch(statement)
    return Probe(table.hash_algorithm, rows, _signature(rows, *sums, mapping.schema_digest))


def _signature(*parts: object) -> str:
    return "|".join("" if part is None else str(part) for part in parts)
