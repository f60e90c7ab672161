"""Partitions in Dagster's instance: aligned with the server's; and the partitions of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from dltsync_dagster.partitions import PartitionChanges, partition_changes, portions

_LISTED = 100

DELETIONS_PER_TICK = 200
"""Dagster deletes partitions one by one, in some milliseconds each; a tick has a minute."""


def align(instance: dg.DagsterInstance, name: str, change: PartitionChanges, *, deletions: int | None = None) -> None:
    """Apply changes to the stored partitions of a definition: first add, so that none is missing in between, then delete, at most
    `deletions` of them (None: all)."""
    for keys in portions(change.add):
        instance.add_dynamic_partitions(name, list(keys))
    for key in change.delete[:deletions]:
        instance.delete_dynamic_partition(name, key)


@dataclass(frozen=True)
class Alignment:
    """What a tick did to the stored partitions of a table. `stored` is Dagster's order afterwards; `postponed`: partitions that
    vanished stay as long as a run loads the table."""

    stored: list[str]
    change: PartitionChanges
    postponed: bool

    @property
    def changed(self) -> bool:
        """Whether partitions were added or deleted."""
        return bool(self.change.add or self.change.delete)

    def observation(self, source: dg.AssetKey) -> dg.AssetObservation:
        """What appeared and what vanished, on the asset of the source table."""
        appeared, vanished = (list(keys[:_LISTED]) for keys in (self.change.add, self.change.delete))
        return dg.AssetObservation(
            asset_key=source, metadata={"dltsync/appeared": appeared, "dltsync/vanished": vanished}
        )


def aligned(instance: dg.DagsterInstance, name: str, live: Sequence[str], *, deleting: bool) -> Alignment:
    """Align Dagster's partitions with the live ones, as far as one tick may. While a run loads the table nothing is deleted: its
    range may end at such a partition."""
    stored = list(instance.get_dynamic_partitions(name))
    wanted = partition_changes(stored, live)
    change = PartitionChanges(wanted.add, wanted.delete[:DELETIONS_PER_TICK] if deleting else ())
    postponed = bool(wanted.delete) and not deleting
    if not change.add and not change.delete:
        return Alignment(stored, change, postponed)
    align(instance, name, change)
    return Alignment(list(instance.get_dynamic_partitions(name)), change, postponed)


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
