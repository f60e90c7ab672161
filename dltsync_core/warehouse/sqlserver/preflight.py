"""What stands against switching a partition, or emptying one, read from the catalogue alone, before a row is loaded.

Each rule has the number of the error that SQL Server would raise, because its messages are what people search for. Numbers and
conditions are those of "ALTER TABLE … SWITCH" and "TRUNCATE TABLE" in Microsoft's reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dltsync_core.catalog.targets import (
    CLUSTERED,
    CLUSTERED_COLUMNSTORE,
    HEAP,
    NONCLUSTERED,
    IndexFacts,
    TargetFacts,
)
from dltsync_core.identity import dotted

FABRIC_SQL = 12
_TEMPORAL = {1: "the history table of a temporal table", 2: "a temporal table with system versioning"}


@dataclass(frozen=True)
class Blocker:
    """One thing that stands against a statement. `number` is SQL Server's error, None where it has none and dltsync refuses by
    itself. `problem` and `remedy` are sentences."""

    rule: str
    number: int | None
    problem: str
    remedy: str

    def __str__(self) -> str:
        number = f" (error {self.number})" if self.number is not None else ""
        return f"{self.problem}{number}; {self.remedy}"


def switch_blockers(target: TargetFacts, engine_edition: int) -> tuple[Blocker, ...]:
    """What stands against switching partitions, or the whole table when it has none. Empty: it can be switched."""
    return (
        *_engine(engine_edition),
        *_properties(target),
        *_obstacles(target, _SWITCH_OBSTACLES),
        *_columns(target),
        *_constraints(target),
        *(blocker for index in target.indexes for blocker in _index(target, index)),
    )


def truncate_blockers(target: TargetFacts, engine_edition: int) -> tuple[Blocker, ...]:
    """What stands against TRUNCATE TABLE, with or without partitions."""
    found = [*_engine(engine_edition)] if target.table.partitioning is not None else []
    found += [blocker for blocker in _properties(target) if blocker.rule in _TRUNCATE_PROPERTIES]
    found += _obstacles(target, _TRUNCATE_OBSTACLES)
    found += [b for index in target.indexes for b in _index(target, index) if b.rule == "unaligned_index"]
    return tuple(found)


def _engine(engine_edition: int) -> Iterator[Blocker]:
    if engine_edition == FABRIC_SQL:
        yield Blocker(
            "engine",
            None,
            "SQL database in Fabric does not allow SWITCH, SPLIT and MERGE of partitions",
            "nothing can be done in this engine",
        )


_FLAGS: Mapping[str, tuple[int | None, str, str]] = {
    "is_memory_optimized": (None, "the table is memory-optimised", "load into a table on disk"),
    "is_filetable": (None, "the table is a FileTable", "load into an ordinary table"),
    "is_external": (None, "the table is external", "load into an ordinary table"),
    "is_node": (None, "the table is a graph node table", "load into an ordinary table"),
    "is_edge": (None, "the table is a graph edge table", "load into an ordinary table"),
    "is_merge_published": (4941, "the table is published for merge replication", "take it out of the publication"),
    "is_replicated": (
        None,
        "the table is published for replication, which blocks SWITCH unless the publication allows it",
        "take it out of the publication",
    ),
    "is_tracked_by_cdc": (
        22842,
        "change data capture is enabled: switched rows would not be captured",
        "disable it, or accept that rows are deleted and inserted instead",
    ),
    "text_in_row_limit": (4954, "the table has a text-in-row limit", "remove it with sp_tableoption"),
    "large_value_types_out_of_row": (
        4993,
        "large values are stored out of row",
        "set the option `large value types out of row` off with sp_tableoption",
    ),
}
_TRUNCATE_PROPERTIES = {
    "is_memory_optimized",
    "is_external",
    "is_replicated",
    "is_merge_published",
    "is_tracked_by_cdc",
} | {
    "temporal_type",
    "ledger_type",
}


def _properties(target: TargetFacts) -> Iterator[Blocker]:
    properties = target.properties
    for name, (number, problem, remedy) in _FLAGS.items():
        if properties.get(name):
            yield Blocker(name, number, problem, remedy)
    if temporal := _TEMPORAL.get(properties.get("temporal_type") or 0):
        yield Blocker("temporal_type", 13546, f"the table is {temporal}", "load into a table without system versioning")
    if properties.get("ledger_type"):
        yield Blocker("ledger_type", None, "the table is a ledger table", "load into an ordinary table")
    if properties.get("uses_ansi_nulls") == 0:
        yield Blocker(
            "ansi_nulls", None, "the table was created with ANSI_NULLS OFF", "create it again with ANSI_NULLS ON"
        )


_SWITCH_OBSTACLES: Mapping[str, tuple[int | None, str, str]] = {
    "referenced": (4967, "foreign key {name} references the table", "drop the foreign key"),
    "change_tracking": (4900, "change tracking is enabled", "disable it (ALTER TABLE … DISABLE CHANGE_TRACKING)"),
    "row_filter": (None, "a security policy filters or blocks its rows", "take the table out of the policy"),
    "full_text": (4918, "the table has a full-text index", "drop the index"),
    "rowguidcol": (4958, "column {name} is ROWGUIDCOL", "drop the property (ALTER COLUMN … DROP ROWGUIDCOL)"),
    "ansi_padding": (
        4952,
        "column {name} was created with ANSI_PADDING OFF",
        "create the column again with ANSI_PADDING ON",
    ),
    "rule": (4964, "a rule is bound to column {name}", "unbind it with sp_unbindrule"),
    "xml_collection": (4987, "column {name} has an XML schema collection", "take the collection off the column"),
    "masked": (None, "column {name} is masked", "load into a table without the mask"),
    "indexed_view": (11400, "indexed view {name} is built on the table", "drop the view's clustered index"),
}
_TRUNCATE_OBSTACLES: Mapping[str, tuple[int | None, str, str]] = {
    "referenced": (4712, "foreign key {name} references the table", "drop the foreign key"),
    "indexed_view": (4711, "indexed view {name} is built on the table", "drop the view's clustered index"),
    "change_tracking": (
        None,
        "change tracking is enabled: TRUNCATE would drop its data without a trace for its readers",
        "disable it",
    ),
    "row_filter": _SWITCH_OBSTACLES["row_filter"],
}


def _obstacles(target: TargetFacts, rules: Mapping[str, tuple[int | None, str, str]]) -> Iterator[Blocker]:
    for rule, name in target.obstacles:
        if rule in rules:
            number, problem, remedy = rules[rule]
            yield Blocker(rule, number, problem.format(name=dotted(name)), remedy)


def _columns(target: TargetFacts) -> Iterator[Blocker]:
    for column in target.table.columns:
        name = dotted(column.name)
        if column.is_computed:
            yield Blocker("computed", 4965, f"column {name} is computed", "drop the column, or use a view for it")
        if column.is_sparse or column.is_column_set:
            yield Blocker("sparse", 11412, f"column {name} is sparse or a column set", "make it an ordinary column")
        if column.is_filestream:
            yield Blocker("filestream", 4951, f"column {name} is FILESTREAM", "make it varbinary(max)")
        if column.is_encrypted:
            yield Blocker("encrypted", None, f"column {name} is encrypted", "load into a table without the protection")
        if column.generated:
            yield Blocker("generated", 13577, f"column {name} is set by the server", "leave periods to the source")
        if column.is_clr or column.type_name == "rowversion" or column.alias_name is not None:
            yield Blocker(
                "type",
                4944,
                f"column {name} has a type that staging does not copy ({column.alias_name or column.type_name})",
                "declare it with a system type",
            )


def _constraints(target: TargetFacts) -> Iterator[Blocker]:
    """CHECK constraints and foreign keys are made on staging too, trusted, except those where that may not be enough."""
    for check in target.checks:
        name = dotted(check.name)
        if check.is_disabled:
            continue  # it is not compared
        if check.definition is None:
            yield Blocker(
                "check",
                4970,
                f"the login may not see the definition of CHECK constraint {name}, so staging cannot have it",
                "grant VIEW DEFINITION on the table",
            )
        elif check.is_not_for_replication:
            yield Blocker(
                "check", 4975, f"CHECK constraint {name} is NOT FOR REPLICATION", "make it again without that option"
            )
    for key in target.foreign_keys:
        name = dotted(key.name)
        if key.is_disabled or key.is_not_for_replication or key.acts:
            what = (
                "is disabled"
                if key.is_disabled
                else "is NOT FOR REPLICATION"
                if key.is_not_for_replication
                else "changes rows by itself (CASCADE, SET NULL or SET DEFAULT)"
            )
            yield Blocker(
                "foreign_key",
                4968,
                f"the table has foreign key {name}, which {what}: staging does not have its like",
                "make it an ordinary foreign key, or drop it",
            )


_COPIED = {HEAP, CLUSTERED, NONCLUSTERED, CLUSTERED_COLUMNSTORE}


def _index(target: TargetFacts, index: IndexFacts) -> Iterator[Blocker]:
    storage = target.storage
    name = dotted(index.name) if index.name is not None else "the heap"
    if index.kind in {"XML", "SPATIAL"}:
        yield Blocker("special_index", 4983, f"the table has {index.kind} index {name}", "drop the index")
        return
    if index.is_disabled:
        if storage is index:
            yield Blocker("disabled_index", 4914, f"clustered index {name} is disabled", "rebuild it")
        return  # a disabled index on the side is not compared
    if storage is not None and index.function_id != storage.function_id:
        yield Blocker(
            "unaligned_index",
            7733,
            f"index {name} is not partitioned as the table is",
            "create it again on the table's partition scheme",
        )
    elif index.kind not in _COPIED or index.has_filter:
        what = "is filtered" if index.has_filter else f"is a {index.kind.lower()} index"
        yield Blocker(
            "index", 4947, f"index {name} {what}, which staging does not copy", "drop it, or disable it during loads"
        )
    if index.is_read_only:
        yield Blocker("read_only", 4978, f"{name} lies in a read-only filegroup", "make the filegroup read-write")
