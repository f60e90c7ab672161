"""Source, lake and warehouse compared outside of a load.

`dltsync validate` compares whole tables; at the end of a run the partitions of each table are counted together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import TableConfig
from dltsync_core.digest.segment import HashAlgorithm
from dltsync_core.errors import ConnectError, SyncError
from dltsync_core.identity import TableName
from dltsync_core.logging import reported
from dltsync_core.plan.selection import check_partitions
from dltsync_core.plan.steps import Action
from dltsync_core.run.context import RunContext, log
from dltsync_core.run.planning.resolved import PreparedTable, facts_of, read_facts, resolve_table
from dltsync_core.run.result import UnitResult
from dltsync_core.run.validation.table import ORDINARY, Comparison, ComparisonOptions
from dltsync_core.validate.counts import moved_rows
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
    return check_partitions(keys, partitionings)


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


_SEVERAL = 2


def notes_on_moved_rows(
    context: RunContext, tables: Sequence[PreparedTable], units: Sequence[UnitResult]
) -> tuple[str, ...]:
    """A note for each table whose partitions do not hold as many rows as were committed, or could not be counted. Costs one
    count per table of which a partition was read; none for a single partition. Never raises a SyncError: what was committed
    stays committed."""
    notes: list[str] = []
    for prepared in tables:
        ours = [unit for unit in units if unit.table == prepared.plan.table]
        try:
            notes += _notes_on(context, prepared, ours)
        except SyncError as error:
            notes.append(
                f"{prepared.plan.table}: the partitions could not be counted together at the end of the run, so whether rows "
                f"moved between them while it read is not known: {error.problem}"
            )
    for note in notes:
        log.warning("%s", note, extra=reported("result"))
    return tuple(notes)


def _notes_on(context: RunContext, prepared: PreparedTable, units: Sequence[UnitResult]) -> Iterator[str]:
    resolved = prepared.resolved
    read = {step.unit for step in prepared.plan.steps if step.action is Action.LOAD}
    right = [unit.unit for unit in units if unit.status != "failed"]
    if (
        resolved.config.kind != "partition"
        or len(right) < _SEVERAL
        or not read.intersection(right)
        or context.stop.is_set()
    ):
        return
    live = context.ledger.committed_units(resolved.name).live
    committed = {unit: live[unit].rows for unit in right if unit in live}
    with context.source.read_view() as view:
        found = view.column_stats(resolved.facts, (), {unit: resolved.filter_of(unit) for unit in committed})
    note = moved_rows(resolved.name, committed, {unit: summary.rows for unit, summary in found.items()})
    if note is None:
        return
    now = facts_of(context, resolved.config).partitioning
    if now is None or not {slot.range.key for slot in now.all_slots} >= set(committed):
        yield f"{resolved.name}: boundaries of partitions were moved while the run read: run again"
        return
    yield note
