"""A column's values as the server's own lossless text, made from Arrow. Twin of `tsql/values.py`: the same characters.

Every rule here has a twin there; `tests/integration/source/test_digest_twins.py` compares them over the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.errors import FidelityError
from dltsync_core.typemap.datetimes import TYPE_MAXIMUM
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm
from dltsync_core.typemap.uuids import is_uuid, texts_of

Texts: TypeAlias = Any
"""An Arrow array of text. The stubs of pyarrow.compute have only its concrete classes."""

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
_DATETIMES = frozenset({"datetime2", "time"})
_WITHOUT_ZERO_FRACTION = frozenset({"datetime", "smalldatetime"})
_NANOSECONDS_PER = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_NANOSECOND_DIGITS = 9
_EXPONENT_DIGITS = 3
_DATE_ALONE = len("yyyy-mm-dd")


def reason_without_fingerprint(mapping: ColumnMapping) -> str | None:
    """Why the server's text cannot be made from the lake's values of a column; None when it can."""
    if mapping.column.type_name == "datetimeoffset" and not mapping.source.is_text:
        return "the offset of a datetimeoffset with representation utc is not in the lake"
    if mapping.source in {SourceForm.AS_WKB, SourceForm.AS_WKT}:
        return f"a {mapping.column.type_name} without its SRID is not the server's own form"
    if mapping.source is SourceForm.AS_BYTES and (mapping.column.type_name in _CHARACTERS):
        return "its text is in the lake as bytes"
    return None


def bytes_per_character(column: ColumnFacts) -> int:
    """Bytes in DATALENGTH of one UTF-16 unit of the column's canonical text: 2 for character columns and xml, else 1."""
    return _WIDE if column.type_name in _CHARACTERS else _NARROW


def canonical_texts(values: Values, mapping: ColumnMapping) -> Texts:
    """The values as text (large_string), NULL for NULL. `values` are of the lake's type, or the warehouse's equal of it.

    Raises FidelityError for a column without a fingerprint (`reason_without_fingerprint`) and for a type without a rule.
    """
    reason = reason_without_fingerprint(mapping)
    if reason is not None:
        raise FidelityError(
            f"column {mapping.name} has no fingerprint outside the server: {reason}", column=mapping.name
        )
    rule = None if mapping.source.is_text else _rule_of(mapping.column)
    if rule is None:
        return values.cast(pa.large_string())
    texts = rule(values, mapping.column).cast(pa.large_string())
    return _open_ends(texts) if mapping.source is SourceForm.OPEN_END else texts


def _open_ends(texts: Texts) -> Texts:
    """The last microsecond stands for the type's maximum."""
    stored = pa.scalar(f"{TYPE_MAXIMUM[:-1]}0", pa.large_string())
    return pc.if_else(pc.equal(texts, stored), pa.scalar(TYPE_MAXIMUM, pa.large_string()), texts)


def _rule_of(column: ColumnFacts) -> Rule | None:
    name = column.type_name
    if name in _CHARACTERS:
        return None
    if column.is_clr:
        return _binary
    families: tuple[tuple[frozenset[str], Rule], ...] = (
        (frozenset({"bit"}), _bit),
        (_INTEGERS, _integer),
        (_DECIMALS, _decimal),
        (frozenset({"float", "real"}), _float),
        (frozenset({"date"}), _date),
        (_DATETIMES, _datetime),
        (_WITHOUT_ZERO_FRACTION, _grid_datetime),
        (frozenset({"uniqueidentifier"}), _guid),
        (_BYTES, _binary),
    )
    for names, rule in families:
        if name in names:
            return rule
    raise FidelityError(f"column {column.name}: no fingerprint rule for the type {name}", column=column.name)


def _bit(values: Values, column: ColumnFacts) -> Texts:
    return pc.if_else(values, "1", "0")


def _integer(values: Values, column: ColumnFacts) -> Texts:
    return _exact(values, 0)


def _decimal(values: Values, column: ColumnFacts) -> Texts:
    return _exact(values, 4 if "money" in column.type_name else column.scale)


def _exact(values: Values, scale: int) -> Texts:
    """Plain digits with that scale, from any integer or decimal type; with more digits only where the value has more.
    Arrow's own text of a decimal turns to exponents for small numbers."""
    kind: Any = values.type
    if pa.types.is_integer(kind):
        whole = values.cast(pa.string())
        return _joined(whole, pa.scalar("0" * scale), ".") if scale else whole
    held: int = kind.scale
    exact = values.cast(pa.decimal128(38, held))
    units = pa.Array.from_buffers(pa.decimal128(38, 0), len(exact), exact.buffers(), offset=exact.offset)
    text = units.cast(pa.string())
    sign = pc.if_else(pc.starts_with(text, "-"), "-", "")
    digits = pc.utf8_lpad(pc.replace_substring(text, "-", ""), held + 1, "0")
    whole = _joined(sign, pc.utf8_slice_codeunits(digits, 0, -held) if held else digits, "")
    fraction = pc.utf8_slice_codeunits(digits, -held) if held else pc.utf8_slice_codeunits(digits, 0, 0)
    return _with_fraction(whole, fraction, held, scale)


def _with_fraction(whole: Texts, fraction: Texts, held: int, scale: int) -> Texts:
    """`whole` with the first `scale` of its `held` digits, or with all of them where the others are not zero: a value that the
    declared type cannot have must not look like one that it can have."""
    if held < scale:
        fraction, held = _joined(fraction, pa.scalar("0" * (scale - held)), ""), scale
    declared = _joined(whole, pc.utf8_slice_codeunits(fraction, 0, scale), ".") if scale else whole
    if held == scale:
        return declared
    beyond = pc.not_equal(pc.utf8_slice_codeunits(fraction, scale), pa.scalar("0" * (held - scale)))
    return pc.if_else(beyond, _joined(whole, fraction, "."), declared)


def _float(values: Values, column: ColumnFacts) -> Texts:
    """CONVERT style 3: seventeen digits and an exponent of three. Arrow has no such format, so values are formatted one by
    one."""
    return pa.array([None if v is None else _seventeen_digits(v) for v in values.to_pylist()], pa.string())


def _seventeen_digits(value: float) -> str:
    mantissa, exponent = f"{value:.16e}".split("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].rjust(_EXPONENT_DIGITS, '0')}"


def _date(values: Values, column: ColumnFacts) -> Texts:
    """Style 23. A warehouse column may be finer than the source's: a time of day that is not midnight is shown."""
    if not pa.types.is_timestamp(values.type):
        return values.cast(pa.date32()).cast(pa.string())
    seconds, nanoseconds = _seconds_and_nanoseconds(values)
    shown = _with_fraction(seconds, nanoseconds, _NANOSECOND_DIGITS, 0)
    return pc.if_else(pc.ends_with(shown, " 00:00:00"), pc.utf8_slice_codeunits(shown, 0, _DATE_ALONE), shown)


def _datetime(values: Values, column: ColumnFacts) -> Texts:
    """Style 121 with exactly the declared digits of a second."""
    seconds, nanoseconds = _seconds_and_nanoseconds(values)
    return _with_fraction(seconds, nanoseconds, _NANOSECOND_DIGITS, column.scale)


def _grid_datetime(values: Values, column: ColumnFacts) -> Texts:
    """Style 126: with a T, and three digits unless they are all zero."""
    seconds, nanoseconds = _seconds_and_nanoseconds(values)
    text = pc.replace_substring(seconds, " ", "T")
    whole_second = pc.equal(nanoseconds, pa.scalar("0" * _NANOSECOND_DIGITS))
    return pc.if_else(whole_second, text, _with_fraction(text, nanoseconds, _NANOSECOND_DIGITS, 3))


def _seconds_and_nanoseconds(values: Values) -> tuple[Texts, Texts]:
    """The text to the second, and the nine digits below it. A date is its midnight."""
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s"))
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
    return seconds, pc.utf8_lpad(rest.cast(pa.string()), _NANOSECOND_DIGITS, "0")


def _guid(values: Values, column: ColumnFacts) -> Texts:
    """Upper case on the server. In a column of text another case is another text; a UUID has no case."""
    return texts_of(values) if is_uuid(values.type) else values.cast(pa.string())


def _binary(values: Values, column: ColumnFacts) -> Texts:
    """0x and upper case digits. Arrow has no function for it, so values are formatted one by one."""
    return pa.array([None if v is None else f"0x{v.hex().upper()}" for v in values.to_pylist()], pa.large_string())


def _joined(left: Texts, right: Texts, separator: str) -> Texts:
    return pc.binary_join_element_wise(left, right, pa.scalar(separator))
