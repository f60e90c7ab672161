"""Arrow arrays as numpy views of their buffers, and arrays from numpy; nothing is copied that need not be."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray

Bytes: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]
Longs: TypeAlias = npt.NDArray[np.int64]


class WrongForm(TypeError):
    """An array is not in the Arrow form of its declared type: the sender broke the contract in model.py."""


def expect(array: ArrowArray, *types: pa.DataType) -> None:
    """Raise WrongForm unless the array has one of these types."""
    if array.type not in types:
        raise WrongForm(f"expected {' or '.join(map(str, types))}, got {array.type}")


def validity(array: ArrowArray) -> Mask | None:
    """True where there is a value; None when there are no nulls."""
    if array.null_count == 0:
        return None
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def buffer_view(buffer: pa.Buffer, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A buffer's bytes as numbers, without a copy."""
    return np.frombuffer(memoryview(cast("bytes", buffer)), np.dtype(dtype))


def fixed_values(array: ArrowArray, dtype: npt.DTypeLike, *, per_value: int = 1) -> npt.NDArray[Any]:
    """The values buffer of a fixed-width array, `per_value` items each; undefined where null."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array) * per_value, dtype)
    return buffer_view(buffer, dtype)[array.offset * per_value : (array.offset + len(array)) * per_value]


def variable_values(array: ArrowArray) -> tuple[Bytes, Longs]:
    """(all bytes of the values in order, offsets with one more entry than values). A null has no bytes."""
    if array.null_count:
        array = array.fill_null(b"" if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type) else "")
    large = pa.types.is_large_binary(array.type) or pa.types.is_large_string(array.type)
    _validity, offsets_buffer, data_buffer = array.buffers()
    if len(array) == 0 or offsets_buffer is None or data_buffer is None:
        return np.zeros(0, np.uint8), np.zeros(len(array) + 1, np.int64)
    offsets = buffer_view(offsets_buffer, np.int64 if large else np.int32)
    offsets = offsets[array.offset : array.offset + len(array) + 1].astype(np.int64)
    data = buffer_view(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
    return data, offsets - offsets[0]


def low_bytes(values: npt.NDArray[Any], width: int) -> Bytes:
    """The lowest `width` bytes of each 64-bit value, little-endian."""
    wide = np.ascontiguousarray(values, dtype="<i8")
    return wide.view(np.uint8).reshape(len(wide), 8)[:, :width]


def from_low_bytes(raw: Bytes) -> Longs:
    """Unsigned little-endian numbers of up to seven bytes, one per row."""
    wide = np.zeros((len(raw), 8), np.uint8)
    wide[:, : raw.shape[1]] = raw
    return wide.reshape(-1).view("<i8")


def as_matrix(values: npt.NDArray[Any]) -> Bytes:
    """The bytes of each number as a row."""
    width = values.dtype.itemsize
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), width)


def validity_buffer(valid: Mask | None) -> pa.Buffer | None:
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())


def build_fixed(arrow: pa.DataType, values: npt.NDArray[Any], valid: Mask | None) -> ArrowArray:
    """An array over the bytes of `values` (one or more items per value)."""
    count = values.nbytes // (arrow.bit_width // 8)
    data = pa.py_buffer(np.ascontiguousarray(values).tobytes())
    return pa.Array.from_buffers(arrow, count, [validity_buffer(valid), data])


def build_variable(arrow: pa.DataType, data: Bytes | bytes, offsets: Longs, valid: Mask | None) -> ArrowArray:
    """A utf8 or binary array over `data`; batches are far below the two gigabytes that 32-bit offsets can say."""
    starts = pa.py_buffer(offsets.astype(np.int32).tobytes())
    return pa.Array.from_buffers(arrow, len(offsets) - 1, [validity_buffer(valid), starts, pa.py_buffer(bytes(data))])
