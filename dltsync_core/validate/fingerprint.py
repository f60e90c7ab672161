"""Which columns a fingerprint covers, and by which algorithm: decided before anything is read."""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.digest.canonical import reason_without_fingerprint
from dltsync_core.digest.segment import HashAlgorithm
from dltsync_core.errors import ConfigError
from dltsync_core.typemap.mapping import ColumnMapping, TableMapping

EVERY_COLUMN = "*"
"""The column name of a fingerprint in a report."""

SHA256: HashAlgorithm = "hashbytes_sha256"

_ALGORITHMS: dict[str, HashAlgorithm] = {
    "sha256": "hashbytes_sha256",
    "hashbytes_sha256": "hashbytes_sha256",
    "md5": "hashbytes_md5",
    "hashbytes_md5": "hashbytes_md5",
}


@dataclass(frozen=True)
class Fingerprinted:
    """The columns whose text source, lake and warehouse can compute alike, and a sentence on the others, when there are any."""

    columns: tuple[ColumnMapping, ...]
    left_out: tuple[str, ...]


def algorithm_of(name: str) -> HashAlgorithm:
    """Raises ConfigError for an unknown name, and for `checksum`, with the reason."""
    found = _ALGORITHMS.get(name.strip().casefold())
    if found is not None:
        return found
    if name.strip().casefold() == "checksum":
        raise ConfigError(
            "checksum cannot be a fingerprint: rows that differ may have the same one (a doubled pair of rows has none at all), "
            "and no other program computes it",
            remedy="use sha256 or md5",
        )
    raise ConfigError(f"no fingerprint algorithm {name!r}", remedy="use sha256 or md5")


def fingerprinted(mapping: TableMapping) -> Fingerprinted:
    """The columns of a table's fingerprint."""
    reasons: dict[str, list[str]] = {}
    covered = []
    for column in mapping.columns:
        reason = reason_without_fingerprint(column)
        if reason is None:
            covered.append(column)
        else:
            reasons.setdefault(reason, []).append(column.name)
    said = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    return Fingerprinted(tuple(covered), (f"the fingerprint leaves out {said}",) if said else ())
