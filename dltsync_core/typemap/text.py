"""Text: char, varchar, text, nchar, nvarchar, ntext. All are loaded as Unicode text, UTF-8 in the lake.

char, varchar and text are bytes of the code page of their collation. The driver decodes most of them correctly, but replaces a
byte that its table does not have (0x81 of code page 1252) with a question mark, without an error. So the server decodes them:
CAST to nvarchar. Those of a UTF-8 collation are selected plain.

nchar, nvarchar and ntext are UTF-16 units, and half of a surrogate pair can be stored. UTF-8 cannot hold it, and the driver
replaces it with U+FFFD without an error; so U+FFFD is counted on both sides and a difference stops the load. `bytes` loads
every value as stored. Blanks at the end, U+0000 and the empty text are preserved; char and nchar stay padded.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.typemap.declared_type import TWO_BYTE_CHARACTERS
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, mapped
from dltsync_core.typemap.representations import chosen

_OLD = frozenset({"text", "ntext"})
_CHARACTERS = frozenset({"char", "varchar", "nchar", "nvarchar", *_OLD})
HALF_PAIRS = "half of a surrogate pair stops the load"


def map_text(column: ColumnFacts, representation: str | None) -> ColumnMapping | None:
    """The mapping of text, None for another type. (max) types use Arrow's 64-bit offsets."""
    name = column.type_name
    if name not in _CHARACTERS:
        return None
    large = column.max_length == -1 or name in _OLD
    if chosen(column, representation, ("bytes",)) == "bytes":
        return _as_bytes(column, large=large)
    return mapped(
        column,
        pa.large_string() if large else pa.string(),
        source=_source_of(column),
        note="; ".join(_notes(column)),
    )


def may_contain_replacement(mapping: ColumnMapping) -> bool:
    """Whether the driver may have replaced invalid Unicode text with U+FFFD."""
    column = mapping.column
    if column.type_name == "sql_variant":
        return True  # it is loaded as text, which may be that of an nvarchar
    if column.type_name not in _CHARACTERS or mapping.source is SourceForm.AS_BYTES:
        return False
    return _is_utf16(column) or is_utf8(column)


def is_utf8(column: ColumnFacts) -> bool:
    """Whether the column's bytes are UTF-8: the driver and the server then decode them alike."""
    return (column.collation or "").upper().endswith("_UTF8")


def _source_of(column: ColumnFacts) -> SourceForm:
    if column.type_name in _OLD:
        return SourceForm.AS_MAX
    return SourceForm.PLAIN if _is_utf16(column) or is_utf8(column) else SourceForm.AS_UNICODE


def _is_utf16(column: ColumnFacts) -> bool:
    return column.type_name in TWO_BYTE_CHARACTERS or column.type_name == "ntext"


def _notes(column: ColumnFacts) -> list[str]:
    notes = ["blank-padded to its length, as stored"] if column.type_name in {"char", "nchar"} else []
    return [*notes, HALF_PAIRS] if _is_utf16(column) else notes


def _as_bytes(column: ColumnFacts, *, large: bool) -> ColumnMapping:
    form = "UTF-16LE" if _is_utf16(column) else f"bytes of the code page of {column.collation}"
    return mapped(
        column,
        pa.large_binary() if large else pa.binary(),
        source=SourceForm.AS_BYTES,
        note=f"{form}, as stored (column_representation bytes)",
    )
