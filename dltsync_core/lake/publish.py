"""How a load becomes visible, in an order that survives a stop anywhere.

1. The verified files take their public names. Until step 2 no manifest names them; who follows manifests sees nothing.
2. The manifest appears, whole. This is the moment of publication: it also says which earlier loads it replaces.
3. What it replaced moves to `_retired`, file by file, each load's manifest last. So do files that an earlier attempt
   left behind after step 1. A stop here leaves clutter for a plain glob, which the unit's next publication clears.
4. Retired generations beyond the number kept are removed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from dltsync_core import checkpoints
from dltsync_core.clock import iso, utc_now
from dltsync_core.identity import TableName
from dltsync_core.lake import paths
from dltsync_core.lake.load import StagedFiles
from dltsync_core.lake.manifest import Manifest, ManifestColumn, ManifestFile, in_order, live, manifest_from
from dltsync_core.lake.storage import LakeStorage


def scan_manifests(storage: LakeStorage, table: TableName) -> tuple[Manifest, ...]:
    """All manifests of a table, live or not yet cleared up. Raises LakeError for a damaged one.

    A manifest that vanishes between listing and reading was just retired, and the one that replaced it may be younger
    than our listing: then look again.
    """
    while True:
        keys = [key for key in storage.list(paths.manifests_directory(table)) if _is_manifest(key)]
        contents = [(key, storage.read(key)) for key in keys]
        if all(content is not None for _, content in contents):
            return tuple(
                manifest_from(content, path=str(storage.local_path(key)))
                for key, content in contents
                if content is not None
            )


def publish(
    storage: LakeStorage,
    staged: StagedFiles,
    *,
    retire: Sequence[str],
    retire_all: bool,
    keep_generations: int,
) -> Manifest:
    """Publish one load. The caller sees to it that a unit has one publisher at a time."""
    earlier = scan_manifests(storage, staged.facts.table)
    manifest = _manifest_of(staged, earlier, retire=retire, retire_all=retire_all)
    _take_in_files(storage, staged, manifest)
    storage.put(paths.manifest_key(manifest.table, manifest.load_id), manifest.to_json().encode())
    checkpoints.reached(checkpoints.MANIFEST_WRITTEN)
    clear_up(storage, manifest, (*earlier, manifest), keep_generations=keep_generations)
    return manifest


def clear_up(storage: LakeStorage, latest: Manifest, known: Sequence[Manifest], *, keep_generations: int) -> None:
    """Move what `latest` replaced out of the way of plain globs, and remove generations beyond those kept."""
    current = live(known)
    for older in in_order(known):  # oldest first: what a replaced load had replaced must be gone before its manifest is
        if older in current:
            continue
        for file in older.files:
            _retire(storage, file.path, _retired(latest, older.unit, file.path))
        key = paths.manifest_key(older.table, older.load_id)
        _retire(storage, key, _retired(latest, older.unit, key))
    named = {file.path for manifest in current for file in manifest.files}
    for key in _files_in_scope(storage, latest):
        if key not in named:
            _retire(storage, key, _retired(latest, latest.unit, key))
    for unit in {older.unit for older in known}:
        _prune(storage, latest.table, unit, keep_generations)


def _manifest_of(
    staged: StagedFiles, earlier: Sequence[Manifest], *, retire: Sequence[str], retire_all: bool
) -> Manifest:
    facts, final = staged.facts, staged.final
    directory = paths.unit_directory(facts.table, facts.kind, facts.unit, facts.load_id)
    return Manifest(
        table=facts.table,
        kind=facts.kind,
        unit=facts.unit,
        load_id=facts.load_id,
        run_id=facts.run_id,
        sequence=1 + max((m.sequence for m in earlier), default=0),
        files=tuple(ManifestFile(f"{directory}/{f.path.name}", f.rows, f.bytes, f.sha256) for f in staged.files),
        rows=staged.rows,
        columns=tuple(ManifestColumn(f.name, str(f.type), f.nullable) for f in facts.schema),
        schema_digest=final.schema_digest,
        probe_method=final.probe_method,
        probe_signature=final.probe_signature,
        watermark_low=final.watermark_low,
        watermark_high=final.watermark_high,
        consistency=final.consistency,
        extracted_at=final.extracted_at,
        created_at=iso(utc_now()),
        replaces_unit=facts.kind != "scd" or retire_all,
        retires=tuple(retire),
        retires_all=retire_all,
    )


def _take_in_files(storage: LakeStorage, staged: StagedFiles, manifest: Manifest) -> None:
    taken: list[str] = []
    try:
        for source, target in zip(staged.files, manifest.files, strict=True):
            storage.take_in(source.path, target.path)
            taken.append(target.path)
            checkpoints.reached(checkpoints.FILE_IN_PLACE)
    except BaseException:
        for key in taken:  # no manifest names them: they must not wait in a plain reader's way
            storage.delete(key)
        raise


def _retire(storage: LakeStorage, source: str, target: str) -> None:
    storage.move(source, target)
    checkpoints.reached(checkpoints.RETIRING)


def _files_in_scope(storage: LakeStorage, latest: Manifest) -> list[str]:
    """The Parquet files of the unit just published: nobody else may be publishing there now."""
    if latest.kind == "partition" and not latest.retires_all:
        directory = paths.unit_directory(latest.table, latest.kind, latest.unit, latest.load_id)
    else:
        directory = paths.data_directory(latest.table)
    return [key for key in storage.list(directory) if key.endswith(".parquet")]


def _retired(latest: Manifest, unit: str, key: str) -> str:
    """Where a replaced file goes: generations are named after the load that replaced them."""
    within = key[len(paths.table_directory(latest.table)) + 1 :]
    return f"{paths.retired_directory(latest.table, unit)}/{latest.load_id}/{within}"


def _prune(storage: LakeStorage, table: TableName, unit: str, keep: int) -> None:
    directory = paths.retired_directory(table, unit)
    generations: dict[str, list[str]] = {}
    for key in storage.list(directory):
        generations.setdefault(key[len(directory) + 1 :].split("/", 1)[0], []).append(key)
    for generation in sorted(generations)[: max(0, len(generations) - keep)]:
        for key in generations[generation]:
            storage.delete(key)


def _is_manifest(key: str) -> bool:
    name = os.path.basename(key)  # noqa: PTH119 -- a storage key, not a path of this machine
    return name.endswith(".json") and not name.startswith(".")
