"""A batch: its statements, told apart without needing semicolons, and the words that are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import (
    access,
    alter_table,
    conditions,
    control,
    databases,
    dml,
    expressions,
    indexes,
    queries,
    tables,
)
from sqlserver_sandbox.tsql.parse.keywords import REFUSED_STATEMENTS, STATEMENT_STARTS
from sqlserver_sandbox.tsql.parse.reader import Reader
from sqlserver_sandbox.tsql.refusal import refused

_REFUSED = (*REFUSED_STATEMENTS, "ENABLE", "DISABLE", "REVERT", "SHUTDOWN")
_NO_EFFECT_OPTIONS = ("RECOMPILE",)


@lru_cache(maxsize=512)
def parse_batch(sql: str) -> tuple[s.Statement, ...]:
    """The statements of one batch. Raises SqlError 102 and its kin, or the refusal, before anything has run."""
    reader = queries.QueryReader(sql)
    statements: list[s.Statement] = []
    while reader.token.kind != "end":
        if reader.accept_op(";"):
            continue
        if statements or not _at_procedure_call(reader):
            statements.extend(_statement(reader))
        else:
            # The first statement of a batch may call a procedure without EXEC.
            statements.append(control.parse_execute(reader, reader.line))
        _check_end(reader)
    return tuple(statements)


def _at_procedure_call(reader: Reader) -> bool:
    return reader.at_identifier() and not reader.at_word("THROW", "ENABLE", "DISABLE")


def _check_end(reader: Reader) -> None:
    token = reader.token
    if token.kind == "end" or token.is_op(";"):
        return
    if token.kind == "word" and (token.value.upper() in STATEMENT_STARTS or token.is_word("ELSE", "END", "THROW")):
        return
    reader.fail()


def _statement(reader: Reader) -> list[s.Statement]:
    token = reader.token
    if token.is_word(*_REFUSED):
        raise refused(f"the statement {token.value.upper()}", line=token.line)
    rule = _RULES.get(token.value.upper()) if token.kind == "word" else None
    if rule is None:
        if token.is_op("("):
            return [_select(reader, ())]
        reader.fail()
    return rule(reader)


# ---- queries and changes -----------------------------------------------------------------------------------------
def _with(reader: Reader) -> list[s.Statement]:
    reader.expect_word("WITH")
    if reader.at_word("XMLNAMESPACES", "CHANGE_TRACKING_CONTEXT"):
        raise refused(f"WITH {reader.token.text.upper()}", line=reader.line)
    ctes = queries.parse_ctes(reader)
    if reader.at_word("SELECT") or reader.at_op("("):
        return [_select(reader, ctes)]
    if reader.at_word("INSERT"):
        return [dml.parse_insert(reader, ctes)]
    if reader.at_word("UPDATE"):
        return [dml.parse_update(reader, ctes), *_no_options(reader)]
    if reader.at_word("DELETE"):
        return [dml.parse_delete(reader, ctes), *_no_options(reader)]
    if reader.at_word("MERGE"):
        raise refused("the statement MERGE", line=reader.line)
    raise reader.unexpected()


def _select(reader: Reader, ctes: tuple[s.CommonTable, ...]) -> s.Statement:
    line = reader.line
    statement = s.SelectStatement(queries.parse_query_body(reader, ctes), line)
    _options(reader)
    return statement


def _no_options(reader: Reader) -> list[s.Statement]:
    _options(reader)
    return []


def _options(reader: Reader) -> None:
    """OPTION (RECOMPILE | MAXDOP n): they steer the plan and cannot change rows. Others are refused."""
    if reader.at_word("FOR"):
        raise refused(f"FOR {reader.peek().text.upper()}", line=reader.line)
    if not reader.accept_word("OPTION"):
        return
    reader.expect_op("(")
    while True:
        line = reader.line
        word = reader.next().value.upper()
        if word == "MAXDOP":
            reader.integer()
        elif word not in _NO_EFFECT_OPTIONS:
            raise refused(f"OPTION ({word})", line=line)
        if not reader.accept_op(","):
            break
    reader.expect_op(")")


def _changing(parse: Callable[[Reader], s.Statement]) -> Callable[[Reader], list[s.Statement]]:
    def rule(reader: Reader) -> list[s.Statement]:
        statement = parse(reader)
        _options(reader)
        return [statement]

    return rule


# ---- definitions -------------------------------------------------------------------------------------------------
def _create(reader: Reader) -> list[s.Statement]:
    line = reader.line
    reader.next()
    if reader.at_word("UNIQUE", "CLUSTERED", "NONCLUSTERED", "COLUMNSTORE", "INDEX"):
        return [indexes.parse_create_index(reader, line)]
    return _dispatch(reader, "CREATE", _CREATE, line)


def _alter(reader: Reader) -> list[s.Statement]:
    line = reader.line
    reader.next()
    return _dispatch(reader, "ALTER", _ALTER, line)


def _drop(reader: Reader) -> list[s.Statement]:
    line = reader.line
    reader.next()
    return _dispatch(reader, "DROP", _DROP, line)


def _dispatch(
    reader: Reader, verb: str, rules: dict[str, Callable[[Reader, int], s.Statement]], line: int
) -> list[s.Statement]:
    token = reader.token
    rule = rules.get(token.value.upper()) if token.kind == "word" else None
    if rule is None:
        if token.kind == "word":
            raise refused(f"{verb} {token.value.upper()}", line=line)
        reader.fail()
    reader.next()
    return [rule(reader, line)]


_CREATE: dict[str, Callable[[Reader, int], s.Statement]] = {
    "TABLE": tables.parse_create_table,
    "DATABASE": databases.parse_create_database,
    "SCHEMA": databases.parse_create_schema,
    "PARTITION": databases.parse_create_partition,
    "LOGIN": access.parse_create_login,
    "USER": access.parse_create_user,
}
_ALTER: dict[str, Callable[[Reader, int], s.Statement]] = {
    "TABLE": alter_table.parse_alter_table,
    "INDEX": indexes.parse_alter_index,
    "DATABASE": databases.parse_alter_database,
    "PARTITION": databases.parse_alter_partition,
}
_DROP: dict[str, Callable[[Reader, int], s.Statement]] = {
    "TABLE": tables.parse_drop_table,
    "INDEX": indexes.parse_drop_index,
    "DATABASE": databases.parse_drop_database,
    "SCHEMA": databases.parse_drop_schema,
    "PARTITION": databases.parse_drop_partition,
    "LOGIN": access.parse_drop_login,
    "USER": access.parse_drop_user,
}


# ---- flow --------------------------------------------------------------------------------------------------------
def _begin(reader: Reader) -> list[s.Statement]:
    line = reader.line
    reader.next()
    if reader.accept_word("TRY"):
        return [_try(reader, line)]
    if reader.at_word("DISTRIBUTED", "DIALOG", "CONVERSATION"):
        raise refused(f"BEGIN {reader.token.text.upper()}", line=line)
    if reader.at_word("TRAN", "TRANSACTION"):
        return [control.parse_transaction(reader, "begin", line)]
    return _block(reader)


def _block(reader: Reader) -> list[s.Statement]:
    """BEGIN … END; the word BEGIN is already read."""
    statements: list[s.Statement] = []
    while not reader.accept_word("END"):
        if reader.accept_op(";"):
            continue
        statements.extend(_statement(reader))
        _check_end(reader)
    if not statements:
        reader.position -= 1
        reader.fail()
    return statements


def _try(reader: Reader, line: int) -> s.Statement:
    """BEGIN TRY … END TRY BEGIN CATCH … END CATCH; BEGIN TRY is already read."""
    body = _guarded(reader, "TRY")
    while reader.accept_op(";"):
        pass
    reader.expect_words("BEGIN", "CATCH")
    return s.TryCatch(body, _guarded(reader, "CATCH"), line)


def _guarded(reader: Reader, word: str) -> tuple[s.Statement, ...]:
    statements: list[s.Statement] = []
    while not reader.accept_words("END", word):
        if reader.accept_op(";"):
            continue
        statements.extend(_statement(reader))
        _check_end(reader)
    return tuple(statements)


def _if(reader: Reader) -> list[s.Statement]:
    line = reader.line
    reader.next()
    condition = conditions.parse_condition(reader)
    then = _branch(reader)
    mark = reader.position
    while reader.accept_op(";"):
        pass
    if reader.accept_word("ELSE"):
        return [s.If(condition, then, _branch(reader), line)]
    reader.position = mark
    return [s.If(condition, then, (), line)]


def _branch(reader: Reader) -> tuple[s.Statement, ...]:
    if reader.at_word("DECLARE"):
        raise refused("DECLARE as the only statement of IF", line=reader.line)
    return tuple(_statement(reader))


def _transaction(reader: Reader) -> list[s.Statement]:
    line = reader.line
    return [control.parse_transaction(reader, reader.next().value.lower(), line)]


def _listed(parse: Callable[[Reader, int], list[s.Statement]]) -> Callable[[Reader], list[s.Statement]]:
    def rule(reader: Reader) -> list[s.Statement]:
        line = reader.line
        reader.next()
        return parse(reader, line)

    return rule


def _single(parse: Callable[[Reader, int], s.Statement]) -> Callable[[Reader], list[s.Statement]]:
    def rule(reader: Reader) -> list[s.Statement]:
        line = reader.line
        reader.next()
        return [parse(reader, line)]

    return rule


def _use(reader: Reader, line: int) -> s.Statement:
    return s.Use(reader.identifier(), line)


def _print(reader: Reader, line: int) -> s.Statement:
    return s.Print(expressions.parse_expression(reader), line)


def _permission(reader: Reader) -> list[s.Statement]:
    return [access.parse_permission(reader, reader.line)]


def _update(reader: Reader) -> list[s.Statement]:
    line = reader.line
    if reader.accept_words("UPDATE", "STATISTICS"):
        return [indexes.parse_update_statistics(reader, line)]
    return _changing(dml.parse_update)(reader)


_RULES: dict[str, Callable[[Reader], list[s.Statement]]] = {
    "SELECT": lambda reader: [_select(reader, ())],
    "WITH": _with,
    "INSERT": _changing(dml.parse_insert),
    "UPDATE": _update,
    "DELETE": _changing(dml.parse_delete),
    "TRUNCATE": _single(alter_table.parse_truncate),
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "USE": _single(_use),
    "SET": _listed(control.parse_set),
    "DECLARE": _listed(control.parse_declare),
    "BEGIN": _begin,
    "COMMIT": _transaction,
    "ROLLBACK": _transaction,
    "GRANT": _permission,
    "DENY": _permission,
    "REVOKE": _permission,
    "DBCC": _single(control.parse_dbcc),
    "SAVE": _single(control.parse_save),
    "IF": _if,
    "PRINT": _single(_print),
    "THROW": _single(control.parse_throw),
    "RAISERROR": _single(control.parse_raiserror),
    "EXEC": _single(control.parse_execute),
    "EXECUTE": _single(control.parse_execute),
}
