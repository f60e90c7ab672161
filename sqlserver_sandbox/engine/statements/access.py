"""CREATE LOGIN and USER, DROP LOGIN and USER, GRANT, DENY, REVOKE. Only an owner of the sandbox may run them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue, changing_database, save
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.store.store import MASTER, hashed_password
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.access import OF_CLASS, changed
from sqlserver_sandbox.tsql.catalogue import Database, Permission, SqlLogin, User

_NOT_ALLOWED = (15247, "User does not have permission to perform this action.")
_PUBLIC = ("public", "guest")


def create_login(execution: Execution, node: s.CreateLogin) -> Iterator[Outcome]:
    execution.access.check_sysadmin(*_NOT_ALLOWED, node.line)
    with changing_database(execution, _master(execution)):
        database = change_catalogue(execution)
        if _login(database, node.name) is not None:
            raise SqlError(15025, f"The server principal '{node.name}' already exists.", line=node.line)
        login = SqlLogin(node.name, "" if node.password is None else hashed_password(node.name, node.password))
        save(execution, replace(database, logins=(*database.logins, login)))
        yield from execution.transaction.end_statement()
    yield RowsAffected(None, DDL)


def create_user(execution: Execution, node: s.CreateUser) -> Iterator[Outcome]:
    execution.access.check_sysadmin(*_NOT_ALLOWED, node.line)
    database = change_catalogue(execution)
    master = execution.catalogue.by_id(_master(execution))
    login = node.name if node.login is None else node.login
    if node.login is not None and _login(master, node.login) is None:
        raise SqlError(15007, f"'{node.login}' is not a valid login or you do not have permission.", line=node.line)
    if any(u.name.lower() == node.name.lower() for u in database.users) or node.name.lower() in ("dbo", *_PUBLIC):
        raise SqlError(
            15023, f"User, group, or role '{node.name}' already exists in the current database.", line=node.line
        )
    if any(u.login.lower() == login.lower() for u in database.users):
        raise SqlError(15063, "The login already has an account under a different user name.", line=node.line)
    save(execution, replace(database, users=(*database.users, User(node.name, login))))
    yield RowsAffected(None, DDL)


def drop_principal(execution: Execution, node: s.DropPrincipal) -> Iterator[Outcome]:
    """Permissions go with the user. One that owns a schema stays (15138)."""
    execution.access.check_sysadmin(*_NOT_ALLOWED, node.line)
    name = node.name.lower()
    if node.kind == "login":
        with changing_database(execution, _master(execution)):
            master = change_catalogue(execution)
            if _login(master, name) is None:
                raise _missing("login", node.name, node.line)
            logins = tuple(x for x in master.logins if x.name.lower() != name)
            permissions = tuple(p for p in master.permissions if p.class_ != "SERVER" or p.grantee.lower() != name)
            save(execution, replace(master, logins=logins, permissions=permissions))
            yield from execution.transaction.end_statement()
        yield RowsAffected(None, DDL)
        return
    database = change_catalogue(execution)
    if not any(u.name.lower() == name for u in database.users):
        if not node.if_exists:
            raise _missing("user", node.name, node.line)
    elif any(x.owner.lower() == name for x in database.schemas):
        raise SqlError(
            15138,
            "The database principal owns a schema in the database, and cannot be dropped.",
            line=node.line,
        )
    else:
        users = tuple(u for u in database.users if u.name.lower() != name)
        permissions = tuple(p for p in database.permissions if p.class_ == "SERVER" or p.grantee.lower() != name)
        save(execution, replace(database, users=users, permissions=permissions))
    yield RowsAffected(None, DDL)


def change_permission(execution: Execution, node: s.ChangePermission) -> Iterator[Outcome]:
    execution.access.check_sysadmin(
        15151, f"Cannot find the user '{node.principals[0]}', because it does not exist or you do not have permission."
    )
    server = not node.class_ and all(p in OF_CLASS["SERVER"] for p in node.permissions)
    database = change_catalogue(execution)
    if server and database.name.lower() != MASTER:
        raise SqlError(
            4621,
            "Permissions at the server scope can only be granted when the current database is master",
            line=node.line,
        )
    class_, number = ("SERVER", 0) if server else _securable(database, node)
    for permission in node.permissions:
        if permission not in OF_CLASS[class_]:
            raise SqlError(102, f"Incorrect syntax near '{permission.split()[0]}'.", class_=15, line=node.line)
        for principal in node.principals:
            _check_principal(database, principal, node.line, server=server)
            granted = Permission(permission, class_, number, principal, node.change == "DENY")
            database = changed(database, node.change, granted)
    save(execution, database)
    yield RowsAffected(None, DDL)


def _securable(database: Database, node: s.ChangePermission) -> tuple[str, int]:
    if node.securable is None:
        return "DATABASE", 0
    if node.class_ == "SCHEMA":
        schema = database.schema(node.securable.name)
        if schema is None:
            raise _missing("schema", node.securable.name, node.line)
        return "SCHEMA", schema.schema_id
    table = database.table(node.securable.schema, node.securable.name)
    if table is None:
        raise _missing("object", node.securable.name, node.line)
    return "OBJECT", table.object_id


def _check_principal(database: Database, name: str, line: int, *, server: bool) -> None:
    if server:
        if _login(database, name) is None:
            raise _missing("login", name, line)
    elif name.lower() not in _PUBLIC and not any(u.name.lower() == name.lower() for u in database.users):
        raise _missing("user", name, line)


def _missing(kind: str, name: str, line: int) -> SqlError:
    return SqlError(
        15151, f"Cannot find the {kind} '{name}', because it does not exist or you do not have permission.", line=line
    )


def _login(master: Database, name: str) -> SqlLogin | None:
    return next((x for x in master.logins if x.name.lower() == name.lower()), None)


def _master(execution: Execution) -> int:
    found = execution.store.find(MASTER)
    if found is None:
        raise OSError("the sandbox has no database master")
    return found
