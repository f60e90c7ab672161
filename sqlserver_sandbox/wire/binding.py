"""The values of a call, brought to the types that the statement declares for them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sqlserver_sandbox.model import MAX, ArrowArray, Parameter, SqlError, SqlType
from sqlserver_sandbox.wire.codec.values import arrow_form, null_of
from sqlserver_sandbox.wire.declarations import Declaration
from sqlserver_sandbox.wire.refusals import refusal
from sqlserver_sandbox.wire.rpc import Argument

_INTEGERS = frozenset({"bit", "tinyint", "smallint", "int", "bigint"})
_TEXTS = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext", "sysname", "xml"})
_BINARIES = frozenset({"binary", "varbinary", "image"})
_EXACT = frozenset({"decimal", "numeric"})
_PADDED = frozenset({"char", "nchar", "binary"})


def bind(declarations: Sequence[Declaration], arguments: Sequence[Argument]) -> dict[str, Parameter]:
    """Each declared name with its value. A value without a name belongs to the declaration at its place.

    Raises SqlError 8178 for a declared parameter without a value and 8144 for a value too many.
    """
    bound: dict[str, Parameter] = {}
    by_name = {declaration.name: declaration for declaration in declarations}
    for place, argument in enumerate(arguments):
        name = argument.parameter.name.lower()
        if argument.is_output:
            raise refusal(f"output parameters (argument {place + 1})")
        if not name and place >= len(declarations):
            raise SqlError(8144, "Procedure or function has too many arguments specified.")
        declaration = by_name.get(name) if name else declarations[place]
        if declaration is None:
            raise SqlError(8145, f"@{name} is not a parameter for procedure sp_executesql.")
        bound[declaration.name] = conform(argument.parameter, declaration)
    for declaration in declarations:
        if declaration.name not in bound:
            raise SqlError(
                8178,
                f"The parameterized query expects the parameter '@{declaration.name}', which was not supplied.",
            )
    return bound


def conform(parameter: Parameter, declaration: Declaration) -> Parameter:
    """The same value as the declared type. What would lose something, or needs a conversion with rules, is refused."""
    declared, sent = declaration.type, parameter.type
    if parameter.value.null_count:
        return Parameter(declaration.name, declared, null_of(declared))
    value = _conformed(parameter.value, sent, declared)
    if value is None:
        raise refusal(
            f"a parameter declared {declared.name} with a value sent as {sent.name} that it cannot hold unchanged "
            f"(@{declaration.name})"
        )
    return Parameter(declaration.name, declared, value)


def _conformed(value: ArrowArray, sent: SqlType, declared: SqlType) -> ArrowArray | None:
    names = {sent.name, declared.name}
    if names <= _TEXTS or names <= _BINARIES:
        return _sized(value, declared)
    if (
        names <= _INTEGERS
        or names <= _EXACT
        or names <= {"real", "float"}
        or (sent.name in _INTEGERS and declared.name in _EXACT)
    ):
        return _cast(value, arrow_form(declared))
    if sent.name == declared.name:
        return value if declared.scale >= sent.scale else _with_fewer_digits(value, declared)
    return None


def _cast(value: ArrowArray, arrow: pa.DataType) -> ArrowArray | None:
    try:
        return value.cast(arrow)
    except pa.ArrowInvalid:  # it does not fit; the caller says so
        return None


def _sized(value: ArrowArray, declared: SqlType) -> ArrowArray | None:
    """The value, padded where the type pads; None when it is longer than the type."""
    if not declared.length or declared.length == MAX:
        return value
    is_binary = declared.name in _BINARIES
    raw = value[0].as_py()
    length = len(raw) if is_binary else _units(raw, declared)
    if length > declared.length:
        return None
    if declared.name not in _PADDED or length == declared.length:
        return value
    padding = b"\0" if is_binary else " "
    return pa.array([raw + padding * (declared.length - length)], arrow_form(declared))


def _units(text: str, declared: SqlType) -> int:
    """Length as the type counts it: UTF-16 units for n-types, characters of the code page for the others."""
    return len(text.encode("utf-16-le")) // 2 if declared.name.startswith("n") else len(text)


def _with_fewer_digits(value: ArrowArray, declared: SqlType) -> ArrowArray | None:
    ticks = pc.struct_field(value, "ticks") if pa.types.is_struct(value.type) else value
    return None if ticks[0].as_py() % 10 ** (7 - declared.scale) else value
