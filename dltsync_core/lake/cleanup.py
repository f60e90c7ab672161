"""What a publication leaves behind, out of the way of plain globs, and old generations out of the lake.

Only what is provably dead is touched: files of superseded loads, and files without a manifest whose load comes before the
one just published and would be dead for every reader should its manifest still arrive. Files of a later fence belong to
somebody who is at work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from dltsync_core import checkpoints
from dltsync_core.clock import utc_now
from dltsync_core.identity import TableName
from dltsync_core.lake import paths
from dltsync_core.lake.manifest import Manifest, Order, forgettable, in_order
from dltsync_core.lake.storage.directory_lock import LONGER_THAN_ANY_LEASE
from dltsync_core.lake.storage.port import LakeStorage


def remove_superseded(
    storage: LakeStorage,
    latest: Manifest,
    known: Sequence[Manifest],
    current: Collection[Order],
    *,
    keep_generations: int,
    everywhere: bool,
) -> None:
    """Move away what `latest` and earlier loads replaced, and remove generations beyond those kept. `known` are the
    manifests as they were read after `latest` had been written, `current` the orders of those that are live.

    `everywhere` looks at every directory of the table for files that lost their manifest; otherwise at those of `latest` and
    of what was replaced, of which there are few however many partitions the table has.
    """
    replaced = [older for older in in_order(known) if older.order not in current and older.order <= latest.order]
    may_go = {manifest.order for manifest in forgettable(known)} if replaced else set()
    touched = {latest.unit}
    present = _present(storage, latest, replaced, everywhere=everywhere)
    in_place = set(present)

    def retire(key: str, unit: str) -> None:
        touched.add(unit)
        if keep_generations:
            storage.move(key, _retired(latest, unit, key))
        else:
            storage.delete(key)
        checkpoints.reached(checkpoints.RETIRING)

    for older in replaced:  # oldest first: a replaced load never comes back
        for file in older.files:
            if file.path in in_place:
                retire(file.path, older.unit)
        if older.order in may_go:
            retire(paths.manifest_key(older.table, older.load_id), older.unit)
    dead = superseded_files(present, latest, known)
    for key in dead:
        retire(key, latest.unit)
    for key in expired_files(storage, in_place - set(dead), known, utc_now()):
        storage.move(key, f"{paths.unnamed_directory(latest.table)}/{_within(latest.table, key)}")
    for unit in sorted(touched):
        _prune(storage, latest.table, unit, keep_generations)


def _present(storage: LakeStorage, latest: Manifest, replaced: Sequence[Manifest], *, everywhere: bool) -> list[str]:
    data, scope = paths.data_directory(latest.table), _scope(latest)
    if everywhere or scope == data:
        return storage.list(data)
    directories = {scope, *(file.path.rpartition("/")[0] for older in replaced for file in older.files)}
    if data in directories:  # the table was loaded whole before
        return storage.list(data)
    return sorted({key for directory in directories for key in storage.list(directory)})


def superseded_files(present: Iterable[str], latest: Manifest, known: Collection[Manifest]) -> list[str]:
    """Files without a manifest that no reader will ever follow, now that `latest` is there."""
    keys = orphan_files(present, latest, known)
    if latest.replaces_unit:
        return keys
    return [key for key in keys if (order := paths.order_of(key)) is None or order[1] in latest.discards]


def expired_files(
    storage: LakeStorage, present: Iterable[str], known: Collection[Manifest], now: datetime
) -> list[str]:
    """Files of any unit that no manifest names, and that came longer ago than a lease can last: nobody who holds one can
    still be about to name them. Their unit may never be published again, so they are not left to it."""
    named = {file.path for manifest in known for file in manifest.files}
    orphans = (key for key in present if key not in named and paths.order_of(key) is not None)
    return [
        key for key in orphans if (since := storage.placed_at(key)) is not None and now - since > LONGER_THAN_ANY_LEASE
    ]


def orphan_files(present: Iterable[str], ours: Manifest, known: Collection[Manifest]) -> list[str]:
    """Parquet files of the unit being published, of earlier loads, which no manifest names. A file of a name we never
    give is counted among them: it spoils the table for plain globs."""
    directory = _scope(ours)
    earlier = [
        key
        for key in present
        if key.startswith(directory + "/")
        and key.endswith(".parquet")
        and (paths.order_of(key) or (0, "")) < ours.order
    ]
    if not earlier:
        return []
    named = {file.path for manifest in (*known, ours) for file in manifest.files}
    return [key for key in earlier if key not in named]


def _scope(ours: Manifest) -> str:
    """Where files of other loads may only lie if they are of the same unit, or of units and kinds that `ours` takes over."""
    if ours.kind == "partition" and not ours.retires_all:
        return paths.unit_directory(ours.table, ours.kind, ours.unit, ours.order)
    return paths.data_directory(ours.table)


def _retired(latest: Manifest, unit: str, key: str) -> str:
    """Where a replaced file goes: generations are named after the load that replaced them."""
    generation = f"{paths.retired_directory(latest.table, unit)}/{paths.load_part(latest.order)}"
    return f"{generation}/{_within(latest.table, key)}"


def _within(table: TableName, key: str) -> str:
    return key[len(paths.table_directory(table)) + 1 :]


def _prune(storage: LakeStorage, table: TableName, unit: str, keep: int) -> None:
    directory = paths.retired_directory(table, unit)
    generations: dict[str, list[str]] = {}
    for key in storage.list(directory):
        generations.setdefault(key[len(directory) + 1 :].split("/", 1)[0], []).append(key)
    for generation in sorted(generations)[: max(0, len(generations) - keep)]:
        for key in generations[generation]:
            storage.delete(key)
