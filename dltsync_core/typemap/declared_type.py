"""The declared type of a column as T-SQL writes it: `nvarchar(50)`, `decimal(18,2)`, `datetime2(3)`."""

from __future__ import annotations

from dltsync_core.catalog.facts import ColumnFacts

TWO_BYTE_CHARACTERS = frozenset({"nchar", "nvarchar"})
SIZED = frozenset({"char", "varchar", "binary", "varbinary"})
WITH_PRECISION = frozenset({"decimal", "numeric"})
WITH_SCALE = frozenset({"datetime2", "time", "datetimeoffset"})


def declared_type(column: ColumnFacts) -> str:
    """The exact type of `column`, built from catalogue facts only; fit for CAST.

    rowversion comes out as `binary(8)`: nothing can be cast to rowversion, and it compares as binary(8).
    """
    name = column.type_name
    if name == "rowversion":
        return "binary(8)"
    if name in WITH_PRECISION:
        return f"{name}({column.precision},{column.scale})"
    if name in WITH_SCALE:
        return f"{name}({column.scale})"
    if name in SIZED or name in TWO_BYTE_CHARACTERS:
        if column.max_length == -1:
            return f"{name}(max)"
        width = column.max_length // 2 if name in TWO_BYTE_CHARACTERS else column.max_length
        return f"{name}({width})"
    return name


def shown_type(column: ColumnFacts) -> str:
    """The type as CREATE TABLE writes it."""
    return "rowversion" if column.type_name == "rowversion" else declared_type(column)
