"""The parameter declarations of sp_executesql and sp_prepare (`@P1 nvarchar(10), @P2 decimal(10,2)`) as declared types."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlserver_sandbox.model import MAX, SqlError, SqlType
from sqlserver_sandbox.wire.refusals import refusal
from sqlserver_sandbox.wire.type_info import FIXED_TYPES

_DECLARATION = re.compile(
    r"""\s*@(?P<name>[\w@$\#]+)\s+(?:AS\s+)?
        \[?(?P<type>\w+)\]?\s*
        (?:\(\s*(?P<first>\d+|max)\s*(?:,\s*(?P<second>\d+)\s*)?\)\s*)?
        (?P<output>OUT(?:PUT)?)?\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_SPELLINGS = {"integer": "int", "dec": "decimal", "timestamp": "rowversion"}
_SIZED = {"char": 8000, "varchar": 8000, "binary": 8000, "varbinary": 8000, "nchar": 4000, "nvarchar": 4000}
_NO_MAX = frozenset({"char", "binary", "nchar"})
_SCALED = frozenset({"time", "datetime2", "datetimeoffset"})
_PLAIN = frozenset(FIXED_TYPES) - {"float"} | {
    "date", "uniqueidentifier", "text", "ntext", "image", "xml", "sysname", "rowversion",
}  # fmt: skip


@dataclass(frozen=True)
class Declaration:
    """A declared parameter: its name without the @, lower case."""

    name: str
    type: SqlType


def parse_declarations(text: str) -> tuple[Declaration, ...]:
    """The parameters in order. Raises SqlError for what does not parse, and for OUTPUT, which the sandbox does not have."""
    declarations = []
    position = 0
    while position < len(text) and text[position:].strip():
        match = _DECLARATION.match(text, position)
        if match is None:
            raise SqlError(102, f"Incorrect syntax near '{text[position:].strip()[:40]}'.", class_=15)
        if match["output"]:
            raise refusal(f"output parameters (@{match['name']} in sp_executesql or sp_prepare)")
        declared = _declared_type(match["type"].lower(), match["first"], match["second"])
        declarations.append(Declaration(match["name"].lower(), declared))
        position = match.end()
        if position < len(text):
            if text[position] != ",":
                raise SqlError(102, f"Incorrect syntax near '{text[position:][:40]}'.", class_=15)
            position += 1
    return tuple(declarations)


def _declared_type(name: str, first: str | None, second: str | None) -> SqlType:
    name = _SPELLINGS.get(name, name)
    if name in ("decimal", "numeric"):
        return SqlType(name, precision=int(first or 18), scale=int(second or 0))
    if name in _SIZED and second is None:
        if first is not None and first.lower() == "max" and name not in _NO_MAX:
            return SqlType(name, length=MAX)
        length = int(first or 1)
        if 1 <= length <= _SIZED[name]:
            return SqlType(name, length=length)
    elif name in _SCALED and second is None and 0 <= int(first or 7) <= 7:
        return SqlType(name, scale=int(first or 7))
    elif name == "float" and second is None and 1 <= int(first or 53) <= 53:
        return SqlType("real" if int(first or 53) <= 24 else "float")
    elif name in _PLAIN and first is None:
        return SqlType(name)
    arguments = "" if first is None else f"({first})" if second is None else f"({first},{second})"
    raise SqlError(2715, f"Cannot find data type {name}{arguments}, or it cannot have this length.")
