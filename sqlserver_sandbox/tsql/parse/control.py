"""SET, transactions, variables, IF, EXEC, PRINT, RAISERROR, THROW."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import expressions
from sqlserver_sandbox.tsql.parse.reader import TokenReader
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader

SWITCHES = frozenset(
    [
        "ANSI_NULLS",
        "ANSI_PADDING",
        "ANSI_WARNINGS",
        "ANSI_NULL_DFLT_ON",
        "ANSI_NULL_DFLT_OFF",
        "ANSI_DEFAULTS",
        "ARITHABORT",
        "ARITHIGNORE",
        "CONCAT_NULL_YIELDS_NULL",
        "CURSOR_CLOSE_ON_COMMIT",
        "QUOTED_IDENTIFIER",
        "NUMERIC_ROUNDABORT",
        "NOCOUNT",
        "XACT_ABORT",
        "FMTONLY",
        "NOEXEC",
        "PARSEONLY",
        "IMPLICIT_TRANSACTIONS",
        "NO_BROWSETABLE",
        "FORCEPLAN",
        "REMOTE_PROC_TRANSACTIONS",
    ]
)
VALUES = frozenset(
    [
        "LOCK_TIMEOUT",
        "DATEFORMAT",
        "DATEFIRST",
        "LANGUAGE",
        "TEXTSIZE",
        "ROWCOUNT",
        "DEADLOCK_PRIORITY",
        "QUERY_GOVERNOR_COST_LIMIT",
    ]
)


def parse_set(reader: Reader, line: int) -> list[s.Statement]:
    """SET …; ON and OFF take a list of options (SET ANSI_NULLS, ANSI_PADDING ON)."""
    token = reader.token
    if token.kind == "variable":
        return [_set_variable(reader, line)]
    if reader.accept_words("TRANSACTION", "ISOLATION", "LEVEL"):
        return [s.SetIsolation(_isolation(reader), line)]
    if reader.accept_word("IDENTITY_INSERT"):
        table = reader.object_name()
        return [s.SetIdentityInsert(table, reader.expect_word("ON", "OFF") == "ON", line)]
    if reader.at_word("STATISTICS"):
        raise refused("SET STATISTICS", line=line)
    option = reader.next().value.upper()
    if token.kind == "word" and option in VALUES:
        return [s.SetOption(option, _option_value(reader), line)]
    options = [_switch(option, token.kind, line)]
    while reader.accept_op(","):
        kind = reader.token.kind
        options.append(_switch(reader.next().value.upper(), kind, line))
    value = reader.expect_word("ON", "OFF")
    return [s.SetOption(name, value, line) for name in options]


def _switch(option: str, kind: str, line: int) -> str:
    if kind != "word" or option not in SWITCHES:
        raise refused(f"SET {option}", line=line)
    return option


def _option_value(reader: Reader) -> str:
    if reader.token.kind == "variable":
        raise refused("SET option @variable", line=reader.line)
    if reader.token.kind in ("integer", "variable") or reader.at_op("-"):
        return str(reader.integer())
    if reader.token.kind in ("string", "nstring"):
        return reader.next().value
    return reader.next().value if reader.token.kind == "word" else reader.identifier()


def _set_variable(reader: Reader, line: int) -> s.Statement:
    token = reader.next()
    if token.value.startswith("@@"):
        reader.position -= 1
        reader.fail()
    name = token.value[1:].lower()
    if reader.at_op("+=", "-=", "*=", "/=", "%="):
        op = reader.next().value[0]
        return s.SetVariable(name, s.Binary(op, s.Variable(name), expressions.parse_expression(reader)), line)
    reader.expect_op("=")
    return s.SetVariable(name, expressions.parse_expression(reader), line)


def _isolation(reader: Reader) -> str:
    if reader.accept_word("READ"):
        return "READ " + reader.expect_word("UNCOMMITTED", "COMMITTED")
    if reader.accept_word("REPEATABLE"):
        reader.expect_word("READ")
        return "REPEATABLE READ"
    return reader.expect_word("SNAPSHOT", "SERIALIZABLE")


def parse_transaction(reader: Reader, action: str, line: int) -> s.Statement:
    """After BEGIN, COMMIT or ROLLBACK: [TRAN[SACTION] [name]] or, for the last two, [WORK]."""
    name = None
    if reader.accept_word("TRAN", "TRANSACTION"):
        if reader.at_identifier():
            name = reader.identifier()
        elif reader.token.kind == "variable":
            raise refused("transaction names in variables", line=line)
        if reader.at_words("WITH", "MARK"):
            raise refused("BEGIN TRANSACTION … WITH MARK", line=line)
        if reader.at_word("WITH") and reader.peek().is_op("("):
            raise refused("COMMIT … WITH (DELAYED_DURABILITY)", line=line)
    elif action != "begin":
        reader.accept_word("WORK")
    return s.Transaction(action, name, line)


def parse_save(reader: Reader, line: int) -> s.Statement:
    """After SAVE."""
    reader.expect_word("TRAN", "TRANSACTION")
    if reader.token.kind == "variable":
        raise refused("savepoint names in variables", line=line)
    return s.SaveTransaction(reader.identifier(), line)


def parse_dbcc(reader: Reader, line: int) -> s.Statement:
    """After DBCC: CHECKIDENT ('table' [, NORESEED | RESEED [, n]]) [WITH NO_INFOMSGS]."""
    if not reader.accept_word("CHECKIDENT"):
        raise refused("the statement DBCC", line=line)
    reader.expect_op("(")
    quoted = reader.token.kind in ("string", "nstring")
    name = TokenReader(reader.next().value).object_name() if quoted else reader.object_name()
    reseeds, value = True, None
    if reader.accept_op(","):
        reseeds = reader.expect_word("RESEED", "NORESEED") == "RESEED"
        value = reader.integer() if reseeds and reader.accept_op(",") else None
    reader.expect_op(")")
    reader.accept_words("WITH", "NO_INFOMSGS")
    return s.CheckIdentity(name, reseeds, value, line)


def parse_declare(reader: Reader, line: int) -> list[s.Statement]:
    declared: list[s.Statement] = []
    while True:
        if reader.token.kind != "variable":
            raise refused("DECLARE … CURSOR", line=line)
        name = reader.next().value[1:].lower()
        reader.accept_word("AS")
        if reader.at_word("TABLE", "CURSOR"):
            raise refused(f"DECLARE @… {reader.token.text.upper()}", line=line)
        spec = reader.type_spec()
        value = expressions.parse_expression(reader) if reader.accept_op("=") else None
        declared.append(s.Declare(name, spec, value, line))
        if not reader.accept_op(","):
            return declared


def parse_throw(reader: Reader, line: int) -> s.Statement:
    if reader.token.kind == "end" or reader.at_op(";") or reader.at_word("END"):
        return s.Throw(None, None, None, line)
    number = expressions.parse_expression(reader)
    reader.expect_op(",")
    message = expressions.parse_expression(reader)
    reader.expect_op(",")
    return s.Throw(number, message, expressions.parse_expression(reader), line)


def parse_raiserror(reader: Reader, line: int) -> s.Statement:
    reader.expect_op("(")
    values = [expressions.parse_expression(reader)]
    while reader.accept_op(","):
        values.append(expressions.parse_expression(reader))
    reader.expect_op(")")
    if len(values) < 3:
        reader.fail()
    if reader.at_word("WITH"):
        raise refused("RAISERROR … WITH options", line=line)
    return s.Raiserror(values[0], values[1], values[2], tuple(values[3:]), line)


def parse_execute(reader: Reader, line: int) -> s.Statement:
    """After EXEC: ('text'), or [@result =] procedure [arguments]."""
    if reader.accept_op("("):
        text = expressions.parse_expression(reader)
        reader.expect_op(")")
        if reader.at_word("AS", "AT"):
            raise refused("EXEC (…) AS or AT", line=line)
        return s.ExecuteText(text, line)
    result = None
    if reader.token.kind == "variable":
        if not reader.peek().is_op("="):
            raise refused("EXEC @variable", line=line)
        result = reader.next().value[1:].lower()
        reader.next()
    procedure = reader.object_name()
    arguments: list[s.Argument] = []
    if _at_argument(reader):
        arguments.append(_argument(reader))
        while reader.accept_op(","):
            arguments.append(_argument(reader))
    if reader.at_word("WITH") and reader.peek().is_word("RECOMPILE", "RESULT"):
        raise refused(f"EXEC … WITH {reader.peek().text.upper()}", line=line)
    return s.Execute(procedure, tuple(arguments), result, line)


def _at_argument(reader: Reader) -> bool:
    kind = reader.token.kind
    return kind in ("variable", "string", "nstring", "integer", "decimal", "float", "money", "binary") or (
        reader.at_op("-") or reader.at_word("NULL", "DEFAULT")
    )


def _argument(reader: Reader) -> s.Argument:
    """A constant or a variable: T-SQL takes no expression here."""
    name = ""
    if reader.token.kind == "variable" and reader.peek().is_op("="):
        name = reader.next().value[1:].lower()
        reader.next()
    if reader.at_word("DEFAULT"):
        raise refused("DEFAULT as an argument", line=reader.line)
    value: s.Expression
    token = reader.token
    if reader.at_op("-"):
        reader.next()
        value = s.Unary("-", s.Literal(reader.token.kind, reader.next().value))
    elif token.kind == "variable":
        reader.next()
        value = s.Variable(token.value.lstrip("@").lower(), system=token.value.startswith("@@"))
    elif reader.accept_word("NULL"):
        value = s.Literal("null", "NULL")
    elif _at_argument(reader):
        reader.next()
        value = s.Literal(token.kind, token.value)
    elif reader.at_identifier():
        value = s.Literal("string", reader.identifier())
    else:
        reader.fail()
    output = reader.accept_word("OUTPUT", "OUT") is not None
    return s.Argument(value, name, output)
