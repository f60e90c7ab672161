"""Rows of the lake's files into a staging table by pyodbc's `fast_executemany`: slower than a bulk copy, for servers and
logins that refuse INSERT BULK.

Values travel as integers, doubles, Unicode text or bytes, and the server makes the column's type of them: what a driver binds for
a decimal or a date and time by itself loses digits, or is refused. Every column has its type given beforehand, so the driver does
not ask the server about parameters, and its buffers are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dltsync_core.connect.control import ControlSession, InputType
from dltsync_core.identity import TableName
from dltsync_core.tsql.warehouse import publish

BUFFER_BYTES = 16 * 1024 * 1024
"""Of one call, at most: the driver makes room for the declared length of every value."""
ROWS_PER_CALL = 16_384
_TEXT_OF_A_VALUE = 50
"""Characters: the longest decimal has 40, the longest date and time 34."""
_SECONDS, _MILLISECONDS, _SEVEN_DIGITS = 19, 23, 27
"""Characters of a date and time as text."""


@dataclass(frozen=True)
class FastColumn:
    """A column on its way: its name, the declared type that the server makes of the value, and what the driver is to bind."""

    name: str
    declared: str
    bound: InputType
    bytes: int

    @property
    def base(self) -> str:
        return self.declared.partition("(")[0]


def fast_column(name: str, declared: str) -> FastColumn:
    """How values of a declared type travel. (max) types are streamed, one value at a time."""
    base, _, size = declared.rstrip(")").partition("(")
    if base in {"bit", "tinyint", "smallint", "int", "bigint"}:
        return FastColumn(name, declared, InputType("SQL_BIGINT"), 8)
    if base in {"float", "real"}:
        return FastColumn(name, declared, InputType("SQL_DOUBLE"), 8)
    if base in {"binary", "varbinary"}:
        return FastColumn(name, declared, InputType("SQL_VARBINARY", _length(size)), _length(size))
    if base in {"nchar", "nvarchar", "char", "varchar"}:
        return FastColumn(name, declared, InputType("SQL_WVARCHAR", _length(size)), 2 * _length(size))
    return FastColumn(name, declared, InputType("SQL_WVARCHAR", _TEXT_OF_A_VALUE), 2 * _TEXT_OF_A_VALUE)


def insert_batches(
    session: ControlSession, staging: TableName, columns: Sequence[FastColumn], batches: Iterator[pa.RecordBatch]
) -> int:
    """The rows of all batches, whose columns are those given, in order: how many. Each call is committed."""
    statement = publish.insert_row(staging, [(column.name, column.declared) for column in columns])
    most = max(1, min(ROWS_PER_CALL, BUFFER_BYTES // max(1, sum(column.bytes for column in columns))))
    inserted = 0
    for batch in batches:
        for start in range(0, batch.num_rows, most):
            part = batch.slice(start, most)
            values = [_values(part.column(number), column) for number, column in enumerate(columns)]
            session.insert_many(
                statement.text,
                [column.bound for column in columns],
                list(zip(*values, strict=True)),
                f"inserting rows into {staging}",
            )
            inserted += part.num_rows
    return inserted


def _values(values: pa.Array[Any], column: FastColumn) -> list[Any]:
    kind = values.type
    if pa.types.is_timestamp(kind):
        return _moments(values, column.base)
    if pa.types.is_time(kind) or pa.types.is_date(kind):
        text = values.cast(pa.string())
        return pc.utf8_slice_codeunits(text, 0, 16).to_pylist() if pa.types.is_time(kind) else text.to_pylist()
    if pa.types.is_decimal(kind):
        return [None if value is None else format(value, "f") for value in values.to_pylist()]
    if pa.types.is_boolean(kind):
        return values.cast(pa.int8()).to_pylist()
    return values.to_pylist()


def _moments(values: pa.Array[Any], base: str) -> list[str | None]:
    """As the server reads them in every language, with as many digits as the type takes: an Arrow value never has more that
    count, because the lake's form of the column was chosen for its type."""
    offset = " +00:00" if values.type.tz is not None else ""
    plain = values.cast(pa.timestamp(values.type.unit))
    if base == "datetime":
        plain = plain.cast(pa.timestamp("ms"), safe=True)
    elif base == "smalldatetime":
        plain = plain.cast(pa.timestamp("s"), safe=True)
    longest = {"datetime": _MILLISECONDS, "smalldatetime": _SECONDS}.get(base, _SEVEN_DIGITS)
    texts = pc.utf8_slice_codeunits(plain.cast(pa.string()), 0, longest).to_pylist()
    if base in {"datetime", "smalldatetime"}:
        return [None if text is None else text.replace(" ", "T") for text in texts]
    return [None if text is None else f"{text}{offset}" for text in texts]


def _length(size: str) -> int:
    """Characters or bytes; 0 for (max), which the driver streams."""
    return 0 if size == "max" else int(size or 1)
