"""Compare source, lake and warehouse as they are now, outside of any load: rows, and figures of every column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import TableConfig
from dltsync_core.digest.segment import HashAlgorithm
from dltsync_core.errors import ConnectError, SyncError
from dltsync_core.identity import TableName
from dltsync_core.plan.selection import check_partition_keys
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.table import read_facts, resolve_table
from dltsync_core.run.validation.table import ORDINARY, Comparison, ComparisonOptions
from dltsync_core.validate.report import TableComparison


def compare_tables(
    context: RunContext,
    tables: Sequence[TableConfig],
    partition_keys: Sequence[str] | None = None,
    *,
    algorithm: HashAlgorithm | None = None,
    row_diff: bool = False,
) -> list[TableComparison]:
    """Every table, in order; with `partition_keys` only these partitions, with `algorithm` by fingerprint as well, with
    `row_diff` down to the rows that differ. Raises ConnectError, and ConfigError for a key that no table has; what else goes
    wrong makes its table invalid."""
    facts, errors = read_facts(context, tables)
    chosen = _chosen(tables, facts, partition_keys)
    if chosen is not None:
        tables = [table for table in tables if table.kind == "partition"]
    return [
        compare_table(context, table, facts[table.name], ComparisonOptions(chosen, algorithm, row_diff))
        if table.name in facts
        else TableComparison(table.name, table.kind, (), (str(errors[table.name]),))
        for table in tables
    ]


def _chosen(
    tables: Sequence[TableConfig], facts: Mapping[TableName, TableFacts], keys: Sequence[str] | None
) -> frozenset[str] | None:
    if keys is None:
        return None
    partitionings = [facts[t.name].partitioning for t in tables if t.kind == "partition" and t.name in facts]
    return check_partition_keys(keys, [slot.range.key for p in partitionings if p is not None for slot in p.slots])


def compare_table(
    context: RunContext, table: TableConfig, facts: TableFacts, closeness: ComparisonOptions = ORDINARY
) -> TableComparison:
    """Every unit of one table in the three places. A table that cannot be compared says why and is not valid."""
    try:
        return Comparison(context, resolve_table(context, table, facts), closeness).made()
    except ConnectError:
        raise
    except SyncError as error:
        return TableComparison(facts.name, table.kind, (), (str(error),))
