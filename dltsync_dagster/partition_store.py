"""Partitions as Dagster has them: brought in line with the server, and those that a run is about."""

from __future__ import annotations

import dagster as dg

from dltsync_dagster.partitions import Reconciliation, portions


def align(instance: dg.DagsterInstance, name: str, change: Reconciliation) -> None:
    """Make the stored partitions of a definition what they should be, order included.

    Written directly: a sensor's result may not delete and add the same key, which is what moving a key means.
    """
    for key in change.delete:
        instance.delete_dynamic_partition(name, key)
    for keys in portions(change.add):
        instance.add_dynamic_partitions(name, list(keys))


def partitions_of_run(context: dg.OpExecutionContext) -> list[str]:
    """The partitions that a run is about. A range whose start lies behind its end is empty, and Dagster would call the run a
    success: that raises Failure."""
    keys = list(context.partition_keys)
    if not keys:
        raise dg.Failure(
            description="The partition range of this run is empty: the order of the partitions changed after it was asked "
            "for. Let the sensor partition_boundaries look once, then ask again.",
            allow_retries=False,
        )
    return keys
