"""How a message names one row: by its primary or first unique key, as far as those columns are brought over."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pyarrow as pa

from dltsync_core.catalog.facts import TableFacts

NO_KEY = "the table has no key to name the row by"


def naming_key(facts: TableFacts, columns: Collection[str]) -> tuple[str, ...]:
    """The columns that name a row; none when no key lies within `columns`."""
    for key in (facts.primary_key, *facts.unique_keys):
        if key and all(column in columns for column in key):
            return tuple(key)
    return ()


def named(key: tuple[str, ...], values: Callable[[str], pa.Array[Any]], row: int) -> str:
    """`row OrderNo = 7, Line = 2`. `values` gives a column's values, among which the row is at that position."""
    if not key:
        return NO_KEY
    return f"row {', '.join(f'{column} = {shown(values(column), row)}' for column in key)}"


def shown(values: pa.Array[Any], row: int) -> str:
    """A value as text; by Arrow, because Python's datetime does not hold all of them."""
    value = values.slice(row, 1)
    if pa.types.is_binary(value.type) or pa.types.is_large_binary(value.type):
        return f"0x{value[0].as_py().hex().upper()}"
    return str(value.cast(pa.string())[0].as_py())
