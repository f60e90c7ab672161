"""Asking for permissions, and the statements that give them.

HAS_PERMS_BY_NAME answers for the login itself, with what its roles and the owner of a schema may do, and needs no permission
(Microsoft's reference). It is NULL for a securable that is not there or that the login does not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Literal, Sql, Statement, Text, join, sql, table

QUESTIONS_PER_STATEMENT = 200
"""HAS_PERMS_BY_NAME calls in one statement."""


@dataclass(frozen=True)
class OnDatabase:
    """The database that the session is in."""


@dataclass(frozen=True)
class OnSchema:
    """A schema of it."""

    schema: str


@dataclass(frozen=True)
class OnTable:
    """A table of it."""

    name: TableName


@dataclass(frozen=True)
class OnServer:
    """The server."""


Securable = OnDatabase | OnSchema | OnTable | OnServer


@dataclass(frozen=True)
class Question:
    """Does the login have the permission? `permission` is one of the words that GRANT takes."""

    on: Securable
    permission: str


def ask_permissions(questions: Sequence[Question]) -> Statement:
    """One row per question: its number, counted from 0, and held (1, 0, NULL)."""
    return join("\nUNION ALL ", [_question(number, asked) for number, asked in enumerate(questions)]).render()


def _question(number: int, asked: Question) -> Sql:
    name = Literal(asked.permission)
    if isinstance(asked.on, OnDatabase):
        held = sql("HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', {name})", name=name)
    elif isinstance(asked.on, OnServer):
        held = sql("HAS_PERMS_BY_NAME(NULL, NULL, {name})", name=name)
    elif isinstance(asked.on, OnSchema):
        schema = Literal(sql("{s}", s=Identifier(asked.on.schema)).render().text)
        held = sql("HAS_PERMS_BY_NAME({schema}, N'SCHEMA', {name})", schema=schema, name=name)
    else:
        found = Literal(table(asked.on.name).render().text)
        held = sql("HAS_PERMS_BY_NAME({found}, N'OBJECT', {name})", found=found, name=name)
    return sql("SELECT {number} AS number, {held} AS held", number=Literal(number), held=held)


def ask_user() -> Statement:
    """One row: login_name, and user_name, what the login is in the database."""
    return sql("SELECT ORIGINAL_LOGIN() AS login_name, USER_NAME() AS user_name").render()


def ask_names() -> Statement:
    """What the database has: one row each, kind (schema, function or scheme of partitions) and name. No permission is needed."""
    return sql(
        "SELECT N'schema' AS kind, s.name FROM sys.schemas AS s\n"
        "UNION ALL SELECT N'function', f.name FROM sys.partition_functions AS f\n"
        "UNION ALL SELECT N'scheme', p.name FROM sys.partition_schemes AS p"
    ).render()


def grant(permissions: Sequence[str], on: Securable, user: str) -> str:
    """GRANT …, for an administrator of the database; on the server to the login, in master."""
    words = join(", ", [_words(permission) for permission in permissions])
    to = Identifier(user)
    if isinstance(on, (OnDatabase, OnServer)):
        return sql("GRANT {words} TO {to}", words=words, to=to).render().text
    if isinstance(on, OnSchema):
        name = Identifier(on.schema)
        return sql("GRANT {words} ON SCHEMA::{name} TO {to}", words=words, name=name, to=to).render().text
    return sql("GRANT {words} ON OBJECT::{name} TO {to}", words=words, name=table(on.name), to=to).render().text


def _words(permission: str) -> Sql:
    """A permission's name. Raises ValueError for text that is none."""
    if not permission.replace(" ", "").isalpha():
        raise ValueError(f"{permission!r} is not the name of a permission")
    return Sql((Text(permission.upper()),))


def create_user(login: str) -> str:
    """A user for a login, of the same name."""
    return sql("CREATE USER {name} FOR LOGIN {name}", name=Identifier(login)).render().text


def create_schema(schema: str, user: str) -> str:
    """A schema that belongs to a user, with everything in it."""
    statement = sql("CREATE SCHEMA {schema} AUTHORIZATION {user}", schema=Identifier(schema), user=Identifier(user))
    return statement.render().text


def allow_snapshots(database: str) -> str:
    """SNAPSHOT isolation. It does not wait for other sessions."""
    return sql("ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON", name=Identifier(database)).render().text


def read_committed_snapshot(database: str) -> str:
    """Row versions for READ COMMITTED. It waits until no other session is in the database."""
    return sql("ALTER DATABASE {name} SET READ_COMMITTED_SNAPSHOT ON", name=Identifier(database)).render().text
