"""Patterns of table names: `sales.*`. `*` is any text and `?` one character, in schema and table; case is ignored."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, WithJsonSchema

from dltsync_core.identity import TableName, parsed_name


def parsed_pattern(text: str) -> TableName:
    """The pattern's two parts. Without a schema: of any. Raises ValueError for text that is none."""
    found = parsed_name(text)
    if found is None:
        raise ValueError(
            f"{text!r} is not a pattern of names: write schema.table with * and ? for any characters: 'sales.*'"
        )
    return TableName(found[0] if found[0] is not None else "*", found[1])


def matches(table: TableName, pattern: TableName) -> bool:
    """Whether a table's name fits a pattern."""
    return all(
        _glob(wanted).fullmatch(name.casefold())
        for name, wanted in ((table.schema, pattern.schema), (table.table, pattern.table))
    )


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    parts = (
        ".*" if part == "*" else "." if part == "?" else re.escape(part)
        for part in re.split(r"([*?])", pattern.casefold())
    )
    return re.compile("".join(parts), re.DOTALL)


def _checked(text: str) -> str:
    parsed_pattern(text)
    return text


PatternText: TypeAlias = Annotated[
    str, AfterValidator(_checked), WithJsonSchema({"type": "string", "minLength": 1, "examples": ["sales.*"]})
]
"""A pattern as the config has it."""
