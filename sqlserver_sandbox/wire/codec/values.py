"""Values that a client sent, one by one, to an array in the declared type's Arrow form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray, SqlType
from sqlserver_sandbox.wire.codec import binary, datetimes, decimals, numbers
from sqlserver_sandbox.wire.codec.buffers import Mask
from sqlserver_sandbox.wire.codec.families import fixed_family, variable_family
from sqlserver_sandbox.wire.refusals import invalid_value
from sqlserver_sandbox.wire.type_info import value_width


def arrow_form(sql_type: SqlType) -> pa.DataType:
    """The Arrow type in which model.py says a declared type's values are held."""
    name = sql_type.name
    if name in numbers.NAMES:
        return numbers.ARROW[name]
    if name in decimals.NAMES:
        return decimals.arrow_form(sql_type)
    if name in datetimes.NAMES:
        return datetimes.arrow_form(sql_type)
    return pa.binary() if name in binary.NAMES else pa.string()


def null_of(sql_type: SqlType) -> ArrowArray:
    """One null of a declared type."""
    return pa.array([None], arrow_form(sql_type))


def array_of(values: Sequence[bytes | None], sql_type: SqlType) -> ArrowArray:
    """The values as an array; None is null. Raises SqlError 8023 for bytes that are no value of the type."""
    valid = mask_of(values)
    family = fixed_family(sql_type)
    if family is None:
        lengths = np.fromiter((len(value or b"") for value in values), np.int64, len(values))
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
        data = np.frombuffer(b"".join(value or b"" for value in values), np.uint8)
        return variable_family(sql_type).from_wire(data, offsets, valid, sql_type)
    width = value_width(sql_type)
    exact = sql_type.name not in ("decimal", "numeric")
    for value in values:
        if value is not None and (len(value) != width if exact else not 1 < len(value) <= width):
            raise invalid_value(sql_type)
    raw = np.frombuffer(b"".join((value or b"").ljust(width, b"\0") for value in values), np.uint8)
    return family.from_wire(raw.reshape(len(values), width), valid, sql_type)


def mask_of(values: Sequence[bytes | None]) -> Mask | None:
    if None not in values:
        return None
    return np.fromiter((value is not None for value in values), np.bool_, len(values))
