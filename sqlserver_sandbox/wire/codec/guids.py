"""uniqueidentifier: 36 characters behind the wire, 16 bytes on it, the first three groups byte-swapped."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray, SqlType
from sqlserver_sandbox.wire.codec.buffers import Bytes, Mask, build_variable, expect, variable_values

NAMES = frozenset({"uniqueidentifier"})
TEXT_LENGTH = 36
_ZERO = "00000000-0000-0000-0000-000000000000"
_DIGIT_PLACES = np.array([place for place in range(TEXT_LENGTH) if place not in (8, 13, 18, 23)])
_WIRE_ORDER = np.array([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15])  # its own inverse
_TO_HEX = np.frombuffer(b"0123456789ABCDEF", np.uint8)
_FROM_HEX = np.full(256, 0xFF, np.uint8)
_FROM_HEX[np.frombuffer(b"0123456789", np.uint8)] = np.arange(10, dtype=np.uint8)
_FROM_HEX[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16, dtype=np.uint8)
_FROM_HEX[np.frombuffer(b"abcdef", np.uint8)] = np.arange(10, 16, dtype=np.uint8)


def to_wire(array: ArrowArray, sql_type: SqlType) -> Bytes:
    expect(array, pa.string(), pa.large_string())
    text, offsets = variable_values(array.fill_null(_ZERO))
    if (np.diff(offsets) != TEXT_LENGTH).any():
        raise ValueError(f"a {sql_type.name} does not have {TEXT_LENGTH} characters")
    digits = _FROM_HEX[text.reshape(-1, TEXT_LENGTH)[:, _DIGIT_PLACES]]
    if (digits == 0xFF).any():
        raise ValueError(f"a {sql_type.name} is not written in hexadecimal")
    octets: Bytes = (digits[:, 0::2] * np.uint8(16)) | digits[:, 1::2]
    return octets[:, _WIRE_ORDER]


def from_wire(raw: Bytes, valid: Mask | None, sql_type: SqlType) -> ArrowArray:
    ordered = raw[:, _WIRE_ORDER]
    text = np.full((len(raw), TEXT_LENGTH), ord("-"), np.uint8)
    text[:, _DIGIT_PLACES[0::2]] = _TO_HEX[ordered >> 4]
    text[:, _DIGIT_PLACES[1::2]] = _TO_HEX[ordered & 0x0F]
    offsets = np.arange(0, (len(raw) + 1) * TEXT_LENGTH, TEXT_LENGTH, dtype=np.int64)
    return build_variable(pa.string(), text.tobytes(), offsets, valid)
