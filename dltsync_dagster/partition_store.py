"""Partitions in Dagster's instance: aligned with the server; and the partitions of a run."""

from __future__ import annotations

import dagster as dg

from dltsync_dagster.partitions import Reconciliation, portions


def align(instance: dg.DagsterInstance, name: str, change: Reconciliation) -> None:
    """Apply a reconciliation to the stored partitions of a definition, order included.

    Written directly: a sensor's result may not delete and add the same key, which is what moving a key means.
    """
    for key in change.delete:
        instance.delete_dynamic_partition(name, key)
    for keys in portions(change.add):
        instance.add_dynamic_partitions(name, list(keys))


def partitions_of_run(context: dg.OpExecutionContext) -> list[str]:
    """The partitions of a run. A range whose start lies behind its end is empty, and Dagster would report success: that
    raises Failure."""
    keys = list(context.partition_keys)
    if not keys:
        raise dg.Failure(
            description="The partition range of this run is empty: the order of the partitions changed after the request. "
            "Wait for one tick of the sensor partition_boundaries, then request the run again.",
            allow_retries=False,
        )
    return keys
