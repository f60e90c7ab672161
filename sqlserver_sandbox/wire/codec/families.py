"""Which family's codec a declared type belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sqlserver_sandbox.wire.codec import binary, datetimes, decimals, guids, numbers, text
from sqlserver_sandbox.wire.refusals import refusal

if TYPE_CHECKING:
    from sqlserver_sandbox.model import ArrowArray, SqlType
    from sqlserver_sandbox.wire.codec.buffers import Bytes, Longs, Mask


class FixedFamily(Protocol):
    """Every value of a type has the same number of bytes."""

    def to_wire(self, array: ArrowArray, sql_type: SqlType) -> Bytes: ...

    def from_wire(self, raw: Bytes, valid: Mask | None, sql_type: SqlType) -> ArrowArray: ...


class VariableFamily(Protocol):
    """Values have their own lengths."""

    def to_wire(self, array: ArrowArray, sql_type: SqlType) -> tuple[Bytes, Longs]: ...

    def from_wire(self, data: Bytes, offsets: Longs, valid: Mask | None, sql_type: SqlType) -> ArrowArray: ...


_FIXED: tuple[tuple[frozenset[str], FixedFamily], ...] = (
    (numbers.NAMES, numbers),
    (decimals.NAMES, decimals),
    (datetimes.NAMES, datetimes),
    (guids.NAMES, guids),
)
_VARIABLE: tuple[tuple[frozenset[str], VariableFamily], ...] = ((text.NAMES, text), (binary.NAMES, binary))


def fixed_family(sql_type: SqlType) -> FixedFamily | None:
    """The codec of a type whose values all have one width; None when the type is variable."""
    return next((family for names, family in _FIXED if sql_type.name in names), None)


def variable_family(sql_type: SqlType) -> VariableFamily:
    """The codec of a variable type. Raises SqlError for a type the sandbox does not have."""
    found = next((family for names, family in _VARIABLE if sql_type.name in names), None)
    if found is None:
        raise refusal(f"the type {sql_type.name}")
    return found
