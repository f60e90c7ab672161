"""Logins, users and permissions: CREATE LOGIN and USER, GRANT, DENY, REVOKE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.access import OF_CLASS
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.parse.reader import Reader

_KNOWN = frozenset(name for names in OF_CLASS.values() for name in names)


def parse_create_login(reader: Reader, line: int) -> s.Statement:
    """CREATE LOGIN n WITH PASSWORD = '…' | FROM EXTERNAL PROVIDER. Options, and logins of Windows, are refused."""
    name = reader.identifier()
    if reader.accept_words("FROM", "EXTERNAL", "PROVIDER"):
        return s.CreateLogin(name, None, line)
    if not reader.accept_word("WITH"):
        raise refused("CREATE LOGIN without WITH PASSWORD", line=line)
    reader.expect_word("PASSWORD")
    reader.expect_op("=")
    if reader.token.kind not in ("string", "nstring"):
        reader.fail()
    password = reader.next().value
    if reader.at_op(","):
        raise refused("options of CREATE LOGIN", line=line)
    return s.CreateLogin(name, password, line)


def parse_create_user(reader: Reader, line: int) -> s.Statement:
    """CREATE USER n [FOR LOGIN l] | FROM EXTERNAL PROVIDER; without FOR the login has the same name."""
    name = reader.identifier()
    login = name
    if reader.accept_words("FROM", "EXTERNAL", "PROVIDER"):
        return s.CreateUser(name, None, line)
    if reader.accept_word("FOR", "FROM"):
        if not reader.accept_word("LOGIN"):
            raise refused(f"CREATE USER … FOR {reader.token.text.upper()}", line=line)
        login = reader.identifier()
    if reader.at_word("WITH", "WITHOUT"):
        raise refused(f"CREATE USER … {reader.token.text.upper()}", line=line)
    return s.CreateUser(name, login, line)


def parse_drop_login(reader: Reader, line: int) -> s.Statement:
    return s.DropPrincipal("login", reader.identifier(), False, line)


def parse_drop_user(reader: Reader, line: int) -> s.Statement:
    if_exists = reader.accept_words("IF", "EXISTS")
    return s.DropPrincipal("user", reader.identifier(), if_exists, line)


def parse_permission(reader: Reader, line: int) -> s.Statement:
    """GRANT | DENY | REVOKE p [, p] [ON [OBJECT:: | SCHEMA::] name] TO | FROM principal [, principal]; the verb is next."""
    change = reader.next().value.upper()
    permissions = [_permission(reader, line)]
    while reader.accept_op(","):
        permissions.append(_permission(reader, line))
    class_, securable = "", None
    if reader.accept_word("ON"):
        class_ = "OBJECT"
        if reader.peek().is_op("::"):
            class_ = reader.next().value.upper()
            reader.next()
            if class_ not in ("OBJECT", "SCHEMA"):
                raise refused(f"{change} … ON {class_}::", line=line)
        securable = reader.object_name()
        if reader.at_op("("):
            raise refused(f"{change} on columns", line=line)
    reader.expect_word(*(("TO", "FROM") if change == "REVOKE" else ("TO",)))
    principals = [_principal(reader)]
    while reader.accept_op(","):
        principals.append(_principal(reader))
    if reader.at_word("WITH", "AS", "CASCADE"):
        raise refused(f"{change} … {reader.token.text.upper()}", line=line)
    return s.ChangePermission(change, tuple(permissions), class_, securable, tuple(principals), line)


def _principal(reader: Reader) -> str:
    """PUBLIC is a reserved word, and a principal."""
    return reader.next().value.lower() if reader.at_word("PUBLIC") else reader.identifier()


def _permission(reader: Reader, line: int) -> str:
    words: list[str] = []
    while reader.token.kind == "word" and not reader.at_word("ON", "TO", "FROM"):
        words.append(reader.next().value.upper())
    name = " ".join(words)
    if not words:
        reader.fail()
    if name not in _KNOWN:
        raise refused(f"the permission {name}", line=line)
    return name
