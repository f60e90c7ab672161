"""The DuckDB type that holds every value of two others exactly. A warehouse column is only ever widened, never narrowed."""

from __future__ import annotations

import re

MAX_DIGITS = 38
"""Digits of DuckDB's widest DECIMAL."""

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_INTEGER_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}
_MOMENTS = ("DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS")
"""From coarse to fine: a day is its midnight. TIMESTAMP_NS has a smaller range than the others: DuckDB checks whether the
present values fit."""

_FLOATS = ("FLOAT", "DOUBLE")

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def widest(held: str, wanted: str) -> str | None:
    """The narrowest type that holds both exactly; None when there is none, or values would change their text.

    Integers and decimals are one family, dates and moments without time zone another. Text, bytes, booleans, floats and times of
    day only fit themselves: as text a number would be spelt anew, and as a float it would not be exact.
    """
    if held == wanted:
        return held
    for family in (_INTEGERS, _MOMENTS):
        if held in family and wanted in family:
            return family[max(family.index(held), family.index(wanted))]
    one, other = digits_of(held), digits_of(wanted)
    if one is None or other is None:
        return None
    whole, fraction = max(one[0], other[0]), max(one[1], other[1])
    return f"DECIMAL({whole + fraction},{fraction})" if whole + fraction <= MAX_DIGITS else None


def same_family(held: str, wanted: str) -> bool:
    """Whether a column of one type is compared with a column of the other by value: exact numbers, dates and times, floats, or
    the same type. Another program may have given a column any other type than `wanted`."""
    families = (_MOMENTS, _FLOATS)
    return (
        held == wanted
        or any(held in family and wanted in family for family in families)
        or (digits_of(held) is not None and digits_of(wanted) is not None)
    )


def digits_of(kind: str) -> tuple[int, int] | None:
    """Digits of an exact number before and after the point; None for another type."""
    if kind in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[kind], 0
    found = _DECIMAL.fullmatch(kind)
    return (int(found[1]) - int(found[2]), int(found[2])) if found else None
