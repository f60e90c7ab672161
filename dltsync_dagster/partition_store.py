"""Carrying a reconciliation out in Dagster's instance."""

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
