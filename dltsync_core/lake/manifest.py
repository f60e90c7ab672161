"""The manifest: one small JSON file per load that names its files. Who follows manifests sees whole loads only.

Writing it is the moment a load becomes part of its table: which older loads it replaces stands in the manifest itself, so
a reader never depends on how far the clearing up after it has come.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, get_args

from dltsync_core.errors import LakeError
from dltsync_core.identity import TableName
from dltsync_core.plan.steps import TableKind

MANIFEST_VERSION = 1


@dataclass(frozen=True)
class ManifestFile:
    """One published file. `path` is relative to the pipeline's lake, with forward slashes. `sha256` is hexadecimal."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ManifestColumn:
    """One column as Arrow calls it."""

    name: str
    type: str
    nullable: bool


@dataclass(frozen=True)
class Manifest:
    """One load as readers see it.

    `sequence` orders the loads of a table whatever the clocks of the writing machines say. `replaces_unit` tells that
    this load takes the place of all earlier loads of its unit (partition, static, full scd); an scd increment adds to
    them. `retires` names other units whose rows this load took over; `retires_all` every earlier load of the table.
    """

    table: TableName
    kind: TableKind
    unit: str
    load_id: str
    run_id: str
    sequence: int
    files: tuple[ManifestFile, ...]
    rows: int
    columns: tuple[ManifestColumn, ...]
    schema_digest: str
    probe_method: str
    probe_signature: str
    watermark_low: str | None
    watermark_high: str | None
    consistency: str
    extracted_at: str
    created_at: str
    replaces_unit: bool
    retires: tuple[str, ...] = ()
    retires_all: bool = False

    @property
    def bytes(self) -> int:
        return sum(f.bytes for f in self.files)

    def supersedes(self, older: Manifest) -> bool:
        """Whether an earlier load of the same table is no longer part of it because of this one."""
        return (
            self.retires_all
            or older.kind != self.kind
            or older.unit in self.retires
            or (self.replaces_unit and older.unit == self.unit)
        )

    def to_json(self) -> str:
        return json.dumps({"manifest_version": MANIFEST_VERSION, **asdict(self)}, ensure_ascii=False, indent=1)


def manifest_from(content: bytes, *, path: str) -> Manifest:
    """The manifest a file holds. Raises LakeError naming `path` when it is damaged or of a version we do not know."""
    try:
        facts: dict[str, Any] = json.loads(content)
        _check_version(facts)
        facts["table"] = TableName(**facts["table"])
        facts["files"] = tuple(ManifestFile(**f) for f in facts["files"])
        facts["columns"] = tuple(ManifestColumn(**c) for c in facts["columns"])
        facts["retires"] = tuple(facts["retires"])
        return Manifest(**facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LakeError(
            f"{path} is not a manifest this version of dltsync can read: {error!r}",
            remedy="move the file away and load the table again; its rows are not touched by that",
            path=path,
        ) from error


def _check_version(facts: dict[str, Any]) -> None:
    if facts.pop("manifest_version") != MANIFEST_VERSION or facts["kind"] not in get_args(TableKind):
        raise ValueError("unknown version or kind")


def in_order(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Oldest first. Loads of different units may have been published at once and carry the same number."""
    return sorted(manifests, key=lambda manifest: (manifest.sequence, manifest.load_id))


def live(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The loads that make the table now, oldest first."""
    current: list[Manifest] = []
    for manifest in in_order(manifests):
        current = [older for older in current if not manifest.supersedes(older)]
        current.append(manifest)
    return tuple(current)
