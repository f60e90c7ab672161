"""CAST, CONVERT and implicit conversion as DuckDB text: plain SQL where it is exact, else the reference by a vectorised call."""

from __future__ import annotations

import json
from dataclasses import asdict

from sqlserver_sandbox.model import MAX, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.bound import Bound, cast, computed, constant, raising
from sqlserver_sandbox.tsql.bind.datetimes import moment_sql, moment_text_sql
from sqlserver_sandbox.tsql.collations import collation
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.types import (
    BINARIES,
    DECIMALS,
    FLOATS,
    INT_DIGITS,
    INTEGERS,
    MONEY,
    UNICODE,
    decimal_shape,
    duck_type,
    is_max,
)
from sqlserver_sandbox.tsql.values import convert_value
from sqlserver_sandbox.tsql.values.convert import check_allowed, family
from sqlserver_sandbox.tsql.values.storage import text_literal


def convert(
    bound: Bound, target: SqlType, *, style: int | None = None, explicit: bool = True, is_try: bool = False
) -> Bound:
    """`bound` as `target`. Errors of the value itself are raised when the row is evaluated, not here."""
    if bound.null_literal:
        return constant(None, target)
    if bound.type.name == "sql_variant":
        return _from_variant(bound, target, style, is_try=is_try)
    if not bound.is_text:
        # What was no text brings no collation with it.
        bound = replace(bound, label="default")
    target = _with_collation(bound, target)
    check_allowed(bound.type, target, explicit=explicit)
    if bound.constant is not None:
        return _fold(bound, target, style, is_try=is_try)
    if bound.type == target or bound.error is not None:
        return replace(bound, type=target)
    if not is_try and not bound.variants:
        # The values of the catalogue are few; a variant's text is long, and plain text would repeat it.
        sql = _plain(bound, target, style)
        if sql is not None:
            return computed(sql, target, bound, label=bound.label)
    return computed(
        call_reference(bound.sql, bound.type, target, style, is_try=is_try),
        target,
        bound,
        nullable=bound.nullable or is_try,
        label=bound.label,
    )


def _with_collation(bound: Bound, target: SqlType) -> SqlType:
    if bound.is_text and family(target) == "text" and bound.type.collation:
        return replace(target, collation=bound.type.collation)
    return target


def _fold(bound: Bound, target: SqlType, style: int | None, *, is_try: bool) -> Bound:
    value = bound.constant.value if bound.constant else None
    if value is None:
        return constant(None, target, label=bound.label)
    try:
        return constant(convert_value(value, bound.type, target, style), target, label=bound.label)
    except SqlError as error:
        if is_try and error.number not in (529, 40517):
            return constant(None, target)
        return raising(error, target)


# ---- the reference, from DuckDB ----------------------------------------------------------------------------------
def channel(declared: SqlType) -> str:
    """How values of a type travel to and from the reference: text, bytes, integer, double or offset."""
    if declared.name == "datetimeoffset":
        return "z"
    if declared.name in BINARIES:
        return "b"
    if declared.name in FLOATS:
        return "d"
    if declared.name in (*INTEGERS, "bit", "time", "datetime2", "datetime", "smalldatetime"):
        return "i"
    return "t"


CHANNEL_TYPES = {"t": "VARCHAR", "b": "BLOB", "i": "BIGINT", "d": "DOUBLE", "z": duck_type(SqlType("datetimeoffset"))}


def call_reference(sql: str, source: SqlType, target: SqlType, style: int | None, *, is_try: bool = False) -> str:
    """DuckDB text that converts through `values.convert_value`."""
    spec = json.dumps([asdict(source), asdict(target), style, is_try])
    into, out = channel(source), channel(target)
    argument = f"CAST({sql} AS {CHANNEL_TYPES[into]})" if duck_type(source) != CHANNEL_TYPES[into] else sql
    call = f"convert_{into}_{out}({text_literal(spec)}, {argument})"
    return cast(call, target) if duck_type(target) != CHANNEL_TYPES[out] else call


# ---- plain DuckDB ------------------------------------------------------------------------------------------------
def _plain(bound: Bound, target: SqlType, style: int | None) -> str | None:
    """Exact DuckDB text, or None."""
    pair = (family(bound.type), family(target))
    if pair == ("number", "number"):
        return _number(bound, target)
    if pair == ("number", "text"):
        return _number_text(bound, target, style)
    if pair == ("text", "text"):
        return _text(bound, target)
    if pair == ("moment", "text"):
        return _moment_text(bound, target, style)
    if pair == ("moment", "moment"):
        return moment_sql(bound.sql, bound.type, target)
    if pair == ("guid", "text"):
        exact = target.length == 36 or (
            target.name in ("varchar", "nvarchar") and (is_max(target) or target.length > 36)
        )
        return bound.sql if exact else None
    if pair == ("bytes", "bytes"):
        return _bytes(bound, target)
    if pair == ("bytes", "number") and target.name == "bigint":
        if bound.type.name == "binary" and bound.type.length == 8:
            return f"CAST(CAST({bound.sql} AS BIT) AS BIGINT)"
        return f"big_endian({bound.sql})"
    return None


def _bytes(bound: Bound, target: SqlType) -> str | None:
    length = _byte_length(bound.type)
    if target.name == "varbinary":
        fits = target.length == MAX or (bound.type.name != "image" and 0 < length <= target.length)
        return bound.sql if fits else f"slice_bytes({bound.sql}, 1, {target.length})"
    if target.name != "binary":
        return None
    if bound.type.name in ("binary", "rowversion") and length == target.length:
        return bound.sql
    # Most values have the full length already; the others are cut or padded by the reference.
    padded = call_reference(bound.sql, bound.type, target, None)
    return f"CASE WHEN octet_length({bound.sql}) = {target.length} THEN {bound.sql} ELSE {padded} END"


def _byte_length(declared: SqlType) -> int:
    return 8 if declared.name == "rowversion" else declared.length


def _number(bound: Bound, target: SqlType) -> str | None:
    source, sql = bound.type, bound.sql
    if target.name == "bit":
        return f"({sql} <> 0)" if source.name != "bit" else sql
    if source.name in (*INTEGERS, "bit"):
        return _from_int(sql, source, target)
    if source.name in DECIMALS or source.name in MONEY:
        if target.name in DECIMALS:
            return cast(sql, target)
        if target.name in FLOATS and decimal_shape(source)[0] <= 15:
            return cast(sql, target)
        return None
    return cast(sql, target) if source.name == "real" and target.name == "float" else None


def _from_int(sql: str, source: SqlType, target: SqlType) -> str | None:
    if target.name in MONEY:
        return cast(sql, target) if INT_DIGITS[source.name] <= (5 if target.name == "smallmoney" else 10) else None
    if target.name in INTEGERS:
        widens = source.name == "bit" or INT_DIGITS[source.name] <= INT_DIGITS[target.name]
        return cast(sql, target) if widens else None
    if target.name in FLOATS:
        return cast(sql, target)
    whole = target.precision - target.scale
    return cast(sql, target) if INT_DIGITS[source.name] <= whole else None


def _number_text(bound: Bound, target: SqlType, style: int | None) -> str | None:
    source, sql = bound.type, bound.sql
    if target.name not in ("varchar", "nvarchar"):
        return None
    if source.name == "bit" and style in (None, 0):
        return f"CAST(CAST({sql} AS INTEGER) AS VARCHAR)"
    if source.name in INTEGERS and style in (None, 0):
        return f"CAST({sql} AS VARCHAR)" if _long_enough(target, INT_DIGITS[source.name] + 1) else None
    if source.name in DECIMALS and style in (None, 0) and source.scale == 0:
        return f"CAST({sql} AS VARCHAR)" if _long_enough(target, source.precision + 1) else None
    if source.name in DECIMALS and style in (None, 0) and source.precision < 38:
        # One more digit before the point: DuckDB writes .50 for decimal(2,2).
        wide = f"CAST({sql} AS DECIMAL({source.precision + 1},{source.scale}))"
        return f"CAST({wide} AS VARCHAR)" if _long_enough(target, source.precision + 3) else None
    if source.name == "float" and style == 3:
        return f"float_style_3({sql})" if _long_enough(target, 24) else None
    if source.name in MONEY and style == 2:
        return f"CAST({sql} AS VARCHAR)" if _long_enough(target, 22) else None
    return None


def _long_enough(target: SqlType, length: int) -> bool:
    return is_max(target) or target.length >= length


def _text(bound: Bound, target: SqlType) -> str | None:
    source = bound.type
    utf8 = target.name not in UNICODE and collation(target.collation or "SQL_Latin1_General_CP1_CI_AS").utf8
    if target.name in ("char", "nchar"):
        return _padded(bound, target)
    if target.name not in UNICODE and source.name in UNICODE and not utf8:
        fits = is_max(target) or (not is_max(source) and source.length <= target.length)
        inner = f"narrow_text({bound.sql})"
        return inner if fits else None
    if is_max(target) or (not is_max(source) and source.length <= target.length and not utf8):
        return bound.sql
    # No text has more units than bytes, so most rows need no cutting.
    cut = call_reference(bound.sql, source, target, None)
    return f"CASE WHEN strlen({bound.sql}) <= {target.length} THEN {bound.sql} ELSE {cut} END"


def _padded(bound: Bound, target: SqlType) -> str:
    """Plain ASCII of the right length, as most fixed-length text is, stays as it is; the rest goes by the reference."""
    exact = f"strlen({bound.sql}) = {target.length} AND length({bound.sql}) = {target.length}"
    return f"CASE WHEN {exact} THEN {bound.sql} ELSE {call_reference(bound.sql, bound.type, target, None)} END"


def _moment_text(bound: Bound, target: SqlType, style: int | None) -> str | None:
    if target.name not in ("varchar", "nvarchar"):
        return None
    text, length = moment_text_sql(bound.sql, bound.type, style)
    if text is None:
        return None
    return text if _long_enough(target, length) else f"left({text}, {target.length})"


# ---- sql_variant: only sys.partition_range_values.value ----------------------------------------------------------
def _from_variant(bound: Bound, target: SqlType, style: int | None, *, is_try: bool) -> Bound:
    """Each row names its base type, so a value is converted by the reference: text in, text of the target out."""
    if not bound.variants:
        return constant(None, target)
    spec = json.dumps([asdict(target), style, is_try])
    value = variant_value(f"convert_variant({text_literal(spec)}, {bound.sql})", target)
    return Bound(value, target, True, variants=bound.variants)


VARIANT_MARK = "\x1f"
"""Between a variant's base type and its text: variants travel as one VARCHAR. (DuckDB moves casts of a STRUCT's field out of
CASE branches into the scan, where they meet rows the branch was to keep away.)"""


def variant_tag(base: SqlType) -> str:
    return json.dumps(asdict(base))


def variant_base(sql: str) -> str:
    """The tag of the variant's base type."""
    return f"split_part({sql}, chr(31), 1)"


def variant_value(text: str, base: SqlType) -> str:
    """The text of a value (`storage.encode_value`) as its type."""
    if base.name in BINARIES:
        return f"unhex({text})"
    if base.name == "datetimeoffset":
        parts = f"{{'ticks': CAST(split_part({text}, ':', 1) AS BIGINT), 'offset': CAST(split_part({text}, ':', 2) AS SMALLINT)}}"
        return f"CASE WHEN {text} IS NOT NULL THEN {cast(parts, base)} END"
    return cast(text, base)
