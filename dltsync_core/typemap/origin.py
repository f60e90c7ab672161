"""Where the values of a column come from, when that is not simply what somebody stored there."""

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
    said: list[str] = []
    if _GRAPH_PSEUDO.fullmatch(column.name):
        said.append("graph pseudo-column, JSON text made by the server")
    elif column.is_computed:
        how = "persisted" if column.is_persisted else "not persisted: the server works it out at each read"
        said.append(f"computed ({how})")
    if column.generated:
        said.append(_GENERATED[column.generated])
    if column.is_hidden:
        said.append("hidden")
    if column.is_sparse:
        said.append("sparse")
    if column.is_filestream:
        said.append("FILESTREAM, read as varbinary(max)")
    if column.alias_name is not None and not column.is_clr:
        said.append(f"declared as {column.alias_name}")
    return "; ".join(said)
