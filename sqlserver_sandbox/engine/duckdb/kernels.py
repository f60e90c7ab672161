"""Functions DuckDB does not have, over whole Arrow arrays: hashing of stored bytes, exact decimals, reference conversions."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import ARROW, SPECIAL

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql.bind.bound import error_text
from sqlserver_sandbox.tsql.bind.conversions import CHANNEL_TYPES, VARIANT_MARK
from sqlserver_sandbox.tsql.values import convert_value
from sqlserver_sandbox.tsql.values.convert import check_allowed
from sqlserver_sandbox.tsql.values.errors import overflow
from sqlserver_sandbox.tsql.values.numbers import EXACT, fits, quantize
from sqlserver_sandbox.tsql.values.storage import OFFSET_STRUCT, decode_text, decode_value, encode_value
from sqlserver_sandbox.tsql.values.texts import encode_1252

_ARROW_CHANNELS: dict[str, pa.DataType] = {
    "t": pa.string(),
    "b": pa.binary(),
    "i": pa.int64(),
    "d": pa.float64(),
    "z": OFFSET_STRUCT,
}


class KernelError(Exception):
    """Carries a SqlError through DuckDB as marked text."""

    def __init__(self, error: SqlError) -> None:
        super().__init__(error_text(error))


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every kernel known to the DuckDB instance."""
    for into, source in CHANNEL_TYPES.items():
        for out, target in CHANNEL_TYPES.items():
            _create(connection, f"convert_{into}_{out}", _converter(into, out), ["VARCHAR", source], target)
    _create(connection, "convert_variant", convert_variant, ["VARCHAR", "VARCHAR"], "VARCHAR")
    _create(connection, "exact_decimal", exact_decimal, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR")
    _create(connection, "hash_text", hash_text, ["VARCHAR", "VARCHAR", "VARCHAR"], "BLOB")
    _create(connection, "hash_bytes", hash_bytes, ["VARCHAR", "BLOB"], "BLOB")
    _create(connection, "big_endian", big_endian, ["BLOB"], "BIGINT")
    _create(connection, "float_style_3", float_style_3, ["DOUBLE"], "VARCHAR")


def _create(
    connection: duckdb.DuckDBPyConnection, name: str, function: Callable[..., Any], parameters: list[str], result: str
) -> None:
    types: list[Any] = [duckdb.sqltype(p) for p in parameters]
    connection.create_function(name, function, types, duckdb.sqltype(result), type=ARROW, null_handling=SPECIAL)


def _whole(array: Any) -> Any:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


# ---- conversions -------------------------------------------------------------------------------------------------
@lru_cache(maxsize=4096)
def _spec(text: str) -> tuple[SqlType, SqlType, int | None, bool]:
    source, target, style, is_try = json.loads(text)
    return SqlType(**source), SqlType(**target), style, is_try


def _converter(into: str, out: str) -> Callable[..., Any]:
    result = _ARROW_CHANNELS[out]

    def convert(spec: Any, values: Any) -> Any:
        if len(values) == 0:
            return pa.array([], result)
        source, target, style, is_try = _spec(_whole(spec)[0].as_py())
        converted = [None if v is None else _one(v, source, target, style, is_try) for v in _whole(values).to_pylist()]
        return pa.array(converted, result)

    return convert


def _one(value: object, source: SqlType, target: SqlType, style: int | None, is_try: bool) -> object:
    if isinstance(value, dict):
        value = (value["ticks"], value["offset"])
    elif source.name in ("decimal", "numeric", "money", "smallmoney", "date"):
        value = decode_value(value, source)
    elif source.name == "bit":
        value = bool(value)
    return _encoded_result(_converted(value, source, target, style, is_try))


def _converted(value: object, source: SqlType, target: SqlType, style: int | None, is_try: bool) -> object:
    """As `convert_value`; its error for DuckDB, or NULL where TRY_CONVERT has it."""
    try:
        return convert_value(value, source, target, style)
    except SqlError as error:
        if is_try and error.number not in (529, 40517):
            return None
        raise KernelError(error) from None


def _encoded_result(result: object) -> object:
    if isinstance(result, tuple):
        return {"ticks": result[0], "offset": result[1]}
    if isinstance(result, bytes | float):
        return result
    return int(result) if isinstance(result, bool) else encode_value(result)


@lru_cache(maxsize=256)
def _base(tag: str) -> SqlType:
    return SqlType(**json.loads(tag))


@lru_cache(maxsize=256)
def _variant_spec(text: str) -> tuple[SqlType, int | None, bool]:
    target, style, is_try = json.loads(text)
    return SqlType(**target), style, is_try


def convert_variant(spec: Any, values: Any) -> Any:
    """Each variant (base type, mark, text) as text of the target type (`storage.encode_value`)."""
    if len(values) == 0:
        return pa.array([], pa.string())
    asked = _variant_spec(_whole(spec)[0].as_py())
    return pa.array([None if v is None else _from_variant(v, *asked) for v in _whole(values).to_pylist()], pa.string())


def _from_variant(variant: str, target: SqlType, style: int | None, is_try: bool) -> str | None:
    tag, _, text = variant.partition(VARIANT_MARK)
    base = _base(tag)
    try:
        check_allowed(base, target, explicit=True)
    except SqlError as error:
        raise KernelError(error) from None
    value = _converted(decode_text(text, base), base, target, style, is_try)
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(encode_value(value))


# ---- decimals ----------------------------------------------------------------------------------------------------
_OPERATIONS: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": EXACT.add,
    "-": EXACT.subtract,
    "*": EXACT.multiply,
    "%": EXACT.remainder,
}


def exact_decimal(spec: Any, left: Any, right: Any) -> Any:
    """left operator right at the result's scale: division cuts, the others round half away from zero. 8134, 8115."""
    if len(left) == 0:
        return pa.array([], pa.string())
    operator, precision, scale = json.loads(_whole(spec)[0].as_py())
    pairs = zip(_whole(left).to_pylist(), _whole(right).to_pylist(), strict=True)
    return pa.array(
        [
            None if a is None or b is None else _exact(operator, precision, scale, Decimal(a), Decimal(b))
            for a, b in pairs
        ],
        pa.string(),
    )


def _exact(operator: str, precision: int, scale: int, left: Decimal, right: Decimal) -> str:
    if operator in "/%" and right == 0:
        raise KernelError(SqlError(8134, "Divide by zero error encountered."))
    value = _quotient(left, right, scale) if operator == "/" else _OPERATIONS[operator](left, right)
    value = quantize(value, scale, ROUND_DOWN if operator == "/" else ROUND_HALF_UP)
    if not fits(value, precision, scale):
        raise KernelError(overflow("expression", SqlType("numeric")))
    return f"{value:f}"


def _quotient(left: Decimal, right: Decimal, scale: int) -> Decimal:
    """Exact to `scale` digits, cut: integer division of the scaled numbers."""
    shift = 10**scale
    a, b = left.as_integer_ratio(), right.as_integer_ratio()
    numerator, denominator = a[0] * b[1] * shift, a[1] * b[0]
    whole = abs(numerator) // abs(denominator)
    return Decimal(-whole if (numerator < 0) != (denominator < 0) else whole).scaleb(-scale, EXACT)


# ---- bytes -------------------------------------------------------------------------------------------------------
def hash_text(algorithm: Any, encoding: Any, values: Any) -> Any:
    """The digest of each text's stored bytes."""
    array = _whole(values)
    if len(array) == 0:
        return pa.array([], pa.binary())
    name, code = _whole(algorithm)[0].as_py(), _whole(encoding)[0].as_py()
    data, offsets = _encoded(array, code)
    return _digests(name, array, data, offsets)


def hash_bytes(algorithm: Any, values: Any) -> Any:
    array = _whole(values)
    if len(array) == 0:
        return pa.array([], pa.binary())
    data, offsets = _buffers(array)
    return _digests(_whole(algorithm)[0].as_py(), array, data, offsets)


def _buffers(array: Any) -> tuple[memoryview, np.ndarray[Any, Any]]:
    """The bytes of a string or binary array, and where each value begins."""
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    _, offsets, data = array.buffers()
    kind = np.int64 if wide else np.int32
    bounds = np.frombuffer(offsets, kind)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return (memoryview(data) if data is not None else memoryview(b"")), bounds


def _encoded(array: Any, code: str) -> tuple[memoryview, np.ndarray[Any, Any]]:
    """The values' stored bytes one after another, and where each begins: whole-array encoding, not value by value."""
    data, offsets = _buffers(array)
    if code == "utf8":
        return data, offsets
    first, last = int(offsets[0]), int(offsets[-1])
    raw = np.frombuffer(data, np.uint8)[first:last]
    starts = offsets - first
    if not (raw >= 0x80).any():
        if code == "cp1252":
            return memoryview(raw.tobytes()), starts
        wide = np.zeros(2 * len(raw), np.uint8)
        wide[::2] = raw
        return memoryview(wide.tobytes()), starts * 2
    text = raw.tobytes().decode("utf-8")
    # Units per byte: continuation bytes add none, a lead byte of four adds two (a surrogate pair).
    if code == "cp1252":
        try:
            encoded = encode_1252(text)
        except SqlError as error:
            raise KernelError(error) from None
        weights = ((raw & 0xC0) != 0x80).astype(np.int64)
    else:
        encoded = text.encode("utf-16-le")
        weights = 2 * (((raw & 0xC0) != 0x80).astype(np.int64) + (raw >= 0xF0))
    sums = np.concatenate(([0], np.cumsum(weights)))
    return memoryview(encoded), sums[starts]


def _digests(name: str, array: Any, data: memoryview, offsets: np.ndarray[Any, Any]) -> Any:
    hasher = getattr(hashlib, name)
    bounds = offsets.tolist()
    out = [hasher(data[a:b]).digest() for a, b in itertools.pairwise(bounds)]
    if array.null_count:
        valid = array.is_valid().to_pylist()
        out = [d if v else None for d, v in zip(out, valid, strict=True)]
    return pa.array(out, pa.binary())


def float_style_3(values: Any) -> Any:
    """CONVERT(…, float, 3): 17 digits; the exponent has three."""
    texts = [None if v is None else f"{v:.16e}" for v in _whole(values).to_pylist()]
    return pa.array([t if t is None or t[-4] != "e" else f"{t[:-2]}0{t[-2:]}" for t in texts], pa.string())


def big_endian(values: Any) -> Any:
    """CAST(varbinary AS bigint): the last eight bytes, big-endian, signed."""
    array = _whole(values)
    if len(array) == 0:
        return pa.array([], pa.int64())
    data, offsets = _buffers(array)
    lengths = np.diff(offsets)
    if array.null_count == 0 and (lengths == 8).all():
        raw = np.frombuffer(data, np.uint8)[int(offsets[0]) : int(offsets[-1])]
        return pa.array(raw.view(">i8").astype(np.int64))
    numbers = [
        None if v is None else int.from_bytes(v[-8:].rjust(8, b"\0"), "big", signed=True) for v in array.to_pylist()
    ]
    return pa.array(numbers, pa.int64())
