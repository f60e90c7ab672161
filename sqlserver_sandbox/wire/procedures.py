"""The procedures that drivers call on every connection: run a text with parameters, prepare one, run it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlserver_sandbox.model import Outcome, Parameter, Session, SqlError
from sqlserver_sandbox.wire import tokens
from sqlserver_sandbox.wire.answer import PROCEDURE_END, Answer
from sqlserver_sandbox.wire.binding import bind
from sqlserver_sandbox.wire.declarations import Declaration, parse_declarations
from sqlserver_sandbox.wire.describe import undeclared_parameters
from sqlserver_sandbox.wire.refusals import refusal
from sqlserver_sandbox.wire.rpc import Argument, Request
from sqlserver_sandbox.wire.tokens import Done

_TEXT_TYPES = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext"})
_HANDLE_TYPES = frozenset({"int", "smallint", "tinyint", "bigint"})


@dataclass(frozen=True)
class Prepared:
    """A statement kept under a handle."""

    sql: str
    declarations: tuple[Declaration, ...]


class Procedures:
    """One connection's prepared statements, and how each procedure is answered."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._prepared: dict[int, Prepared] = {}
        self._last_handle = 0

    def forget(self) -> None:
        """Drop the prepared statements: the connection was reset."""
        self._prepared.clear()

    def run(self, request: Request, answer: Answer) -> None:
        """Answer one call, up to and including its DONEPROC. Raises what the engine raises."""
        name, arguments = request.procedure.lower(), request.arguments
        answer.last_error, answer.return_code = None, 0
        handle: int | None = None
        if name == "sp_executesql":
            self._execute_text(arguments, answer)
        elif name == "sp_prepexec":
            handle = self._prepare(arguments, answer)
            self._execute(self._prepared[handle], arguments[3:], answer)
        elif name == "sp_prepare":
            handle = self._prepare(arguments[:4], answer)
        elif name == "sp_execute":
            self._execute(self._find(arguments, name), arguments[1:], answer)
        elif name == "sp_unprepare":
            self._find(arguments, name)
            del self._prepared[_integer(arguments, 0, name)]
        elif name == "sp_describe_undeclared_parameters":
            self._describe_parameters(arguments, answer)
        elif name == "sp_reset_connection":
            self.forget()
            answer.outcomes(self._session.reset(keep_transaction=False), Done.IN_PROCEDURE)
            answer.token(tokens.env_reset())
        elif name.startswith("sp_cursor") or name == "sp_prepexecrpc":
            raise refusal(f"{name}: server cursors and prepared procedure calls")
        else:
            self._call(request, answer)
        failed = answer.last_error
        answer.token(tokens.return_status(failed.number if failed else answer.return_code))
        if handle is not None:
            answer.token(tokens.return_integer(arguments[0].parameter.name, 0, handle))
        answer.done(Done.PROCEDURE, command=PROCEDURE_END)

    def _execute_text(self, arguments: Sequence[Argument], answer: Answer) -> None:
        sql = _text(arguments, 0, "sp_executesql") or ""
        declared = _text(arguments, 1, "sp_executesql") if len(arguments) > 1 else None
        self._execute(Prepared(sql, parse_declarations(declared or "")), arguments[2:], answer)

    def _prepare(self, arguments: Sequence[Argument], answer: Answer) -> int:
        """Keep the text. The handle that the client passes in, if any, is replaced by the new one."""
        old = _integer(arguments, 0, "sp_prepare", null_is=0)
        declared = _text(arguments, 1, "sp_prepare")
        sql = _text(arguments, 2, "sp_prepare")
        if sql is None:
            raise SqlError(214, "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.")
        prepared = Prepared(sql, parse_declarations(declared or ""))
        self._prepared.pop(old, None)
        self._last_handle += 1
        self._prepared[self._last_handle] = prepared
        return self._last_handle

    def _find(self, arguments: Sequence[Argument], procedure: str) -> Prepared:
        handle = _integer(arguments, 0, procedure)
        if handle not in self._prepared:
            raise SqlError(8179, f"Could not find prepared statement with handle {handle}.")
        return self._prepared[handle]

    def _execute(self, prepared: Prepared, arguments: Sequence[Argument], answer: Answer) -> None:
        parameters = bind(prepared.declarations, arguments)
        answer.outcomes(self._session.execute(prepared.sql, parameters), Done.IN_PROCEDURE)
        if answer.bulk is not None:
            raise refusal("INSERT BULK inside a procedure call")

    def _describe_parameters(self, arguments: Sequence[Argument], answer: Answer) -> None:
        procedure = "sp_describe_undeclared_parameters"
        sql = _text(arguments, 0, procedure) or ""
        declared = (_text(arguments, 1, procedure) if len(arguments) > 1 else None) or ""
        outcomes: list[Outcome] = [undeclared_parameters(self._session.describe_parameters(sql, declared))]
        answer.outcomes(outcomes, Done.IN_PROCEDURE)

    def _call(self, request: Request, answer: Answer) -> None:
        passed: list[tuple[str, Parameter]] = []
        for argument in request.arguments:
            if argument.is_output:
                raise refusal(f"output parameters of {request.procedure}")
            passed.append((argument.parameter.name, argument.parameter))
        answer.outcomes(self._session.call(request.procedure, passed), Done.IN_PROCEDURE)


def _text(arguments: Sequence[Argument], place: int, procedure: str) -> str | None:
    """The text argument at a place. SQL Server takes only Unicode here; narrow text that decodes is let in too."""
    parameter = _at(arguments, place, procedure)
    value = parameter.value[0].as_py()
    if value is not None and parameter.type.name not in _TEXT_TYPES:
        raise SqlError(214, f"Procedure {procedure} expects text as argument {place + 1}, not {parameter.type.name}.")
    return None if value is None else str(value)


def _integer(arguments: Sequence[Argument], place: int, procedure: str, *, null_is: int | None = None) -> int:
    parameter = _at(arguments, place, procedure)
    value = parameter.value[0].as_py()
    if value is None and null_is is not None:
        return null_is
    if value is None or parameter.type.name not in _HANDLE_TYPES:
        raise SqlError(214, f"Procedure {procedure} expects a handle as argument {place + 1}.")
    return int(value)


def _at(arguments: Sequence[Argument], place: int, procedure: str) -> Parameter:
    if place >= len(arguments):
        raise SqlError(201, f"Procedure or function '{procedure}' expects more parameters than were supplied.")
    return arguments[place].parameter
