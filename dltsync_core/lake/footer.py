"""The footer: what a Parquet file says about itself, in its key-value metadata. It can rebuild the ledger.

Keys start with `dltsync.`; `dltsync.footer_version` says how to read the rest. Values are text; facts that do not apply
are absent. Sums, contracts and windows are JSON or the server's own text, never a float and never a Python date.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dltsync_core.committed import LoadIdentity, OfLoad, Probe, load_identity_from, probe_from
from dltsync_core.errors import LakeError

PREFIX = "dltsync."
FOOTER_VERSION = 3
"""What is written and read. Earlier versions were never released."""


@dataclass(frozen=True)
class Footer(OfLoad):
    """The facts of one file.

    `rows` are this file's, `load_rows` the whole load's over `files_in_load` files. `decimal_sums` are exact sums of this
    file's decimal columns, as text with the column's scale; NULLs do not count.
    """

    identity: LoadIdentity
    probe: Probe
    file_number: int
    files_in_load: int
    rows: int
    load_rows: int
    schema_digest: str
    consistency: str
    extracted_at: str
    source_server: str
    source_database: str
    tool_version: str
    holds_null: bool | None = None
    window_low: str | None = None
    window_high: str | None = None
    watermark_low: str | None = None
    contracts: Mapping[str, Any] = field(default_factory=dict)
    decimal_sums: Mapping[str, str] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """Key-value pairs for the file."""
        facts: dict[str, str | None] = {
            "footer_version": str(FOOTER_VERSION),
            **self.identity.to_columns(),
            **{name: None if value is None else str(value) for name, value in self.probe.to_columns().items()},
            "file_number": str(self.file_number),
            "files_in_load": str(self.files_in_load),
            "rows": str(self.rows),
            "load_rows": str(self.load_rows),
            "schema_digest": self.schema_digest,
            "consistency": self.consistency,
            "extracted_at": self.extracted_at,
            "source_server": self.source_server,
            "source_database": self.source_database,
            "tool_version": self.tool_version,
            "holds_null": None if self.holds_null is None else json.dumps(self.holds_null),
            "window_low": self.window_low,
            "window_high": self.window_high,
            "watermark_low": self.watermark_low,
            "contracts": json.dumps(self.contracts, ensure_ascii=False, sort_keys=True),
            "decimal_sums": json.dumps(self.decimal_sums, ensure_ascii=False, sort_keys=True),
        }
        return {PREFIX + name: value for name, value in facts.items() if value is not None}


def footer_from(metadata: Mapping[bytes, bytes] | None, *, path: str) -> Footer:
    """The footer a file carries. Raises LakeError naming `path` when it is not ours or of a version we do not know."""
    ours = {
        key.decode()[len(PREFIX) :]: value.decode("utf-8")
        for key, value in (metadata or {}).items()
        if key.startswith(PREFIX.encode())
    }
    version = ours.pop("footer_version", None)
    if version is None:
        raise LakeError(
            f"{path} has no dltsync footer",
            remedy="it was not written by dltsync: move it out of the lake",
            path=path,
        )
    if version != str(FOOTER_VERSION):
        raise LakeError(
            f"{path} has a dltsync footer of version {version}, this program reads version {FOOTER_VERSION}",
            remedy="read it with the version of dltsync that wrote it, or load the table again",
            path=path,
        )
    try:
        return _parse(ours)
    except (KeyError, ValueError) as error:
        raise LakeError(f"{path} has a damaged dltsync footer: {error!r}", path=path) from error


def _parse(facts: dict[str, str]) -> Footer:
    return Footer(
        identity=load_identity_from(facts),
        probe=probe_from(facts),
        file_number=int(facts["file_number"]),
        files_in_load=int(facts["files_in_load"]),
        rows=int(facts["rows"]),
        load_rows=int(facts["load_rows"]),
        schema_digest=facts["schema_digest"],
        consistency=facts["consistency"],
        extracted_at=facts["extracted_at"],
        source_server=facts["source_server"],
        source_database=facts["source_database"],
        tool_version=facts["tool_version"],
        holds_null=json.loads(facts["holds_null"]) if "holds_null" in facts else None,
        window_low=facts.get("window_low"),
        window_high=facts.get("window_high"),
        watermark_low=facts.get("watermark_low"),
        contracts=json.loads(facts["contracts"]),
        decimal_sums=json.loads(facts["decimal_sums"]),
    )
