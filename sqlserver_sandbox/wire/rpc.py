"""RPC requests ([MS-TDS] 2.2.6.6): which procedure, with which arguments; several may share one message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlserver_sandbox.model import Parameter
from sqlserver_sandbox.wire.codec.values import array_of, null_of
from sqlserver_sandbox.wire.fields import FieldReader
from sqlserver_sandbox.wire.refusals import protocol_error, refusal
from sqlserver_sandbox.wire.type_info import USHORT_NULL, Layout, WireType, parse_type_info

BY_NUMBER = {
    1: "sp_cursor",
    2: "sp_cursoropen",
    3: "sp_cursorprepare",
    4: "sp_cursorexecute",
    5: "sp_cursorprepexec",
    6: "sp_cursorunprepare",
    7: "sp_cursorfetch",
    8: "sp_cursoroption",
    9: "sp_cursorclose",
    10: "sp_executesql",
    11: "sp_prepare",
    12: "sp_execute",
    13: "sp_prepexec",
    14: "sp_prepexecrpc",
    15: "sp_unprepare",
}
NUMBERED = 0xFFFF
NEXT_REQUEST, NEXT_REQUEST_NOT_EXECUTED, NEXT_REQUEST_OLD = 0xFF, 0xFE, 0x80
_SEPARATORS = frozenset({NEXT_REQUEST, NEXT_REQUEST_NOT_EXECUTED, NEXT_REQUEST_OLD})
_BY_REFERENCE, _DEFAULT, _ENCRYPTED = 0x01, 0x02, 0x08
_LONG_NULL = 0xFFFF_FFFF


@dataclass(frozen=True)
class Argument:
    """One argument. `parameter.name` is without the @, as the client wrote it; '' when it goes by its position."""

    parameter: Parameter
    is_output: bool

    @property
    def scalar(self) -> object:
        return self.parameter.value[0].as_py()


@dataclass(frozen=True)
class Request:
    """One procedure call. `procedure` is as written, without brackets and schema."""

    procedure: str
    arguments: tuple[Argument, ...]


def parse_requests(fields: FieldReader) -> Iterator[Request]:
    """The calls of one message, in order, each parsed when it is asked for."""
    while fields:
        procedure = _parse_procedure(fields)
        fields.ushort()  # options: recompilation and reuse of metadata are a plan cache's business; there is none
        arguments = []
        while fields and fields.peek() not in _SEPARATORS:
            arguments.append(_parse_argument(fields))
        if fields and fields.byte() == NEXT_REQUEST_NOT_EXECUTED:
            raise refusal("remote procedure calls that are not to be executed (NoExec)")
        yield Request(procedure, tuple(arguments))


def _parse_procedure(fields: FieldReader) -> str:
    length = fields.ushort()
    if length == NUMBERED:
        number = fields.ushort()
        if number not in BY_NUMBER:
            raise protocol_error(f"there is no procedure number {number}")
        return BY_NUMBER[number]
    name = fields.take(2 * length).decode("utf-16-le", "replace")
    return name.rpartition(".")[2].strip('[]"')


def _parse_argument(fields: FieldReader) -> Argument:
    name = fields.b_varchar()
    status = fields.byte()
    if status & _ENCRYPTED:
        raise refusal("Always Encrypted parameters")
    if status & _DEFAULT:
        raise refusal(f"DEFAULT as the value of parameter {name or '(unnamed)'}")
    wire_type = parse_type_info(fields, in_row=False)
    value = _parse_value(fields, wire_type)
    array = null_of(wire_type.sql) if value is None else array_of([value], wire_type.sql)
    return Argument(Parameter(name.lstrip("@"), wire_type.sql, array), bool(status & _BY_REFERENCE))


def _parse_value(fields: FieldReader, wire_type: WireType) -> bytes | None:
    if wire_type.layout is Layout.FIXED:
        return fields.take(wire_type.width) if wire_type.width else None
    if wire_type.layout is Layout.BYTE_LENGTH:
        size = fields.byte()
        return fields.take(size) if size else None
    if wire_type.layout is Layout.USHORT_LENGTH:
        size = fields.ushort()
        return None if size == USHORT_NULL else fields.take(size)
    if wire_type.layout is Layout.PLP:
        return fields.plp()
    size = fields.ulong()  # text and image have no text pointer in a call
    return None if size == _LONG_NULL else fields.take(size)
