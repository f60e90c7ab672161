"""Maps columns: SQL Server type -> Arrow field, exact or refused, with a fidelity contract."""

from __future__ import annotations

from dltsync_core.typemap.columns import map_columns
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, TableMapping

__all__ = ["ColumnMapping", "SourceForm", "TableMapping", "map_columns"]
