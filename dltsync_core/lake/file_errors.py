"""What can be wrong with one published file, as errors."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq

from dltsync_core.errors import LakeError

READ_AGAIN = "read its table again: `dltsync run --full-refresh --tables` with its name"
"""A plain run may look no deeper than at sizes, and find the table unchanged."""


def missing(address: str) -> LakeError:
    """The error for a published file that is not there."""
    return LakeError(f"lake file {address} is missing", remedy=READ_AGAIN, path=address)


def changed(address: str) -> LakeError:
    """The error for a published file whose bytes are not those of the manifest."""
    return LakeError(
        f"{address} was changed after it was published: its checksum differs from the manifest's",
        remedy=READ_AGAIN,
        path=address,
    )


def already_there(address: str) -> LakeError:
    """The error for a name that is given once and was given before."""
    return LakeError(
        f"{address} exists already with another content: a load id was used twice",
        remedy="run again; when it stays so, look who else writes into this lake",
        path=address,
    )


def metadata_of(source: Path | IO[Any], address: str) -> pq.FileMetaData:
    """What a Parquet file says at its end. Raises LakeError when it is torn."""
    try:
        return pq.read_metadata(source)
    except ValueError as error:  # pyarrow's ArrowInvalid is one
        raise LakeError(f"{address} is torn or no Parquet file: {error}", remedy=READ_AGAIN, path=address) from error
