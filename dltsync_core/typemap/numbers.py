"""Numbers: bit, the integers, decimal and numeric, money, float and real. All exact, each as its own kind.

Precision and scale are the catalogue's, whatever the first rows contain. Exact numbers never pass through a float. NaN and
infinity cannot be stored in SQL Server; -0.0 and subnormal numbers can, and are loaded bit by bit.
"""

from __future__ import annotations

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.typemap.mapping import ColumnMapping, mapped
from dltsync_core.typemap.representations import chosen

_INTEGERS = {"smallint": pa.int16(), "int": pa.int32(), "bigint": pa.int64()}
_MONEY = {"money": (19, 4), "smallmoney": (10, 4)}
_NUMBERS = frozenset({"bit", "tinyint", *_INTEGERS, "decimal", "numeric", *_MONEY, "float", "real"})


def map_number(column: ColumnFacts, representation: str | None) -> ColumnMapping | None:
    """The mapping of a number, None for another type."""
    name = column.type_name
    if name not in _NUMBERS:
        return None
    chosen(column, representation, ())
    if name == "bit":
        return mapped(column, pa.bool_())
    if name == "tinyint":
        # 0..255. dlt turns uint8 into DuckDB's signed TINYINT, which refuses 128 and more.
        return mapped(column, pa.int16(), note="0 to 255, stored as int16")
    if name in _INTEGERS:
        arrow_type = _INTEGERS[name]
        return mapped(column, arrow_type)
    if name in {"decimal", "numeric"}:
        return _decimal(column, column.precision, column.scale)
    if name in _MONEY:
        return _decimal(column, *_MONEY[name])
    if name == "float":
        return mapped(column, pa.float64())
    return mapped(column, pa.float32(), note="the same value as DOUBLE in the warehouse")


def _decimal(column: ColumnFacts, precision: int, scale: int) -> ColumnMapping:
    return mapped(column, pa.decimal128(precision, scale))
