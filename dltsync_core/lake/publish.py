"""How a load becomes visible, in an order that survives a stop anywhere and a publisher that comes too late.

1. A load whose unit a later fence holds already is refused, with nothing touched.
2. The verified files take their public names. Until step 3 no manifest names them; who follows manifests sees nothing. A stop
   here leaves orphans, which the next run or recovery sets aside once the lease they were published under is over.
3. The lease is asked for once more, since without it those files may be gone. The manifest appears, whole. This is the moment of
   publication: it also says which earlier loads it replaces.
4. The manifests are read once more. If a later fence replaced our load in between, ours is dead for every reader whatever
   happens now; its files go, and the publisher learns that it was fenced.
5. What the table has left behind moves to `_retired` (`lake.cleanup`). A stop here leaves clutter for a plain glob,
   which the next publication clears.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Any

import pyarrow as pa

from dltsync_core import checkpoints
from dltsync_core.clock import iso, utc_now
from dltsync_core.committed import lake_digest
from dltsync_core.errors import Fenced, SyncError
from dltsync_core.lake import paths
from dltsync_core.lake.cleanup import orphan_files, remove_superseded
from dltsync_core.lake.load import LoadFacts, StagedFiles
from dltsync_core.lake.manifest import (
    Manifest,
    ManifestColumn,
    ManifestFile,
    forgettable,
    live,
    winner_over,
)
from dltsync_core.lake.manifest_index import Manifests
from dltsync_core.lake.storage.port import LakeStorage
from dltsync_core.typemap.uuids import type_name


def nobody_asked() -> None:
    """For publishers without a lease, of whom there is one at a time."""


def publish(
    storage: LakeStorage,
    staged: StagedFiles,
    *,
    fence: int,
    retire: Sequence[str],
    retire_all: bool,
    keep_generations: int,
    manifests: Manifests,
    everywhere: bool,
    turn: AbstractContextManager[Any],
    still_ours: Callable[[], None] = nobody_asked,
) -> Manifest:
    """Publish one load. Raises Fenced when a later fence holds its unit: nothing of ours is visible then.

    Cleared up is what this load concerns, or the whole table (`everywhere`), which is a look at every partition.

    `turn` is held from the manifest on. Correctness needs no lock; it spares threads of one process that publish units of
    one table the clearing up after each other. Files are taken in without it, since that may be an upload.
    """
    table = staged.facts.table
    manifest = _manifest_of(staged, fence=fence, retire=retire, retire_all=retire_all)
    earlier = manifests.scan(storage, table)
    if winner_over(manifest, earlier) is not None:
        raise _fenced(manifest, earlier)
    manifest = replace(
        manifest, discards=_left_behind(storage, manifest, earlier), builds_on=_builds_on(manifest, earlier)
    )
    _take_in_files(storage, staged, manifest)
    with turn:
        _put_manifest(storage, manifest, still_ours)
        checkpoints.reached(checkpoints.MANIFEST_WRITTEN)
        _withdraw_without_files(storage, manifest, still_ours)
        known = manifests.scan(storage, table)
        current = {other.order for other in live(known)}
        if manifest.order not in current:
            _step_aside(storage, manifest, known)
            raise _fenced(manifest, known)
        remove_superseded(storage, manifest, known, current, keep_generations=keep_generations, everywhere=everywhere)
    return manifest


def _put_manifest(storage: LakeStorage, manifest: Manifest, still_ours: Callable[[], None]) -> None:
    """The moment of publication. When it surely did not happen the files are taken back. When nobody can tell (a request
    without an answer may still be carried out) they stay: a manifest must never name files that are gone. Such a load is
    published and not committed, or files without a manifest; the next run understands both."""
    key = paths.manifest_key(manifest.table, manifest.load_id)
    try:
        still_ours()
    except BaseException:
        _take_back(storage, manifest.files)
        raise
    try:
        storage.put(key, manifest.to_json().encode())
    except SyncError as error:
        if not error.is_transient and storage.read(key) is None:
            for file in manifest.files:
                storage.delete(file.path)
        raise


def _withdraw_without_files(storage: LakeStorage, manifest: Manifest, still_ours: Callable[[], None]) -> None:
    """Who stood still just before its manifest was written, for longer than its lease lasts, may find that its files were set
    aside as orphans. Nothing was retired for such a load yet: without its manifest the table is what it was. Raises Fenced."""
    try:
        still_ours()
    except Fenced:
        if any(storage.placed_at(file.path) is None for file in manifest.files):
            storage.delete(paths.manifest_key(manifest.table, manifest.load_id))
            _take_back(storage, manifest.files)
            raise
    except SyncError:  # the ledger does not answer: whoever commits asks it again
        return


def _step_aside(storage: LakeStorage, manifest: Manifest, known: Collection[Manifest]) -> None:
    """Remove a load of ours that was dead on arrival: no reader follows its manifest, so its files may go first."""
    for file in manifest.files:
        storage.delete(file.path)
    if manifest in forgettable(known):
        storage.delete(paths.manifest_key(manifest.table, manifest.load_id))


def _fenced(manifest: Manifest, known: Collection[Manifest]) -> Fenced:
    winner = winner_over(manifest, known)
    by = f"load {winner.load_id} of run {winner.run_id}" if winner is not None else "another load"
    return Fenced(
        f"{manifest.table} {manifest.unit}: {by} took this unit over while load {manifest.load_id} was under way; "
        "nothing of ours was made visible",
        remedy="nothing is lost; the next run looks again and reads what is missing",
        table=str(manifest.table),
        unit=manifest.unit,
    )


def _manifest_of(staged: StagedFiles, *, fence: int, retire: Sequence[str], retire_all: bool) -> Manifest:
    facts, final = staged.facts, staged.final
    order = fence, facts.load_id
    directory = paths.unit_directory(facts.table, facts.kind, facts.unit, order)
    return Manifest(
        identity=facts.identity,
        probe=final.probe,
        sequence=fence,
        files=tuple(
            ManifestFile(paths.file_key(directory, order, number), file.rows, file.bytes, file.sha256)
            for number, file in enumerate(staged.files)
        ),
        rows=staged.rows,
        columns=tuple(_column(facts, field) for field in facts.schema),
        schema_digest=final.schema_digest,
        watermark_low=final.watermark_low,
        consistency=final.consistency,
        extracted_at=final.extracted_at,
        created_at=iso(utc_now()),
        replaces_unit=facts.kind != "scd" or retire_all,
        retires=tuple(retire),
        retires_all=retire_all,
    )


def _column(facts: LoadFacts, field: pa.Field[Any]) -> ManifestColumn:
    contract = facts.contracts.get(field.name, {})
    return ManifestColumn(
        field.name,
        type_name(field.type),
        field.nullable,
        sql_type=str(contract.get("sql_type", "")),
        collation=contract.get("collation"),
        representation=str(contract.get("representation", "")),
        column_id=facts.column_ids.get(field.name, 0),
    )


def _builds_on(manifest: Manifest, earlier: Sequence[Manifest]) -> str:
    """The loads that stay part of the unit beside this one, as a digest; nothing for a load that replaces them."""
    if manifest.replaces_unit:
        return ""
    return lake_digest(m.load_id for m in live(earlier) if m.unit == manifest.unit and not manifest.supersedes(m))


def _left_behind(storage: LakeStorage, manifest: Manifest, earlier: Sequence[Manifest]) -> tuple[str, ...]:
    """Earlier loads of an increment's unit that have files but no manifest: they are cleared away after this one, so a
    manifest of theirs that still arrives must be dead. Loads that replace their unit need not name them."""
    if manifest.replaces_unit:
        return ()
    keys = orphan_files(storage.list(paths.data_directory(manifest.table)), manifest, earlier)
    orders = {order for key in keys if (order := paths.order_of(key)) is not None}
    # Asked by name as well: a listing may be older than the manifest, on a network disk.
    return tuple(
        load_id for _, load_id in sorted(orders) if storage.read(paths.manifest_key(manifest.table, load_id)) is None
    )


def _take_in_files(storage: LakeStorage, staged: StagedFiles, manifest: Manifest) -> None:
    taken: list[str] = []
    try:
        for source, target in zip(staged.files, manifest.files, strict=True):
            taken.append(target.path)
            storage.take_in(source, target.path)
            checkpoints.reached(checkpoints.FILE_IN_PLACE)
    except BaseException:
        _take_back(storage, manifest.files[: len(taken)])
        raise


def _take_back(storage: LakeStorage, files: Sequence[ManifestFile]) -> None:
    """Remove files that no manifest names: they must not wait in a plain reader's way."""
    for file in files:
        with suppress(SyncError):  # the first error is the one to tell; the next run sets aside what is left
            storage.delete(file.path)
