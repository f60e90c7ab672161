"""The type in which a SQL Server warehouse holds a column's form in the lake, exactly. For staging tables of a native load.

Not the source's type in every case: code page text travels as Unicode, so it is nvarchar whatever the collation there; a
rowversion is its eight bytes; moments kept as text are moments again, because SQL Server reads its own text without loss. An
`open_end` arrives as the lake has it: one microsecond before the end of the calendar, not the type's maximum.
"""

from __future__ import annotations

from dltsync_core.typemap.declared_type import declared_type
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm

_UNBOUNDED = {"text": "nvarchar(max)", "ntext": "nvarchar(max)", "image": "varbinary(max)", "vector": "nvarchar(max)"}
_LONGEST_NVARCHAR = 4000


def sqlserver_type(mapping: ColumnMapping) -> str:
    """The declared type, as CREATE TABLE writes it."""
    column, source = mapping.column, mapping.source
    name = column.type_name
    if source is SourceForm.AS_BYTES:
        return (
            f"varbinary({column.max_length})" if column.max_length > 0 and not _unbounded(mapping) else "varbinary(max)"
        )
    if source is SourceForm.AS_WKB:
        return "varbinary(max)"
    if source is SourceForm.AS_WKT or name in {"xml", "json", "sql_variant"}:
        return "nvarchar(max)"
    if name == "hierarchyid":
        return f"nvarchar({_LONGEST_NVARCHAR})"
    if name in _UNBOUNDED:
        return _UNBOUNDED[name]
    if name in {"char", "varchar"}:
        return f"nvarchar({column.max_length})" if 0 < column.max_length <= _LONGEST_NVARCHAR else "nvarchar(max)"
    return declared_type(column)


def _unbounded(mapping: ColumnMapping) -> bool:
    return mapping.column.is_clr or mapping.column.type_name in _UNBOUNDED
