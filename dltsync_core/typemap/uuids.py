"""uniqueidentifier as Parquet's logical type UUID: sixteen bytes in the order in which they are written as text.

SQL Server stores and sends the first three groups with their bytes reversed, and sorts by the last group first. The drivers
return text, which has the same order everywhere; it is what becomes bytes here, so no other program sees reversed ones. Arrow's
functions for comparing, counting and converting do not take its UUID type: `storage` gives them bytes, `texts_of` text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

UUID: pa.DataType = pa.uuid()
"""The Arrow type of a UUID column. Parquet has it as FIXED_LEN_BYTE_ARRAY(16) with the logical type UUID, DuckDB as UUID."""

LENGTH = 16
TEXT_LENGTH = 36
_HYPHENS = (8, 13, 18, 23)
_DIGIT_PLACES = [place for place in range(TEXT_LENGTH) if place not in _HYPHENS]
_NO_DIGIT = 0xFF
_NIL = "00000000-0000-0000-0000-000000000000"


def _values_of_digits() -> Any:
    values = np.full(256, _NO_DIGIT, dtype=np.uint8)
    for value, digits in enumerate(zip("0123456789abcdef", "0123456789ABCDEF", strict=True)):
        for digit in digits:
            values[ord(digit)] = value
    return values


_VALUE_OF_DIGIT = _values_of_digits()
_DIGITS_OF_BYTE = np.frombuffer("".join(f"{byte:02X}" for byte in range(256)).encode(), dtype=np.uint8).reshape(256, 2)


def is_uuid(arrow_type: pa.DataType) -> bool:
    """Whether a column of this type holds UUIDs. The one question for every place that treats them apart."""
    return bool(arrow_type.equals(UUID))


def type_name(arrow_type: pa.DataType) -> str:
    """The type as contracts, manifests and messages write it: as Arrow does, and `uuid` for a UUID."""
    return "uuid" if is_uuid(arrow_type) else str(arrow_type)


def storage(values: Any) -> Any:
    """UUIDs as an array of sixteen bytes each, without a copy; any other array as it is. Chunked arrays too."""
    return values.cast(pa.binary(LENGTH)) if is_uuid(values.type) else values


def uuids_of(texts: Any) -> pa.Array[Any]:
    """UUIDs from text, in upper or lower case. Raises ArrowInvalid for a text that is none; NULL stays NULL."""
    filled = pc.fill_null(texts.cast(pa.large_string()), _NIL)
    lengths: Any = pc.min_max(pc.binary_length(filled))
    if len(filled) and {length.as_py() for length in lengths.values()} != {TEXT_LENGTH}:
        raise pa.ArrowInvalid(f"a UUID has {TEXT_LENGTH} characters")
    _, offsets, data = filled.buffers()
    characters = np.empty((0, TEXT_LENGTH), dtype=np.uint8)
    if len(filled):
        start = int(np.frombuffer(offsets, dtype=np.int64)[filled.offset])
        characters = np.frombuffer(data, dtype=np.uint8)[start : start + len(filled) * TEXT_LENGTH]
    characters = characters.reshape(-1, TEXT_LENGTH)
    digits = _VALUE_OF_DIGIT[characters[:, _DIGIT_PLACES]]
    if (digits == _NO_DIGIT).any() or (characters[:, _HYPHENS] != ord("-")).any():
        raise pa.ArrowInvalid("a UUID is 32 hexadecimal digits with hyphens")
    return _array(digits[:, 0::2] << 4 | digits[:, 1::2], texts)


def texts_of(uuids: Any) -> Any:
    """The text of each UUID, as SQL Server and its drivers write it: 36 characters, upper case (large_string)."""
    values = storage(uuids)
    _, data = values.buffers()
    octets = np.frombuffer(data, dtype=np.uint8)[values.offset * LENGTH : (values.offset + len(values)) * LENGTH]
    characters = np.full((len(values), TEXT_LENGTH), ord("-"), dtype=np.uint8)
    characters[:, _DIGIT_PLACES] = _DIGITS_OF_BYTE[octets].reshape(-1, 2 * LENGTH)
    offsets = np.arange(len(values) + 1, dtype=np.int64) * TEXT_LENGTH
    buffers = [_validity(values), pa.py_buffer(offsets.tobytes()), pa.py_buffer(characters.tobytes())]
    return pa.Array.from_buffers(pa.large_string(), len(values), buffers, values.null_count)


def _array(octets: Any, like: Any) -> pa.Array[Any]:
    """UUIDs of these bytes, NULL where `like` is."""
    buffers = [_validity(like), pa.py_buffer(np.ascontiguousarray(octets).tobytes())]
    stored = pa.Array.from_buffers(pa.binary(LENGTH), len(like), buffers, like.null_count)
    return pa.ExtensionArray.from_storage(UUID, stored)  # type: ignore[arg-type]  # the stub knows no UuidType here


def _validity(values: Any) -> Any:
    """The bitmap of values that are not NULL, from the array's first value on; None when all are there."""
    return pc.is_valid(values).buffers()[1] if values.null_count else None
