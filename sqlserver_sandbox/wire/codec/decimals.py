"""decimal and numeric: a sign byte and a magnitude; money and smallmoney: a count of ten-thousandths.

[MS-TDS] 2.2.5.5.1.6 and 2.2.5.5.1.2. Arrow holds a 128-bit two's complement number, seen here as two 64-bit words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray, SqlType
from sqlserver_sandbox.wire.codec.buffers import Bytes, Mask, as_matrix, build_fixed, expect, fixed_values
from sqlserver_sandbox.wire.refusals import invalid_value
from sqlserver_sandbox.wire.type_info import decimal_width

MONEY = pa.decimal128(19, 4)
SMALLMONEY = pa.decimal128(10, 4)
NAMES = frozenset({"decimal", "numeric", "money", "smallmoney"})
_ONE = np.uint64(1)
_SIGN_SHIFT = np.uint64(63)


def arrow_form(sql_type: SqlType) -> pa.DataType:
    if sql_type.name == "money":
        return MONEY
    if sql_type.name == "smallmoney":
        return SMALLMONEY
    return pa.decimal128(sql_type.precision, sql_type.scale)


def to_wire(array: ArrowArray, sql_type: SqlType) -> Bytes:
    expect(array, arrow_form(sql_type))
    words = fixed_values(array, np.uint64, per_value=2).reshape(-1, 2)
    if sql_type.name == "money":
        # The high half comes first, each half little-endian.
        return as_matrix(words[:, 0])[:, [4, 5, 6, 7, 0, 1, 2, 3]]
    if sql_type.name == "smallmoney":
        return as_matrix(words[:, 0])[:, :4]
    magnitude, negative = _negate_where(words, words[:, 1] >> _SIGN_SHIFT != 0)
    width = decimal_width(sql_type.precision)
    out = np.empty((len(array), 1 + width), np.uint8)
    out[:, 0] = ~negative
    out[:, 1:] = magnitude.view(np.uint8).reshape(len(array), 16)[:, :width]
    return out


def from_wire(raw: Bytes, valid: Mask | None, sql_type: SqlType) -> ArrowArray:
    """`raw` holds a sign byte and the magnitude, padded with zero bytes on the right where a client sent fewer."""
    words = np.zeros((len(raw), 2), np.uint64)
    if sql_type.name in ("money", "smallmoney"):
        if sql_type.name == "money":
            low = np.ascontiguousarray(raw[:, [4, 5, 6, 7, 0, 1, 2, 3]]).reshape(-1).view("<i8")
        else:
            low = np.ascontiguousarray(raw).reshape(-1).view("<i4").astype(np.int64)
        words[:, 0] = low.view(np.uint64)
        words[:, 1] = (low >> 63).view(np.uint64)
        return build_fixed(arrow_form(sql_type), words, valid)
    words.view(np.uint8).reshape(len(raw), 16)[:, : raw.shape[1] - 1] = raw[:, 1:]
    too_big = _exceeds(words, 10**sql_type.precision)
    if valid is not None:
        too_big &= valid
    if too_big.any():
        raise invalid_value(sql_type)
    signed, _negative = _negate_where(words, raw[:, 0] == 0)
    return build_fixed(arrow_form(sql_type), signed, valid)


def _negate_where(words: npt.NDArray[np.uint64], which: Mask) -> tuple[npt.NDArray[np.uint64], Mask]:
    """Two's complement of the chosen rows (its own inverse), in a copy."""
    out = np.ascontiguousarray(words).copy()
    low = ~out[which, 0] + _ONE
    out[which, 1] = ~out[which, 1] + (low == 0)
    out[which, 0] = low
    return out, which


def _exceeds(words: npt.NDArray[np.uint64], limit: int) -> Mask:
    low, high = np.uint64(limit & 0xFFFF_FFFF_FFFF_FFFF), np.uint64(limit >> 64)
    beyond: Mask = (words[:, 1] > high) | ((words[:, 1] == high) & (words[:, 0] >= low))
    return beyond
