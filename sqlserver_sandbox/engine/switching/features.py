"""Features of the two tables that forbid a SWITCH, each with SQL Server's number where that is known."""

from __future__ import annotations

from sqlserver_sandbox.engine.switching.sides import Side, failed
from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.refusal import refused

_UNKNOWN = ("external", "ledger", "graph_node", "graph_edge", "security_policy", "replicated")
"""SQL Server refuses some of these or all; by what number is not documented. The sandbox refuses them as its own."""


def check_features(source: Side, target: Side) -> None:
    """4900, 4918, 4941, 11402, 13546, 13577, 22842, 22843, 22750, 22751, 10794; the refusal where no number is known."""
    for state, side in enumerate((target, source), 1):
        _check_side(side, state)
    _check_capture(source, target)
    _check_temporal(source, target)
    if target.table.features.indexed_view and not source.table.features.indexed_view:
        raise failed(
            11402,
            f". Target table '{target.name}' is referenced by 1 indexed view(s), but source table '{source.name}' is only"
            " referenced"
            " by 0 indexed view(s). Every indexed view on the target table must have at least one matching indexed view on the"
            " source table.",
        )
    if target.table.features.indexed_view:
        raise refused("SWITCH between tables that both have an indexed view: whether the views match is not declared")
    mine, theirs = source.table.features, target.table.features
    if (mine.ansi_nulls, mine.quoted_identifier) != (theirs.ansi_nulls, theirs.quoted_identifier):
        raise refused("SWITCH between tables that were made under different ANSI_NULLS or QUOTED_IDENTIFIER")
    for side in (source, target):
        for column in side.table.columns:
            if column.features.masked or column.features.encryption_type:
                raise refused(f"SWITCH of a table with a masked or encrypted column ('{column.name}')")


def _check_side(side: Side, state: int) -> None:
    features = side.table.features
    if features.change_tracking:
        raise SqlError(
            4900,
            f"The ALTER TABLE SWITCH statement failed for table '{side.name}'. It is not possible to switch the partition"
            " of a table"
            " that has change tracking enabled. Disable change tracking before using ALTER TABLE SWITCH.",
            state=state,
        )
    if features.full_text:
        raise failed(4918, f" because the table '{side.name}' has fulltext index on it.")
    if features.merge_published:
        raise failed(4941, f" because the table '{side.name}' is marked for merge replication.")
    if features.memory_optimized:
        raise SqlError(10794, "The operation 'ALTER TABLE SWITCH' is not supported with memory optimized tables.")
    for name in _UNKNOWN:
        if getattr(features, name):
            raise refused(f"SWITCH of a table with the feature {name}")


def _check_capture(source: Side, target: Side) -> None:
    """Change data capture with @allow_partition_switch = 0, and change feeds, forbid both directions."""
    for side, capture, feed, which in ((target, 22842, 22750, "destination"), (source, 22843, 22751, "source")):
        features = side.table.features
        if features.cdc and not features.cdc_allows_switch and side.partition is not None:
            raise failed(
                capture,
                f" because the partitioned {which} table '{side.name}' is enabled for Change Data Capture and does not have"
                " @allow_partition_switch set to 1.",
            )
        if features.change_feed:
            raise failed(feed, f" because the {which} table '{side.name}' is enabled for Change Feed.")


def _check_temporal(source: Side, target: Side) -> None:
    """SQL Server docs, partitioning with temporal tables: out of the history, into the current table."""
    if source.table.features.temporal == "current":
        raise SqlError(
            13546,
            f"Switching out partition failed on table '{source.name}' because it is not a supported operation on system-versioned"
            " tables. Consider setting SYSTEM_VERSIONING to OFF and trying again.",
        )
    if target.table.features.temporal == "history":
        raise refused("SWITCH into a history table: SQL Server refuses it too, by a number that is not known here")
    if target.table.features.period and not source.table.features.period:
        raise failed(
            13577,
            f" on table '{source.name}' because target table has SYSTEM_TIME PERIOD while source table does not have it.",
        )
