"""How a load enters its table: by switching where that is possible, else by the next best way. A pure decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from dltsync_core.catalog.facts import PartitioningFacts, Slot
from dltsync_core.catalog.targets import CLUSTERED, TargetFacts
from dltsync_core.errors import WarehouseError
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceScope, UpsertKeys
from dltsync_core.ranges import PartitionRange
from dltsync_core.tsql.warehouse import constraints
from dltsync_core.tsql.warehouse.publish import PartitionSpan
from dltsync_core.warehouse.sqlserver.preflight import Blocker, switch_blockers, truncate_blockers


class Rung(str, Enum):
    """A way into the table, best first. The values appear in reports."""

    SWITCH = "switch"
    """Metadata only: a reader waits for milliseconds."""
    DELETE_AND_INSERT = "delete and insert"
    """Rows are deleted and inserted in one transaction. Under row versions no reader waits."""
    TRUNCATE_AND_INSERT = "truncate and insert"
    """The partitions are emptied, then filled, in one transaction. Readers wait for the whole copy."""
    MERGE = "update and insert"
    """By key: for loads that replace some rows of a table."""


@dataclass(frozen=True)
class Engine:
    """What the database allows. `row_versions`: READ_COMMITTED_SNAPSHOT is on, so that readers do not wait for writers."""

    edition: int
    row_versions: bool


@dataclass(frozen=True)
class LadderSettings:
    """What the config allows."""

    switching: bool = True
    referenced_targets: bool = False


@dataclass(frozen=True)
class Entry:
    """The decision. `span` are the partitions that are replaced, None for a whole table or a merge. `exclusive`: the table
    must be locked first, because readers have no row versions. `reasons` say why a better rung was not taken. `partition`: the
    number of the partition that staging tables without partitions are switched with (None: they lie on the target's scheme)."""

    rung: Rung
    span: PartitionSpan | None = None
    exclusive: bool = False
    reasons: tuple[Blocker, ...] = ()
    partition: int | None = None


def choose(
    target: TargetFacts,
    disposition: Disposition,
    engine: Engine,
    settings: LadderSettings,
    *,
    loaded: Sequence[str] | None = None,
) -> Entry:
    """How rows of a disposition enter a table that exists. `loaded` are the columns of the load, None for all of the table's.
    Raises WarehouseError for a table that must not be emptied."""
    if isinstance(disposition, (MergeKeys, UpsertKeys)):
        return Entry(Rung.MERGE)
    refuse_referenced(target, settings)
    span, reasons = _span(target, disposition)
    if not settings.switching:
        reasons = (*reasons, _SWITCHED_OFF)
    reasons = (*reasons, *switch_blockers(target, engine.edition), *_numbered_by_the_server(target, loaded))
    if not reasons and target.read_only and target.table.partitioning is not None:
        partition, reasons = _single_partition(target, disposition)
        if not reasons:
            return Entry(Rung.SWITCH, span, partition=partition)
    if not reasons:
        return Entry(Rung.SWITCH, span)
    return second_rung(target, span, engine, reasons, whole=not isinstance(disposition, ReplaceScope))


def _numbered_by_the_server(target: TargetFacts, loaded: Sequence[str] | None) -> Iterator[Blocker]:
    """An IDENTITY column that the load does not have: only an INSERT into the table itself gives it values."""
    if loaded is None:
        return
    there = {name.casefold() for name in loaded}
    for column in target.table.columns:
        if column.is_identity and column.name.casefold() not in there:
            yield Blocker(
                "identity",
                None,
                f"column {column.name} is an IDENTITY column that the load does not have, and rows in staging get no numbers",
                "drop the column, or load it",
            )


def _single_partition(target: TargetFacts, disposition: Disposition) -> tuple[int | None, tuple[Blocker, ...]]:
    """The partition that staging tables without partitions can be switched with, where the target's scheme has read-only
    filegroups, on which no table can be made; or what stands against it."""
    partitioning = target.table.partitioning
    if partitioning is None or not isinstance(disposition, ReplaceScope):
        return None, (_read_only(next(iter(target.read_only.values()))),)
    slots = partitions_in(partitioning, disposition.ranges[0])
    here = [target.read_only[slot.number] for slot in slots if slot.number in target.read_only]
    if here:
        return None, (_read_only(here[0]),)
    filegroup = next(iter(target.read_only.values()))
    if len(slots) != 1:
        return None, (no_second_recipe(filegroup, "the load covers several partitions of the target"),)
    if not constraints.can_be_proven(partitioning.column, slots[0].range):
        what = f"no constraint proves a range of {partitioning.column.type_name} to the server"
        return None, (no_second_recipe(filegroup, what),)
    storage = target.storage
    if storage is not None and storage.kind == CLUSTERED and storage.added is not None:
        return None, (no_second_recipe(filegroup, "the clustered index does not have the partition column in it"),)
    return slots[0].number, ()


def second_rung(
    target: TargetFacts, span: PartitionSpan | None, engine: Engine, reasons: tuple[Blocker, ...], *, whole: bool
) -> Entry:
    """Where switching is not possible. TRUNCATE makes readers wait for the whole copy, as DELETE does without row versions; it is
    taken only there, where it is cheaper."""
    may_truncate = whole or span is not None
    if not engine.row_versions and may_truncate and not truncate_blockers(target, engine.edition):
        return Entry(Rung.TRUNCATE_AND_INSERT, span, reasons=reasons)
    return Entry(Rung.DELETE_AND_INSERT, span, exclusive=not engine.row_versions, reasons=reasons)


def refuse_referenced(target: TargetFacts, settings: LadderSettings) -> None:
    """Raises WarehouseError for a table that foreign keys reference, or may reference unseen: deleting its rows may fail, cascade
    into other tables or fire triggers."""
    names = [name for rule, name in target.obstacles if rule == "referenced"]
    if names and not settings.referenced_targets:
        raise WarehouseError(
            f"{target.name} is referenced by foreign key {names[0]}{' and others' if names[1:] else ''}: replacing its rows may "
            "fail (547), or cascade into other tables",
            remedy="drop the foreign key, name another target_table, or set destination.allow_referenced_targets: true",
            table=str(target.name),
        )
    if not settings.referenced_targets and any(rule == "hidden_references" for rule, _ in target.obstacles):
        raise WarehouseError(
            f"{target.name}: this login does not see foreign keys of other tables, and replacing rows that one references may "
            "fail (547), or cascade into other tables",
            remedy="an administrator runs GRANT VIEW DEFINITION TO the login's user, in the warehouse's database; or set "
            "destination.allow_referenced_targets: true",
            table=str(target.name),
        )


def partitions_in(partitioning: PartitioningFacts, wanted: PartitionRange) -> tuple[Slot, ...]:
    """The partitions that together hold exactly the values of a range; empty when none do: a boundary is missing."""
    if wanted.side != partitioning.side and not (wanted.lower is None and wanted.upper is None):
        return ()
    slots = partitioning.slots
    first = next((n for n, slot in enumerate(slots) if slot.range.lower == wanted.lower), None)
    last = next((n for n, slot in enumerate(slots) if slot.range.upper == wanted.upper), None)
    if first is None or last is None or last < first:
        return ()
    return slots[first : last + 1]


def _span(target: TargetFacts, disposition: Disposition) -> tuple[PartitionSpan | None, tuple[Blocker, ...]]:
    partitioning = target.table.partitioning
    if not isinstance(disposition, ReplaceScope):
        if partitioning is None:
            return None, ()
        everything = PartitionRange(None, None, partitioning.side)
        return PartitionSpan(partitioning.function, partitioning.column, everything, len(partitioning.slots)), ()
    if partitioning is None:
        return None, (_NOT_PARTITIONED,)
    if partitioning.column.name.casefold() != disposition.column.name.casefold():
        return None, (_other_column(partitioning.column.name),)
    if len(disposition.ranges) != 1:
        return None, (_SEVERAL_RANGES,)
    (wanted,) = disposition.ranges
    slots = partitions_in(partitioning, wanted)
    if not slots:
        return None, (_missing_boundary(partitioning.function, wanted),)
    return PartitionSpan(partitioning.function, partitioning.column, wanted, len(slots)), ()


_SWITCHED_OFF = Blocker(
    "switched_off", None, "processing.enable_sql_server_partition_switching is false", "set it to true"
)
_NOT_PARTITIONED = Blocker(
    "not_partitioned", 4911, "the target is not partitioned", "partition it by the source's column and boundaries"
)
_SEVERAL_RANGES = Blocker("ranges", None, "the load covers several ranges", "nothing can be done")


def _other_column(column: str) -> Blocker:
    return Blocker(
        "partition_column", 4953, f"the target is partitioned by {column}", "partition it by the source's column"
    )


def _read_only(filegroup: str) -> Blocker:
    return Blocker(
        "read_only", 4978, f"rows of the load lie in read-only filegroup {filegroup}", "make the filegroup read-write"
    )


def no_second_recipe(filegroup: str, why: str) -> Blocker:
    """Staging cannot lie on the target's scheme, and `why` completes: "and …"."""
    return Blocker(
        "read_only",
        1924,
        f"filegroup {filegroup} of the partition scheme is read-only, so that staging cannot lie on the scheme, and {why}",
        "make the filegroup read-write",
    )


def _missing_boundary(function: str, wanted: PartitionRange) -> Blocker:
    return Blocker(
        "boundary",
        4973,
        f"partition function {function} has no partitions for exactly {wanted.key}",
        "split the function at the missing boundary while the partition is empty",
    )
