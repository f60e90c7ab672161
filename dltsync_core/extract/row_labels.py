"""How a message names one row: by the values of a key (`plan.keys.naming_key` says which)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from dltsync_core.typemap.uuids import is_uuid, texts_of

NO_KEY = "the table has no key to name the row by"


def named(key: tuple[str, ...], value: Callable[[str], str]) -> str:
    """`row OrderNo = 7, Line = 2`. `value` gives a column's value as text."""
    return f"row {', '.join(f'{column} = {value(column)}' for column in key)}" if key else NO_KEY


def shown(values: pa.Array[Any], row: int) -> str:
    """A value as text; by Arrow, because Python's datetime does not hold all of them."""
    value = values.slice(row, 1)
    if pa.types.is_binary(value.type) or pa.types.is_large_binary(value.type):
        return f"0x{value[0].as_py().hex().upper()}"
    if is_uuid(value.type):
        return str(texts_of(value)[0].as_py())
    return str(value.cast(pa.string())[0].as_py())
