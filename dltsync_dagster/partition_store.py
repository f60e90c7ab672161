"""Partitions in Dagster's instance: aligned with the server's; and the partitions of a run."""

from __future__ import annotations

import dagster as dg

from dltsync_dagster.partitions import PartitionChanges, portions

DELETIONS_PER_TICK = 200
"""Dagster deletes partitions one by one, in some milliseconds each; a tick has a minute."""


def align(instance: dg.DagsterInstance, name: str, change: PartitionChanges, *, deletions: int | None = None) -> None:
    """Apply changes to the stored partitions of a definition: first add, so that none is missing in between, then delete, at most
    `deletions` of them (None: all)."""
    for keys in portions(change.add):
        instance.add_dynamic_partitions(name, list(keys))
    for key in change.delete[:deletions]:
        instance.delete_dynamic_partition(name, key)


def partitions_of_run(context: dg.OpExecutionContext) -> list[str]:
    """The partitions of a run. A range whose start lies behind its end in Dagster's order is empty, and Dagster would report
    success: that raises Failure."""
    keys = list(context.partition_keys)
    if not keys:
        raise dg.Failure(
            description="The partition range of this run is empty: its first partition stands behind its last one in Dagster's "
            "list, where new partitions are added at the end. Choose the partitions one by one, or launch a backfill of them: it "
            "forms ranges that Dagster's order allows.",
            allow_retries=False,
        )
    return keys
