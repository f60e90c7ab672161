"""Character types: UTF-16 for nchar, nvarchar, ntext, sysname and xml; the collation's code page for char, varchar, text.

Behind the wire every text is UTF-8. A character the code page lacks is refused: SQL Server would have stored a question
mark when the text was converted to varchar, so an engine that gets here with one has broken its own rules.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sqlserver_sandbox.model import ArrowArray, SqlError, SqlType
from sqlserver_sandbox.wire.codec.buffers import Bytes, Longs, Mask, build_variable, expect, variable_values
from sqlserver_sandbox.wire.collations import find_collation
from sqlserver_sandbox.wire.refusals import UNSUPPORTED
from sqlserver_sandbox.wire.type_info import UTF16_TYPES

NAMES = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext", "sysname", "xml"})
ASCII_END = 0x80


def to_wire(array: ArrowArray, sql_type: SqlType) -> tuple[Bytes, Longs]:
    """(bytes of all values, bytes per value)."""
    expect(array, pa.string(), pa.large_string())
    utf8, offsets = variable_values(array)
    codec = _codec(sql_type)
    if codec == "utf-8":
        return utf8, np.diff(offsets)
    if not utf8.size or utf8.max() < ASCII_END:
        if codec == "cp1252":
            return utf8, np.diff(offsets)
        widened = np.zeros((utf8.size, 2), np.uint8)
        widened[:, 0] = utf8
        return widened.reshape(-1), np.diff(offsets) * 2
    starts = (utf8 & 0xC0) != 0x80
    units = starts.astype(np.int64)
    try:
        encoded = utf8.tobytes().decode("utf-8").encode(codec)
    except UnicodeEncodeError as error:
        raise _not_in_code_page(error, sql_type) from error
    if codec == "utf-16-le":
        units = (units + (utf8 >= 0xF0)) * 2  # four bytes of UTF-8 are a surrogate pair
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(units)))
    return np.frombuffer(encoded, np.uint8), np.diff(before[offsets])


def from_wire(data: Bytes, offsets: Longs, valid: Mask | None, sql_type: SqlType) -> ArrowArray:
    codec = _codec(sql_type)
    if codec == "utf-16-le":
        return _from_utf16(data, offsets, valid)
    if not data.size or data.max() < ASCII_END:
        return build_variable(pa.string(), data.tobytes(), offsets, valid)
    raw = data.tobytes()
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError as error:
        raise _malformed(codec) from error
    if codec == "utf-8":
        if ((data[np.minimum(offsets[:-1], data.size - 1)] & 0xC0 == 0x80) & (np.diff(offsets) > 0)).any():
            raise _malformed(codec)  # a value begins inside a character
        return build_variable(pa.string(), raw, offsets, valid)
    width = _CP1252_UTF8_WIDTH[data]
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(width)))
    return build_variable(pa.string(), text.encode("utf-8"), before[offsets], valid)


def _from_utf16(data: Bytes, offsets: Longs, valid: Mask | None) -> ArrowArray:
    if data.size % 2 or (offsets % 2).any():
        raise _malformed("utf-16-le")
    units: npt.NDArray[np.uint16] = data.view("<u2")
    starts = offsets // 2
    if not units.size or units.max() < ASCII_END:
        return build_variable(pa.string(), units.astype(np.uint8).tobytes(), starts, valid)
    low_surrogate = (units & 0xFC00) == 0xDC00
    first = starts[:-1][np.diff(starts) > 0]
    if low_surrogate[first].any():  # else it would pair with the high surrogate at the end of the value before
        raise _malformed("utf-16-le")
    try:
        encoded = data.tobytes().decode("utf-16-le").encode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed("utf-16-le") from error
    surrogate = (units & 0xF800) == 0xD800
    width = 1 + (units >= 0x80).astype(np.int64) + ((units >= 0x800) & ~surrogate)
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(width)))
    return build_variable(pa.string(), encoded, before[starts], valid)


def _codec(sql_type: SqlType) -> str:
    return "utf-16-le" if sql_type.name in UTF16_TYPES else find_collation(sql_type.collation).codec


def _cp1252_widths() -> Longs:
    """Bytes of UTF-8 for each byte of code page 1252; 1 for the five bytes it leaves undefined, which do not decode."""
    return np.array(
        [len(bytes((byte,)).decode("cp1252", "replace").replace("�", "?").encode()) for byte in range(256)],
        dtype=np.int64,
    )


_CP1252_UTF8_WIDTH = _cp1252_widths()


def _malformed(codec: str) -> SqlError:
    return SqlError(UNSUPPORTED, f"sqlserver_sandbox does not accept text that is not well-formed {codec}.")


def _not_in_code_page(error: UnicodeEncodeError, sql_type: SqlType) -> SqlError:
    character = error.object[error.start]
    return SqlError(
        UNSUPPORTED,
        f"sqlserver_sandbox cannot send U+{ord(character):04X} as {sql_type.name}: "
        f"the code page of {find_collation(sql_type.collation).name} does not have it.",
    )
