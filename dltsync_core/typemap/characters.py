"""Characters and bytes: char types, binary types, uniqueidentifier, rowversion, xml and the old text types."""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, mapped

_TEXT_HINT = {"data_type": "text"}
_BINARY_HINT = {"data_type": "binary"}


def map_characters(column: ColumnFacts) -> ColumnMapping | None:
    """The mapping of text or bytes, None for another type. (max) types use Arrow's 64-bit offsets."""
    name = column.type_name
    large = column.max_length == -1
    if name in {"char", "varchar", "nchar", "nvarchar"}:
        note = "blank-padded to its length, as stored" if name in {"char", "nchar"} else ""
        return mapped(column, pa.large_string() if large else pa.string(), _TEXT_HINT, note=note)
    if name in {"binary", "varbinary"}:
        return mapped(column, pa.large_binary() if large else pa.binary(), _BINARY_HINT)
    if name == "rowversion":
        return mapped(column, pa.binary(), _BINARY_HINT, note="8 bytes, big-endian")
    if name == "uniqueidentifier":
        return mapped(column, pa.string(), _TEXT_HINT, note="36 characters, upper case")
    if name == "xml":
        note = "the server's text of the stored tree: white space and declaration are not what was inserted"
        return mapped(column, pa.large_string(), _TEXT_HINT, source=SourceForm.AS_MAX, note=note)
    if name in {"text", "ntext"}:
        return mapped(column, pa.large_string(), _TEXT_HINT, source=SourceForm.AS_MAX)
    if name == "image":
        return mapped(column, pa.large_binary(), _BINARY_HINT, source=SourceForm.AS_MAX)
    return None
