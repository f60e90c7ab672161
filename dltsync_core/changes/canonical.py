"""A column's values as the server's own lossless text, made from Arrow. Twin of `tsql/values.py`: the same characters.

Every rule here stands beside one there; `tests/integration/source/test_digest_twins.py` holds them together over the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.errors import FidelityError
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm

Texts: TypeAlias = Any
"""An Arrow array of text. The stubs of pyarrow.compute know only its concrete classes."""

Values: TypeAlias = Any
"""An Arrow array of the column's type in the lake."""

Rule: TypeAlias = "Callable[[Values, ColumnFacts], Texts]"

_NARROW = 1
_WIDE = 2
"""Bytes of a UTF-16 unit, which DATALENGTH counts for nvarchar; for varchar it counts characters of one byte."""

_CHARACTERS = frozenset(
    {"char", "varchar", "nchar", "nvarchar", "text", "ntext", "xml", "json", "vector", "sql_variant", "hierarchyid"}
)
"""Types whose canonical text is nvarchar."""
_INTEGERS = frozenset({"tinyint", "smallint", "int", "bigint"})
_DECIMALS = frozenset({"decimal", "numeric", "money", "smallmoney"})
_BYTES = frozenset({"binary", "varbinary", "rowversion", "image"})
_MOMENTS = frozenset({"datetime2", "time"})
_WITHOUT_ZERO_FRACTION = frozenset({"datetime", "smalldatetime"})
_NANOSECONDS_PER = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_NANOSECOND_DIGITS = 9
_EXPONENT_DIGITS = 3


def why_no_twin(mapping: ColumnMapping) -> str | None:
    """Why the lake's values of a column cannot give the server's text again; None when they can."""
    if mapping.column.type_name == "datetimeoffset" and mapping.source is not SourceForm.SERVER_TEXT:
        return "the offset of a datetimeoffset kept as UTC is not in the lake"
    if mapping.source in {SourceForm.AS_WKB, SourceForm.AS_WKT}:
        return f"a {mapping.column.type_name} kept without its SRID is not the server's own form"
    if mapping.source is SourceForm.AS_BYTES and (mapping.column.type_name in _CHARACTERS):
        return "its text is in the lake as bytes"
    return None


def bytes_per_character(column: ColumnFacts) -> int:
    """What one UTF-16 unit of the column's canonical text adds to DATALENGTH: 2 for character columns and xml, else 1."""
    return _WIDE if column.type_name in _CHARACTERS else _NARROW


def canonical_texts(values: Values, mapping: ColumnMapping) -> Texts:
    """The values as text (large_string), NULL for NULL. `values` are of the lake's type, or the warehouse's equal of it.

    Raises FidelityError for a column that has no twin (`why_no_twin`) and for a type that no rule knows.
    """
    reason = why_no_twin(mapping)
    if reason is not None:
        raise FidelityError(
            f"column {mapping.name} has no fingerprint outside the server: {reason}", column=mapping.name
        )
    rule = None if mapping.source is SourceForm.SERVER_TEXT else _rule_of(mapping.column)
    if rule is None:
        return values.cast(pa.large_string())
    return rule(values, mapping.column).cast(pa.large_string())


def _rule_of(column: ColumnFacts) -> Rule | None:
    name = column.type_name
    if name in _CHARACTERS:
        return None
    if column.is_clr:
        return _octets
    families: tuple[tuple[frozenset[str], Rule], ...] = (
        (frozenset({"bit"}), _bit),
        (_INTEGERS, _integer),
        (_DECIMALS, _decimal),
        (frozenset({"float", "real"}), _float),
        (frozenset({"date"}), _date),
        (_MOMENTS, _moment),
        (_WITHOUT_ZERO_FRACTION, _grid_moment),
        (frozenset({"uniqueidentifier"}), _guid),
        (_BYTES, _octets),
    )
    for names, rule in families:
        if name in names:
            return rule
    raise FidelityError(f"column {column.name}: no fingerprint rule for the type {name}", column=column.name)


def _bit(values: Values, column: ColumnFacts) -> Texts:
    return pc.if_else(values, "1", "0")


def _integer(values: Values, column: ColumnFacts) -> Texts:
    return values.cast(pa.string())


def _decimal(values: Values, column: ColumnFacts) -> Texts:
    """Plain digits with the column's scale. Arrow's own text of a decimal turns to exponents for small numbers."""
    scale = 4 if "money" in column.type_name else column.scale
    exact = values.cast(pa.decimal128(38, scale))
    units = pa.Array.from_buffers(pa.decimal128(38, 0), len(exact), exact.buffers(), offset=exact.offset)
    text = units.cast(pa.string())
    if scale == 0:
        return text
    sign = pc.if_else(pc.starts_with(text, "-"), "-", "")
    digits = pc.utf8_lpad(pc.replace_substring(text, "-", ""), scale + 1, "0")
    whole, fraction = pc.utf8_slice_codeunits(digits, 0, -scale), pc.utf8_slice_codeunits(digits, -scale)
    return _joined(sign, _joined(whole, fraction, "."), "")


def _float(values: Values, column: ColumnFacts) -> Texts:
    """CONVERT style 3: seventeen digits and an exponent of three. Arrow has no such format: one value at a time."""
    return pa.array([None if v is None else _seventeen_digits(v) for v in values.to_pylist()], pa.string())


def _seventeen_digits(value: float) -> str:
    mantissa, exponent = f"{value:.16e}".split("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].rjust(_EXPONENT_DIGITS, '0')}"


def _date(values: Values, column: ColumnFacts) -> Texts:
    return values.cast(pa.date32()).cast(pa.string())


def _moment(values: Values, column: ColumnFacts) -> Texts:
    """Style 121 with exactly the declared digits of a second."""
    seconds, digits = _seconds_and_fraction(values, column.scale)
    return seconds if column.scale == 0 else _joined(seconds, digits, ".")


def _grid_moment(values: Values, column: ColumnFacts) -> Texts:
    """Style 126: with a T, and three digits unless they are all zero."""
    seconds, digits = _seconds_and_fraction(values, 3)
    text = pc.replace_substring(seconds, " ", "T")
    return pc.if_else(pc.equal(digits, pa.scalar("000")), text, _joined(text, digits, "."))


def _seconds_and_fraction(values: Values, scale: int) -> tuple[Texts, Texts]:
    """The text to the second, and the first `scale` digits below it; the later ones must be zero, which the type sees to."""
    kind: Any = values.type
    counts = values.cast(pa.int64())
    per_second = _NANOSECONDS_PER["s"] // _NANOSECONDS_PER[kind.unit]
    whole = pc.divide(counts, per_second)
    # Integer division rounds towards zero: before 1970 that would be the second above.
    above = pc.greater(pc.multiply(whole, per_second), counts)
    whole = pc.if_else(above, pc.subtract(whole, 1), whole)
    rest = pc.multiply(pc.subtract(counts, pc.multiply(whole, per_second)), _NANOSECONDS_PER[kind.unit])
    seconds = (
        whole.cast(pa.int32()).cast(pa.time32("s")).cast(pa.string())
        if pa.types.is_time(kind)
        else whole.cast(pa.timestamp("s")).cast(pa.string())
    )
    digits = pc.utf8_slice_codeunits(pc.utf8_lpad(rest.cast(pa.string()), _NANOSECOND_DIGITS, "0"), 0, max(scale, 1))
    return seconds, digits


def _guid(values: Values, column: ColumnFacts) -> Texts:
    return pc.utf8_upper(values.cast(pa.string()))


def _octets(values: Values, column: ColumnFacts) -> Texts:
    """0x and upper case digits. Arrow has no function for it: one value at a time."""
    return pa.array([None if v is None else f"0x{v.hex().upper()}" for v in values.to_pylist()], pa.large_string())


def _joined(left: Texts, right: Texts, separator: str) -> Texts:
    return pc.binary_join_element_wise(left, right, pa.scalar(separator))
