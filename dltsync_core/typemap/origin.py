"""Where the values of a column come from, when they are not simply stored values."""

from __future__ import annotations

import re

from dltsync_core.catalog.facts import ColumnFacts

_GRAPH_PSEUDO = re.compile(r"\$(node|edge|from|to)_id_[0-9A-F]{32}", re.IGNORECASE)
_GENERATED = {
    "row_start": "start of the row's period, set by the server",
    "row_end": "end of the row's period, set by the server: 9999-12-31 23:59:59.9999999 while the row is current",
    "transaction": "set by the server: transaction of a ledger table",
}


def origin_of(column: ColumnFacts) -> str:
    """A sentence part for the contract; empty for an ordinary column."""
    parts: list[str] = []
    if _GRAPH_PSEUDO.fullmatch(column.name):
        parts.append("graph pseudo-column, JSON text made by the server")
    elif column.is_computed:
        how = "persisted" if column.is_persisted else "not persisted: the server computes it at each read"
        parts.append(f"computed ({how})")
    if column.generated:
        parts.append(_GENERATED[column.generated])
    if column.is_hidden:
        parts.append("hidden")
    if column.is_sparse:
        parts.append("sparse")
    if column.is_filestream:
        parts.append("FILESTREAM, read as varbinary(max)")
    if column.alias_name is not None and not column.is_clr:
        parts.append(f"declared as {column.alias_name}")
    return "; ".join(parts)
