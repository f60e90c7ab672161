"""The manifest: one small JSON file per load that names its files. Who follows manifests sees whole loads only.

Writing it is the moment a load becomes part of its table: which older loads it replaces stands in the manifest itself, so
a reader never depends on how far the clearing up after it has come.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias, get_args

from dltsync_core.committed import LoadIdentity, OfLoad, Probe, TableKind, load_identity_from, probe_from
from dltsync_core.errors import LakeError, OtherFormat

MANIFEST_VERSION = 5
"""What is written and read. Earlier versions were never released."""

UNRELEASED = (
    "it was written by a version that was never released: move the table's directory away and load the table again"
)
"""What to do about files of earlier versions."""

_KINDS: frozenset[TableKind] = frozenset(get_args(TableKind))
_OTHER_KINDS: dict[TableKind, frozenset[TableKind]] = {kind: _KINDS - {kind} for kind in _KINDS}

Order: TypeAlias = tuple[int, str]
"""Fence, then load id: the place of a load in the history of its table."""


@dataclass(frozen=True)
class ManifestFile:
    """One published file. `path` is relative to the pipeline's lake, with forward slashes. `sha256` is hexadecimal."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ManifestColumn:
    """One column as Arrow calls it, and as the source declared it: `sql_type` with length, precision and scale, `collation`, and
    how it was selected (`representation`). `column_id` is the server's number of the column."""

    name: str
    type: str
    nullable: bool
    sql_type: str = ""
    collation: str | None = None
    representation: str = ""
    column_id: int = 0


@dataclass(frozen=True)
class Manifest(OfLoad):
    """One load as readers see it.

    `sequence` is the fence of the lease under which the load was published. It orders the loads of a table, whatever the
    clocks of the writing machines say and in whatever order their manifests arrive. `replaces_unit` tells that this load
    takes the place of all earlier loads of its unit (partition, static, full scd); an scd increment adds to them.
    `retires` names other units whose rows this load took over; `retires_all` every earlier load of the table. `discards`
    are earlier loads that left files without a manifest: should one of those manifests arrive late, no reader follows it.
    `identity` and `probe` are those of the committed unit that the load becomes.
    `builds_on` is the digest of the loads that an increment was added to, so that a missing one is noticed without a ledger.
    """

    identity: LoadIdentity
    probe: Probe
    sequence: int
    files: tuple[ManifestFile, ...]
    rows: int
    columns: tuple[ManifestColumn, ...]
    schema_digest: str
    watermark_low: str | None
    consistency: str
    extracted_at: str
    created_at: str
    replaces_unit: bool
    retires: tuple[str, ...] = ()
    retires_all: bool = False
    discards: tuple[str, ...] = ()
    builds_on: str = ""

    @cached_property
    def order(self) -> Order:
        """The place of this load in the history of its table."""
        return self.sequence, self.load_id

    @property
    def bytes(self) -> int:
        return sum(f.bytes for f in self.files)

    def supersedes(self, older: Manifest) -> bool:
        """Whether an earlier load of the same table is no longer part of it because of this one."""
        return older.load_id in self.discards or self.takes_over(older.kind, older.unit)

    def takes_over(self, kind: TableKind, unit: str) -> bool:
        """Whether every earlier load of that kind and unit, known or not, is no longer part of the table."""
        return (
            self.retires_all or kind != self.kind or unit in self.retires or (self.replaces_unit and unit == self.unit)
        )

    def to_json(self) -> str:
        facts = asdict(self)
        del facts["identity"], facts["probe"]
        facts = {**self.identity.to_columns(), **self.probe.to_columns(), **facts}
        return json.dumps({"manifest_version": MANIFEST_VERSION, **facts}, ensure_ascii=False, indent=1)


def manifest_from(content: bytes, *, path: str) -> Manifest:
    """The manifest a file holds. Raises LakeError naming `path` when it is damaged, OtherFormat when it has another version."""
    try:
        facts: dict[str, Any] = json.loads(content)
        _check_version(facts, path)
        identity, probe = load_identity_from(facts), probe_from(facts)
        for name in (*identity.to_columns(), *probe.to_columns()):
            del facts[name]
        facts["files"] = tuple(ManifestFile(**f) for f in facts["files"])
        facts["columns"] = _shared(tuple(ManifestColumn(**c) for c in facts["columns"]))
        facts["retires"] = tuple(facts["retires"])
        facts["discards"] = tuple(facts["discards"])
        return Manifest(identity, probe, **facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LakeError(
            f"{path} is not a manifest this version of dltsync can read: {error!r}",
            remedy="move the file away and load the table again; its rows are not touched by that",
            path=path,
        ) from error


@lru_cache(maxsize=256)
def _shared(columns: tuple[ManifestColumn, ...]) -> tuple[ManifestColumn, ...]:
    """The same columns once in memory: thousands of loads of a table have them, and there may be a thousand of them."""
    return columns


def _check_version(facts: dict[str, Any], path: str) -> None:
    version = facts.pop("manifest_version")
    if not isinstance(version, int):
        raise TypeError(f"manifest_version is {version!r}")
    if version != MANIFEST_VERSION:
        raise OtherFormat(
            f"{path} has manifest version {version}, this program reads version {MANIFEST_VERSION}",
            remedy="update dltsync" if version > MANIFEST_VERSION else UNRELEASED,
            path=path,
        )


def in_order(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Oldest first. Loads under one lease carry the same number; their ids decide."""
    return sorted(manifests, key=lambda manifest: manifest.order)


def live(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The loads that make the table now, oldest first.

    What a load supersedes is looked up, not searched for: a table can have 15,000 units, and every publication asks.
    """
    current: dict[int, Manifest] = {}
    of_unit: dict[str, list[int]] = {}
    of_load: dict[str, list[int]] = {}
    kind: TableKind | None = None
    for number, manifest in enumerate(in_order(manifests)):
        if manifest.retires_all or manifest.kind != kind:
            current, of_unit, of_load, kind = {}, {}, {}, manifest.kind
        gone = [of_unit.pop(unit, ()) for unit in manifest.retires]
        if manifest.replaces_unit:
            gone.append(of_unit.pop(manifest.unit, ()))
        gone += [of_load.pop(load_id, ()) for load_id in manifest.discards]
        for numbers in gone:
            for superseded in numbers:
                current.pop(superseded, None)
        current[number] = manifest
        of_unit.setdefault(manifest.unit, []).append(number)
        of_load.setdefault(manifest.load_id, []).append(number)
    return tuple(current.values())


def winner_over(ours: Manifest, known: Iterable[Manifest]) -> Manifest | None:
    """The load because of which `ours` comes too late: a later one of the same unit, or one that takes its unit over.

    An increment does not supersede another one, but its publisher holds the unit now: who comes late holds it no more.
    """
    later = (other for other in known if other.order > ours.order)
    return next((other for other in later if other.unit == ours.unit or other.supersedes(ours)), None)


def forgettable(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The superseded manifests that may go, oldest first: without them every answer stays the same, also for a manifest
    of an earlier load that arrives only later.

    A load that retired other units stays until a later one says the same of them, although its files are not read.
    """
    ordered = in_order(manifests)
    current = {manifest.order for manifest in live(ordered)}
    if len(current) == len(ordered):
        return ()
    said_of_kinds: set[TableKind] = set()
    said_of_units: set[tuple[TableKind, str]] = set()
    gone: list[Manifest] = []
    for manifest in reversed(ordered):  # what the later ones say was collected before
        kind = manifest.kind
        kinds = _KINDS if manifest.retires_all else _OTHER_KINDS[kind]
        units = (*manifest.retires, manifest.unit) if manifest.replaces_unit else manifest.retires
        places = [(kind, unit) for unit in units]
        is_said = kinds <= said_of_kinds and (kind in said_of_kinds or said_of_units.issuperset(places))
        if is_said and manifest.order not in current:
            gone.append(manifest)
        said_of_kinds |= kinds
        said_of_units.update(places)
    return tuple(reversed(gone))
