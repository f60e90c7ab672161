"""binary, varbinary, image, rowversion: bytes as they are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray, SqlType
from sqlserver_sandbox.wire.codec.buffers import Bytes, Longs, Mask, build_variable, expect, variable_values

NAMES = frozenset({"binary", "varbinary", "image", "rowversion"})


def to_wire(array: ArrowArray, _sql_type: SqlType) -> tuple[Bytes, Longs]:
    """(bytes of all values, bytes per value)."""
    expect(array, pa.binary(), pa.large_binary())
    data, offsets = variable_values(array)
    return data, np.diff(offsets)


def from_wire(data: Bytes, offsets: Longs, valid: Mask | None, _sql_type: SqlType) -> ArrowArray:
    return build_variable(pa.binary(), data.tobytes(), offsets, valid)
