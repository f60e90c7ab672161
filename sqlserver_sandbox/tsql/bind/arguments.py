"""Arguments of functions: how many, of what type, known or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.model import DEFAULT_COLLATION, MAX, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import LOB, UNICODE

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call

INT = SqlType("int")


def nvarchar(length: int) -> SqlType:
    return SqlType("nvarchar", length, collation=DEFAULT_COLLATION)


def varchar(length: int) -> SqlType:
    return SqlType("varchar", length, collation=DEFAULT_COLLATION)


def exactly(binder: ExpressionBinder, node: Call, least: int, most: int | None = None) -> list[Bound]:
    """The arguments, bound; 174 (or 189) when there are too few or too many."""
    most = least if most is None else most
    if not least <= len(node.args) <= most:
        if least == most:
            raise SqlError(174, f"The {node.name} function requires {least} argument(s).", class_=15, line=node.line)
        raise SqlError(
            189, f"The {node.name} function requires {least} to {most} arguments.", class_=15, line=node.line
        )
    return [binder.bind(a) for a in node.args]


def as_text(bound: Bound, function: str, place: int = 1) -> Bound:
    """The argument as it stands when it is text, else as SQL Server's implicit varchar; 8116 for what has none."""
    if bound.type.name in LOB or bound.type.name == "sql_variant":
        raise SqlError(
            8116, f"Argument data type {bound.type.name} is invalid for argument {place} of {function} function."
        )
    if bound.null_literal:
        return convert(bound, varchar(1))
    if bound.is_text:
        return bound
    return convert(bound, varchar(8000), explicit=False)


def as_int(bound: Bound) -> Bound:
    return convert(bound, INT, explicit=False)


def known_text(bound: Bound, what: str) -> str | None:
    """A constant's text (None for NULL); the refusal when it varies by row."""
    if bound.constant is None:
        raise refused(f"{what} that is not a constant or a variable")
    value = convert(bound, nvarchar(MAX)).constant
    return None if value is None or value.value is None else str(value.value)


def known_int(bound: Bound, what: str) -> int | None:
    if bound.constant is None:
        raise refused(f"{what} that is not a constant or a variable")
    value = as_int(bound).constant
    return None if value is None or value.value is None else int(str(value.value))


def is_unicode(bound: Bound) -> bool:
    return bound.type.name in UNICODE
