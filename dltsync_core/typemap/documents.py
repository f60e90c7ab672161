"""Documents and vectors: xml, json and vector, which the server stores in a form of its own and returns as text.

xml and json are parsed when they are stored: white space, the declaration, and in json the format of numbers may differ from
what was inserted, but the text is all that is stored. vector is loaded as a JSON array whose numbers the server writes with eight
significant digits; a 32-bit float needs up to nine, so this loss has to be requested.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.errors import UnsupportedColumn
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, mapped
from dltsync_core.typemap.representations import chosen

_NOTES = {
    "xml": "the server's text of the stored tree: white space and declaration are not what was inserted",
    "json": "the server's text of the stored document: white space is not what was inserted",
}
DIGITS_LOST = "digits: the server writes eight of a number, a 32-bit float needs up to nine"


def map_document(column: ColumnFacts, representation: str | None) -> ColumnMapping | None:
    """The mapping of xml, json or vector, None for another type. Raises UnsupportedColumn for a vector without a request."""
    name = column.type_name
    if name in _NOTES:
        chosen(column, representation, ())
        return mapped(column, pa.large_string(), source=SourceForm.AS_MAX, note=_NOTES[name])
    if name != "vector":
        return None
    if chosen(column, representation, ("text",)) is None:
        raise UnsupportedColumn(
            f"column {column.name} (vector) has no exact form: as text it loses {DIGITS_LOST}",
            remedy=f"accept that with column_representation: {{{column.name}: text}} under this table, for all tables with "
            f"representation: {{vector: text}}, or add {column.name} to exclude_columns of this table",
            column=column.name,
        )
    note = "a JSON array (column_representation text)"
    return mapped(column, pa.large_string(), source=SourceForm.AS_MAX, lost=DIGITS_LOST, note=note)
