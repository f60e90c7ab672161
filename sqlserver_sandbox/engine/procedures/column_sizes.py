"""Precision, length and scale of a column as ODBC counts them."""

from __future__ import annotations

from sqlserver_sandbox.tsql.catalogue import TableColumn
from sqlserver_sandbox.tsql.types import (
    BINARIES,
    DATETIMES,
    DECIMALS,
    FLOATS,
    STRINGS,
    UNICODE,
    catalogue_sizes,
    is_max,
)


def odbc_sizes(column: TableColumn) -> tuple[int | None, int | None, int | None, int | None, int | None]:
    """(precision, length, scale, radix, octets) as ODBC counts them: display characters and transfer bytes."""
    declared = column.type
    name = declared.name
    length, precision, scale = catalogue_sizes(declared)
    if name in STRINGS or name in BINARIES or name == "xml":
        if is_max(declared):
            octets = {"text": 2147483647, "image": 2147483647, "ntext": 2147483646}.get(name, 0)
            return (1073741823 if name == "ntext" else octets), octets, None, None, octets
        return (length // 2 if name in UNICODE else length), length, None, None, length
    if name in DATETIMES:
        widths = {"date": 6, "time": 12, "datetimeoffset": 20}
        shown = {"datetime": 23, "smalldatetime": 16}.get(name, precision)
        return shown, widths.get(name, 16), None if name == "date" else (3 if name == "datetime" else scale), None, None
    if name in DECIMALS or name in ("money", "smallmoney"):
        return precision, precision + 2, scale, 10, None
    if name in FLOATS:
        return (53 if name == "float" else 24), length, None, 2, None
    if name == "uniqueidentifier":
        return 36, 16, None, None, None
    return precision, length, None if name == "bit" else 0, None if name == "bit" else 10, None
