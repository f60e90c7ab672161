"""The only file that quotes T-SQL.

A statement is composed from marked parts: constant text (a literal in the source code, so typed LiteralString), identifiers,
literals for DDL, declared types, and parameters. Values and names never meet an f-string; parts become text once, in
`Sql.render`. Parameters always travel as text and are converted to their column's type by the statement itself, because a
driver binds Python values as types of its own choice, which prevents partition elimination.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from dltsync_core.identity import TableName

if TYPE_CHECKING:
    from typing_extensions import LiteralString

MAX_NAME_UNITS = 128
"""Length of sysname, in UTF-16 code units."""

_TYPE = re.compile(r"[a-z][a-z0-9_]*(\((max|\d{1,4}(,\d{1,2})?)\))?")

_COLLATION = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True)
class Text:
    """Constant text."""

    text: str


@dataclass(frozen=True)
class Identifier:
    """A name, delimited with brackets. Raises ValueError for text that cannot be a name."""

    name: str

    def __post_init__(self) -> None:
        units = len(self.name.encode("utf-16-le", "surrogatepass")) // 2
        if not 1 <= units <= MAX_NAME_UNITS or "\0" in self.name:
            raise ValueError(f"{self.name!r} cannot be a name: 1 to {MAX_NAME_UNITS} characters, none of them zero")


@dataclass(frozen=True)
class Literal:
    """A value inside the text. For DDL, which takes no parameters; everywhere else use Parameter."""

    value: str | int | bytes | Decimal | None


@dataclass(frozen=True)
class CatalogText:
    """The condition of a CHECK constraint as the server's catalogue has it, in parentheses. Raises ValueError for text that is
    not in parentheses."""

    text: str

    def __post_init__(self) -> None:
        if not (self.text.startswith("(") and self.text.endswith(")")):
            raise ValueError("the definition of a CHECK constraint is in parentheses")


@dataclass(frozen=True)
class TypeName:
    """A declared type such as `decimal(18,2)`. Raises ValueError for any other text."""

    name: str

    def __post_init__(self) -> None:
        if not _TYPE.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a declared type")


@dataclass(frozen=True)
class CollationName:
    """The name of a collation, which takes no brackets. Raises ValueError for anything that is not written like one."""

    name: str

    def __post_init__(self) -> None:
        if not _COLLATION.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not the name of a collation")


@dataclass(frozen=True)
class Parameter:
    """A value that is sent separately from the text."""

    value: str


Part: TypeAlias = Text | Identifier | Literal | TypeName | CollationName | CatalogText | Parameter


@dataclass(frozen=True)
class Statement:
    """The input of a driver: text with `?` markers, and their values in order."""

    text: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sql:
    """Composed parts. `+` concatenates two."""

    parts: tuple[Part, ...]

    def __add__(self, other: Sql) -> Sql:
        return Sql(self.parts + other.parts)

    def render(self) -> Statement:
        """The text and the parameters."""
        values = tuple(part.value for part in self.parts if isinstance(part, Parameter))
        return Statement("".join(_render(part) for part in self.parts), values)


Composable: TypeAlias = Sql | Part


def sql(template: LiteralString, **values: Composable) -> Sql:
    """Constant text whose `{name}` fields are filled with parts. Raises KeyError or ValueError when they do not match."""
    parts: list[Part] = []
    used: set[str] = set()
    for text, name, specification, conversion in string.Formatter().parse(template):
        if text:
            parts.append(Text(text))
        if name is None:
            continue
        if specification or conversion:
            raise ValueError(f"field {name} takes no format")
        used.add(name)
        parts.extend(_parts(values[name]))
    if used != values.keys():
        raise ValueError(f"no field for {sorted(values.keys() - used)}")
    return Sql(tuple(parts))


def join(separator: LiteralString, items: Iterable[Composable]) -> Sql:
    """The items with constant text between them."""
    parts: list[Part] = []
    for position, item in enumerate(items):
        if position:
            parts.append(Text(separator))
        parts.extend(_parts(item))
    return Sql(tuple(parts))


def batch_of(statements: Sequence[Statement]) -> Statement:
    """The statements one after another, for one request."""
    values = tuple(value for statement in statements for value in statement.parameters)
    return Statement(";\n".join(statement.text for statement in statements), values)


def transaction_of(statements: Sequence[Statement]) -> Statement:
    """The statements as one batch and one transaction: all of them take effect, or none."""
    values = tuple(value for statement in statements for value in statement.parameters)
    texts = ["SET XACT_ABORT ON;", "BEGIN TRANSACTION;", *(each.text for each in statements), "COMMIT TRANSACTION;"]
    return Statement("\n".join(texts), values)


def table(name: TableName) -> Sql:
    """A two-part name."""
    return join(".", [Identifier(name.schema), Identifier(name.table)])


def inlined(composed: Sql) -> Sql:
    """The same text with literals where the parameters are: for a batch that holds DDL, which takes no parameters."""
    return Sql(tuple(Literal(part.value) if isinstance(part, Parameter) else part for part in composed.parts))


def _parts(value: Composable) -> tuple[Part, ...]:
    return value.parts if isinstance(value, Sql) else (value,)


def _render(part: Part) -> str:
    if isinstance(part, Identifier):
        return "[" + part.name.replace("]", "]]") + "]"
    if isinstance(part, Literal):
        return _render_literal(part.value)
    if isinstance(part, (TypeName, CollationName)):
        return part.name
    if isinstance(part, Parameter):
        return "?"
    return part.text


def _render_literal(value: str | int | bytes | Decimal | None) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return "0x" + value.hex().upper()
    if isinstance(value, int):
        return str(int(value))
    return "N'" + value.replace("'", "''") + "'"
