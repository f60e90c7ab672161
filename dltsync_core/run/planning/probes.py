"""Probes of the source: of many tables together for plans, of one table for sensors and people; and what an increment is held
against.

Tables are probed together in one read view, by a request for many of them, as long as they are small by the catalogue's count of
rows: a large table's digest takes its own time and has a view of its own. When a request for several tables fails, each is probed
by itself, so that only the one to blame fails, by its own name, after its own retries.

An increment is held against version keys and stamps of all rows, digested at the source in the increment's own read view and
in the warehouse. A row whose change the increment did not read (a stamp below its window) makes the warehouse's another one,
also where counts agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from dltsync_core.committed import CommittedUnits, Probe
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, TableConfig
from dltsync_core.digest.canonical import reason_without_fingerprint
from dltsync_core.digest.segment import digest_batches
from dltsync_core.errors import ConfigError, NotPartitioned, SyncError
from dltsync_core.extract.probes import Probed, ProbedTable
from dltsync_core.identity import WHOLE_TABLE, TableName
from dltsync_core.plan.evidence import STAMPS, figures_of
from dltsync_core.plan.keys import stamped_columns
from dltsync_core.plan.steps import Action, Step
from dltsync_core.run.context import RunContext, log
from dltsync_core.run.failures import Stopped
from dltsync_core.run.planning.resolved import ResolvedTable, facts_of, resolve_table
from dltsync_core.run.retry import with_retries
from dltsync_core.run.workers import Task, run_tasks
from dltsync_core.typemap.mapping import ColumnMapping

MOST_TABLES = 100
"""Tables that one request asks for."""
MOST_ROWS = 250_000
"""Rows of all tables of one request, as the catalogue counts them: seconds of digests at most, so that no request runs for
long and no other table waits for a large one."""


@dataclass(frozen=True)
class TableToProbe:
    """A table, and what its probe is compared with."""

    resolved: ResolvedTable
    committed_units: CommittedUnits

    @property
    def probed(self) -> ProbedTable:
        """What a read view is asked for."""
        table = self.resolved
        committed = table.probed_watermark(self.committed_units) if isinstance(table.config, SCDTableConfig) else None
        return ProbedTable(table.facts, table.mapping, table.config, committed)


def probe_alone(context: RunContext, table: TableToProbe) -> Probed:
    """The probe of one table in a read view of its own, tried again while its failure may pass. Raises any SyncError, Stopped."""

    def attempt() -> Probed:
        (found,) = probe_in_one_view(context, [table])
        return found

    return with_retries(context, attempt, stage="planning", table=table.resolved.name, unit=WHOLE_TABLE)


def probe_tables(
    context: RunContext, tables: Sequence[TableToProbe], *, workers: int
) -> dict[TableName, Probed | Exception]:
    """The probe of each table, or what it raised."""
    found: dict[TableName, Probed | Exception] = {}
    groups = [group for group in groups_of(tables) if len(group) > 1]
    together = [Task(f"group {number}", partial(_together, context, group)) for number, group in enumerate(groups)]
    for group, probes in zip(groups, run_tasks(together, workers=workers, per_group=1, stop=context.stop), strict=True):
        found.update(zip([table.resolved.name for table in group], probes, strict=False))
    left = [table for table in tables if table.resolved.name not in found]
    alone = [Task(str(table.resolved.name), partial(_alone, context, table)) for table in left]
    for table, outcome in zip(left, run_tasks(alone, workers=workers, per_group=1, stop=context.stop), strict=True):
        found[table.resolved.name] = outcome
    return found


def groups_of(tables: Sequence[TableToProbe]) -> list[list[TableToProbe]]:
    """Tables to probe together, each in one group: as many as a request may have by number and rows. Pure."""
    groups: list[list[TableToProbe]] = []
    rows = 0
    for table in tables:
        rows += table.resolved.facts.approx_rows
        if not groups or len(groups[-1]) == MOST_TABLES or rows > MOST_ROWS:
            groups.append([])
            rows = table.resolved.facts.approx_rows
        groups[-1].append(table)
    return groups


def probe_in_one_view(context: RunContext, tables: Sequence[TableToProbe]) -> Sequence[Probed]:
    """The probe of each table, all in one read view; one attempt. Raises what the view raises and what a probe of one raises."""
    with context.source.read_view(ceiling=any(table.resolved.needs_ceiling for table in tables)) as view:
        if len(tables) > 1:
            return view.probe_together([table.probed for table in tables])
        table = tables[0].probed
        if isinstance(table.config, PartitionTableConfig):
            return [dict(view.probe_partitions(table.facts, table.mapping, table.config))]
        if isinstance(table.config, SCDTableConfig):
            return [view.probe_scd(table.facts, table.mapping, table.config, table.committed)]
        return [view.probe_static(table.facts, table.mapping, table.config)]


def _together(context: RunContext, group: Sequence[TableToProbe]) -> Sequence[Probed]:
    """Nothing when that failed: whose fault it was shows when each is alone."""
    try:
        context.raise_if_stopped()
        return probe_in_one_view(context, group)
    except Stopped:
        return ()
    except Exception as error:  # noqa: BLE001 -- the table to blame raises it once more
        # Not the text of a library's error: it may hold what must not be shown.
        why = str(error) if isinstance(error, SyncError) else type(error).__name__
        log.warning("%d tables could not be probed together, so each is probed alone: %s", len(group), why)
        return ()


def _alone(context: RunContext, table: TableToProbe) -> Probed | Exception:
    try:
        return probe_alone(context, table)
    except Exception as error:  # noqa: BLE001 -- one table's surprise must not stop the other tables
        return error


def partition_keys_of(context: RunContext, table: TableConfig) -> list[str]:
    """The units of a partition table within its retention, in catalogue order. Raises ConfigError, CatalogError, ConnectError."""
    if table.kind != "partition":
        raise ConfigError(
            f"{table.name} is configured as {table.kind}: it has no partitions",
            remedy="leave the partitions out, or name a table of partition_tables",
        )
    facts = facts_of(context, table)
    if facts.partitioning is None:
        raise NotPartitioned(f"{facts.name} does not lie on a partition scheme", remedy="configure it as static")
    return [slot.range.key for slot in facts.partitioning.slots]


def probe_units(context: RunContext, table: TableConfig) -> dict[str, Probe]:
    """The probe of each unit, comparable with that of its committed unit."""
    resolved = resolve_table(context, table, facts_of(context, table))
    return probes_by_unit(
        resolved, probe_alone(context, TableToProbe(resolved, context.ledger.committed_units(resolved.name)))
    )


def probes_by_unit(resolved: ResolvedTable, found: Probed) -> dict[str, Probe]:
    """The probes of a table by its units instead of by the numbers of its slots."""
    if isinstance(found, Probe):
        return {WHOLE_TABLE: found}
    return {unit: found[slot.number] for unit in resolved.units if (slot := resolved.slot(unit)) is not None}


def why_unproven(resolved: ResolvedTable) -> str:
    """Why the warehouse's stamps cannot be held against the source's; empty when they can, and where a rowversion makes that
    needless."""
    if resolved.needs_ceiling:
        return ""
    for name in _names(resolved):
        reason = reason_without_fingerprint(_loaded(resolved, name))
        if reason is not None:
            return f"an increment cannot be held against the stamps of all rows ({name}: {reason})"
    return ""


def stamps_at_source(step: Step, probe: Probe) -> str | None:
    """The digest of the source that an increment must lead to; None where there is nothing to hold it against."""
    return figures_of(probe.signature, STAMPS) if step.action is Action.LOAD_INCREMENT else None


def stamps_in_warehouse(context: RunContext, resolved: ResolvedTable) -> str:
    """The same digest of the rows that the warehouse holds. Reads the key and the stamp of every one of them."""
    columns = [_loaded(resolved, name) for name in _names(resolved)]
    with context.warehouse.rows(resolved.target, None, resolved.fields_of(_names(resolved))) as batches:
        return digest_batches(batches, columns).text.replace("|", ",")


def _names(resolved: ResolvedTable) -> tuple[str, ...]:
    return stamped_columns(resolved.facts, resolved.config) if isinstance(resolved.config, SCDTableConfig) else ()


def _loaded(resolved: ResolvedTable, name: str) -> ColumnMapping:
    column = resolved.mapping.column(name)
    if column is None:
        raise ValueError(f"{resolved.name}: {name} is left out, although versions are told apart by it")
    return column
