"""CLR types: hierarchyid, geometry, geography, and types that a database defines itself.

hierarchyid as text (`/1/2.1/`) is the whole value and readable; `bytes` is its stored form, which sorts as on the server.
geometry and geography are loaded as the server serialises them, the only complete form: SRID, Z, M, arcs and all bits of every
coordinate. `wkb` and `text` are for other programs; both have Z and M and no SRID, and
text writes coordinates in decimal. Types of the database's own are loaded as their serialised bytes.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, mapped
from dltsync_core.typemap.representations import chosen

_SPATIAL = frozenset({"geometry", "geography"})
SRID_LOST = "the SRID"
TEXT_LOST = "the SRID, and digits of a coordinate that its decimal text does not have"


def map_clr(column: ColumnFacts, representation: str | None) -> ColumnMapping | None:
    """The mapping of a CLR type, None for another type."""
    if column.type_name == "hierarchyid":
        if chosen(column, representation, ("text", "bytes")) == "bytes":
            return _bytes(column)
        note = "the path, for instance /1/2.1/; as text it sorts differently than at the source"
        return mapped(column, pa.string(), source=SourceForm.SERVER_TEXT, note=note)
    if column.type_name in _SPATIAL:
        wanted = chosen(column, representation, ("bytes", "wkb", "text"))
        if wanted == "wkb":
            note = "well-known binary with Z and M (column_representation wkb)"
            return mapped(column, pa.large_binary(), source=SourceForm.AS_WKB, lost=SRID_LOST, note=note)
        if wanted == "text":
            note = "well-known text with Z and M (column_representation text)"
            return mapped(column, pa.large_string(), source=SourceForm.AS_WKT, lost=TEXT_LOST, note=note)
        return _bytes(column)
    if column.is_clr:
        chosen(column, representation, ("bytes",))
        return _bytes(column)
    return None


def _bytes(column: ColumnFacts) -> ColumnMapping:
    note = "the server's own serialised form; SQL Server and its client library read it"
    return mapped(column, pa.large_binary(), source=SourceForm.AS_BYTES, note=note)
