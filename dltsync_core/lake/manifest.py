"""The manifest: one small JSON file per load that names its files. Who follows manifests sees whole loads only."""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.identity import TableName
from dltsync_core.plan.steps import TableKind


@dataclass(frozen=True)
class ManifestFile:
    """One published file. `path` is relative to the table's directory, with forward slashes."""

    path: str
    rows: int
    bytes: int
    sha256: str


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
    columns: tuple[tuple[str, str, bool], ...]
    """Name, Arrow type and nullability of each column, in order."""
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
