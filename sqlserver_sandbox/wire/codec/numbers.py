"""bit, tinyint, smallint, int, bigint, real, float: little-endian, as Arrow holds them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray, SqlType
from sqlserver_sandbox.wire.codec.buffers import (
    Bytes,
    Mask,
    as_matrix,
    build_fixed,
    expect,
    fixed_values,
    validity_buffer,
)

ARROW: dict[str, pa.DataType] = {
    "bit": pa.bool_(),
    "tinyint": pa.uint8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "float": pa.float64(),
}
NAMES = frozenset(ARROW)


def to_wire(array: ArrowArray, sql_type: SqlType) -> Bytes:
    arrow = ARROW[sql_type.name]
    expect(array, arrow)
    if sql_type.name == "bit":
        return as_matrix(array.fill_null(False).cast(pa.uint8()).to_numpy())
    return as_matrix(fixed_values(array, arrow.to_pandas_dtype()))


def from_wire(raw: Bytes, valid: Mask | None, sql_type: SqlType) -> ArrowArray:
    arrow = ARROW[sql_type.name]
    if sql_type.name == "bit":
        packed = np.packbits(raw[:, 0] != 0, bitorder="little").tobytes()
        return pa.Array.from_buffers(pa.bool_(), len(raw), [validity_buffer(valid), pa.py_buffer(packed)])
    return build_fixed(arrow, raw, valid)
