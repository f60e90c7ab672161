"""sql_variant: a value of another type in every row. One column cannot hold that exactly, so it has to be requested.

As `text` each value is `<base type>:<the server's lossless text>`, for instance `decimal:1.50` or `nvarchar:Łódź`; text of a
code page that is longer than 4000 bytes is `varchar bytes:0x…`. NULL stays NULL.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.errors import UnsupportedColumn
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, mapped
from dltsync_core.typemap.representations import chosen

DECLARATION_LOST = "each value's declared length, precision and collation, and the scale of dates and times"


def map_variant(column: ColumnFacts, representation: str | None) -> ColumnMapping | None:
    """The mapping of sql_variant, None for another type. Raises UnsupportedColumn unless `text` is chosen."""
    if column.type_name != "sql_variant":
        return None
    if chosen(column, representation, ("text",)) is None:
        raise UnsupportedColumn(
            f"column {column.name} (sql_variant) holds a different type in every row: as text it loses {DECLARATION_LOST}",
            remedy=f"accept that with column_representation: {{{column.name}: text}} under this table, for all tables with "
            f"representation: {{sql_variant: text}}, or add {column.name} to exclude_columns of this table",
            column=column.name,
        )
    return mapped(
        column,
        pa.large_string(),
        source=SourceForm.SERVER_TEXT,
        lost=DECLARATION_LOST,
        note="base type, a colon, the value's text (column_representation text)",
    )
