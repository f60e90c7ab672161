"""Numbers: integers, exact decimals, money, floats, to and from each other and text."""

from __future__ import annotations

import math
import re
import struct
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import DECIMALS, FLOATS, INT_RANGE, INTEGERS, MONEY, MONEY_DIGITS, describe
from sqlserver_sandbox.tsql.values import errors

EXACT = Context(prec=120)
"""Wide enough for every product and quotient of two decimal(38)."""

_INTEGER_TEXT = re.compile(r"[ ]*[+-]?\d+[ ]*")
_DECIMAL_TEXT = re.compile(r"[ ]*[+-]?(?:\d+\.?\d*|\.\d+)[ ]*")
_FLOAT_TEXT = re.compile(r"[ ]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?[ ]*")
_MONEY_TEXT = re.compile(r"[ ]*[+-]?\$?[+-]?(?:[\d,]*\.?\d*)[ ]*")


def quantize(value: Decimal, scale: int, rounding: str = ROUND_HALF_UP) -> Decimal:
    """`value` at `scale`, rounding half away from zero as SQL Server does unless told otherwise."""
    return value.quantize(Decimal(1).scaleb(-scale), rounding=rounding, context=EXACT)


def fits(value: Decimal, precision: int, scale: int) -> bool:
    # Not abs(): it would round to the thread's context of 28 digits.
    return value.copy_abs() < Decimal(1).scaleb(precision - scale, EXACT)


def to_number(value: object, source: SqlType, target: SqlType) -> object:
    """A number (or bit) as another number type."""
    if target.name == "bit":
        return bool(value)
    number = int(value) if isinstance(value, bool) else value
    if target.name in FLOATS:
        return to_float(number, target)  # type: ignore[arg-type]
    exact = _exact(number)
    if target.name in INTEGERS:
        # Money rounds to an integer, decimal and float lose their fraction ('CAST and CONVERT', truncating and rounding).
        whole = int(quantize(exact, 0, ROUND_HALF_UP if source.name in MONEY else ROUND_DOWN))
        return check_int(whole, source, target)
    return to_exact(exact, source, target)


def _exact(number: object) -> Decimal:
    return Decimal(number)  # type: ignore[arg-type]


def to_float(number: float | Decimal, target: SqlType) -> float:
    value = float(number)
    if target.name == "real":
        try:
            value = struct.unpack("<f", struct.pack("<f", value))[0]
        except OverflowError:
            value = math.inf
    if math.isinf(value):
        raise errors.overflow("expression", target)
    return value


def check_int(whole: int, source: SqlType, target: SqlType) -> int:
    low, high = INT_RANGE[target.name]
    if not low <= whole <= high:
        raise errors.int_overflow(str(whole), source, target)
    return whole


def to_exact(value: Decimal, source: SqlType, target: SqlType) -> Decimal:
    """`value` as decimal, numeric or money; 8115 when the digits before the point do not fit."""
    precision, scale = shape(target)
    rounded = quantize(value, scale)
    if not (fits_money(rounded, target) if target.name in MONEY else fits(rounded, precision, scale)):
        origin = "expression" if source.name in INTEGERS else "numeric" if source.name in DECIMALS else source.name
        raise errors.overflow(origin, target)
    return rounded


def shape(target: SqlType) -> tuple[int, int]:
    return MONEY_DIGITS[target.name] if target.name in MONEY else (target.precision, target.scale)


def fits_money(value: Decimal, target: SqlType) -> bool:
    bits = 64 if target.name == "money" else 32
    limit = 1 << (bits - 1)
    return -limit <= int(value.scaleb(4, EXACT)) < limit


# ---- from text ---------------------------------------------------------------------------------------------------
def parse_number(text: str, source: SqlType, target: SqlType) -> object:
    if target.name == "bit":
        return _parse_bit(text, source, target)
    if target.name in INTEGERS:
        return _parse_int(text, source, target)
    if target.name in DECIMALS:
        if not _DECIMAL_TEXT.fullmatch(text):
            raise errors.error_converting(source, target)
        return to_exact(Decimal(text.strip(" ")), source, target)
    if target.name in MONEY:
        return _parse_money(text, source, target)
    if not text.strip(" "):
        return 0.0
    if not _FLOAT_TEXT.fullmatch(text):
        raise errors.error_converting(source, target)
    return to_float(float(text.strip(" ").lower().replace("d", "e")), target)


def _parse_bit(text: str, source: SqlType, target: SqlType) -> bool:
    word = text.strip(" ").upper()
    if word in ("TRUE", "FALSE"):
        return word == "TRUE"
    if not word:
        return False
    if not _INTEGER_TEXT.fullmatch(text):
        raise errors.conversion_failed(text, source, target)
    return int(word) != 0


def _parse_int(text: str, source: SqlType, target: SqlType) -> int:
    word = text.strip(" ")
    if not word:
        return 0
    if not _INTEGER_TEXT.fullmatch(text):
        if target.name == "bigint":
            raise errors.error_converting(source, target)
        raise errors.conversion_failed(text, source, target)
    whole = int(word)
    low, high = INT_RANGE[target.name]
    if not low <= whole <= high:
        raise errors.text_overflow(word, source, target)
    return whole


def _parse_money(text: str, source: SqlType, target: SqlType) -> Decimal:
    word = text.strip(" ").replace("$", "").replace(",", "")
    if word in ("", "+", "-", "."):
        if text.strip(" ") == "":
            return Decimal("0.0000")
        raise refused(f"the money text {text!r}")
    if not _MONEY_TEXT.fullmatch(text) or not _DECIMAL_TEXT.fullmatch(word):
        raise SqlError(235, "Cannot convert a char value to money. The char value has incorrect syntax.")
    return to_exact(Decimal(word), source, target)


# ---- to text -----------------------------------------------------------------------------------------------------
def number_text(value: object, source: SqlType, style: int | None) -> str:
    """The number as text, before it is fitted to its target's length."""
    if source.name in FLOATS:
        return float_text(float(value), source, style or 0)  # type: ignore[arg-type]
    if source.name in MONEY:
        return money_text(value, style or 0)  # type: ignore[arg-type]
    if style not in (None, 0):
        raise bad_style(style, source)
    if source.name == "bit":
        return "1" if value else "0"
    if isinstance(value, Decimal):
        return f"{quantize(value, source.scale):f}"
    return str(value)


def money_text(value: Decimal, style: int) -> str:
    """Style 0: two decimals; 1: two decimals and commas; 2: four decimals."""
    if style == 2:
        return f"{quantize(value, 4):f}"
    if style in (0, 1):
        rounded = quantize(value, 2)
        return f"{rounded:,f}" if style else f"{rounded:f}"
    raise refused(f"money style {style}")


def float_text(value: float, source: SqlType, style: int) -> str:
    """Style 0: at most six digits; 1, 2, 3: scientific with 8, 16, 17 digits (real: 9). Exponents have three digits."""
    if style == 0:
        return _wide_exponent(f"{value:.6g}")
    digits = {1: 8, 2: 16, 3: 9 if source.name == "real" else 17}.get(style)
    if digits is None:
        raise bad_style(style, source)
    return _wide_exponent(f"{value:.{digits - 1}e}")


def _wide_exponent(text: str) -> str:
    return re.sub(r"e([+-])(\d{1,2})$", lambda m: f"e{m[1]}{m[2]:0>3}", text)


def bad_style(style: int | None, source: SqlType) -> SqlError:
    """281."""
    return SqlError(
        281, f"{style} is not a valid style number when converting from {describe(source)} to a character string."
    )
