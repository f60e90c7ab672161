"""Bytes: binary, varbinary (also FILESTREAM), image, rowversion, and uniqueidentifier as a UUID or as text.

binary has its zero bytes at the end; an empty value is not NULL. rowversion (`timestamp` by its old name) is not a time: eight
bytes that grow with every change in the database. A uniqueidentifier sorts differently than in SQL Server in both of its forms.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, mapped
from dltsync_core.typemap.representations import chosen
from dltsync_core.typemap.uuids import UUID

_OCTETS = frozenset({"binary", "varbinary", "image", "rowversion", "uniqueidentifier"})


def map_binary(column: ColumnFacts, representation: str | None) -> ColumnMapping | None:
    """The mapping of bytes, None for another type. (max) types use Arrow's 64-bit offsets."""
    name = column.type_name
    if name not in _OCTETS:
        return None
    if name == "uniqueidentifier":
        if chosen(column, representation, ("uuid", "text")) == "text":
            return mapped(column, pa.string(), note="36 characters, upper case")
        return mapped(column, UUID, note="16 bytes, in the order of the text")
    chosen(column, representation, ())
    if name == "rowversion":
        return mapped(column, pa.binary(), note="8 bytes, big-endian")
    if name == "image":
        return mapped(column, pa.large_binary(), source=SourceForm.AS_MAX)
    return mapped(column, pa.large_binary() if column.max_length == -1 else pa.binary())
