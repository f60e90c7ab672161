"""Logins, users and permissions, and the rules by which one permission implies another.

Sources: SQL Server docs, GRANT Object Permissions, GRANT Schema Permissions and GRANT Database Permissions (columns
"Implied by"), Permissions Hierarchy, and Metadata Visibility Configuration. There are no roles: a permission is granted to a
user, or to public.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database, Permission, Schema, Table, User

OBJECT_PERMISSIONS = (
    "SELECT",
    "UPDATE",
    "REFERENCES",
    "INSERT",
    "DELETE",
    "VIEW CHANGE TRACKING",
    "VIEW DEFINITION",
    "ALTER",
    "TAKE OWNERSHIP",
    "CONTROL",
)
SCHEMA_PERMISSIONS = (*OBJECT_PERMISSIONS, "EXECUTE")
DATABASE_PERMISSIONS = (
    "CREATE TABLE",
    "CREATE SCHEMA",
    "ALTER ANY SCHEMA",
    "ALTER ANY DATASPACE",
    "VIEW DATABASE STATE",
    "VIEW DATABASE PERFORMANCE STATE",
    "VIEW DEFINITION",
    "VIEW SECURITY DEFINITION",
    "VIEW CHANGE TRACKING",
    "UNMASK",
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REFERENCES",
    "EXECUTE",
    "CONNECT",
    "TAKE OWNERSHIP",
    "ALTER",
    "CONTROL",
)
SERVER_PERMISSIONS = ("VIEW SERVER STATE", "VIEW SERVER PERFORMANCE STATE", "VIEW ANY DATABASE", "CONNECT SQL")
OF_CLASS = {
    "OBJECT": OBJECT_PERMISSIONS,
    "SCHEMA": SCHEMA_PERMISSIONS,
    "DATABASE": DATABASE_PERMISSIONS,
    "SERVER": SERVER_PERMISSIONS,
}
_IMPLIED_IN_DATABASE = {
    "CREATE TABLE": "ALTER",
    "CREATE SCHEMA": "ALTER",
    "ALTER ANY SCHEMA": "ALTER",
    "ALTER ANY DATASPACE": "ALTER",
    "VIEW DATABASE PERFORMANCE STATE": "VIEW DATABASE STATE",
    "VIEW SECURITY DEFINITION": "VIEW DEFINITION",
}
_EVERYONE = ("CONNECT SQL", "VIEW ANY DATABASE")
"""What public has on the server of SQL Server as it is installed."""


@dataclass(frozen=True)
class Access:
    """As whom a session works. A sysadmin is dbo in every database and may do everything."""

    login: str
    is_sysadmin: bool = True

    def user_name(self, database: Database) -> str | None:
        """The user of the login in that database; None when it has none there (master lets everybody in as guest)."""
        if self.is_sysadmin:
            return "dbo"
        found = user_of(database, self.login)
        return found.name if found else "guest" if database.name.lower() == "master" else None

    def holds(self, database: Database, permission: str, of: Schema | Table | None = None) -> bool:
        """Whether the session has the permission on a schema, a table, or (None) on the database."""
        if self.is_sysadmin:
            return True
        name = self.user_name(database)
        if name is None:
            return False
        schema = database.schema_by_id(of.schema_id) if of is not None else None
        if schema is not None and schema.owner.lower() == name.lower():
            return True
        covering = set(_covering(permission.upper(), of))
        mine = [p for p in database.permissions if p.grantee.lower() in (name.lower(), "public")]
        found = [p for p in mine if (p.name, p.class_, p.major_id) in covering]
        return any(not p.is_denied for p in found) and not any(p.is_denied for p in found)

    def holds_on_server(self, master: Database, permission: str) -> bool:
        """The same for the server, whose permissions are stored in master."""
        if self.is_sysadmin or permission.upper() in _EVERYONE:
            return True
        names = {permission.upper(), permission.upper().replace("SERVER PERFORMANCE", "SERVER"), "CONTROL SERVER"}
        mine = [p for p in master.permissions if p.class_ == "SERVER" and p.grantee.lower() == self.login.lower()]
        found = [p for p in mine if p.name in names]
        return any(not p.is_denied for p in found) and not any(p.is_denied for p in found)

    def sees(self, database: Database, table: Table) -> bool:
        """Whether catalogue views show the table: with any permission on it."""
        return self.is_sysadmin or any(self.holds(database, p, table) for p in OBJECT_PERMISSIONS)

    def visible(self, database: Database) -> Database:
        """The database with the tables that catalogue views show. A security policy may be in any schema: only VIEW DEFINITION
        on the database shows it."""
        if self.is_sysadmin:
            return database
        tables = tuple(t for t in database.tables if self.sees(database, t))
        if not self.holds(database, "VIEW DEFINITION"):
            tables = tuple(replace(t, features=replace(t.features, security_policy=False)) for t in tables)
        return replace(database, tables=tables)

    # ---- errors ---------------------------------------------------------------------------------------------------
    def check_entry(self, database: Database, line: int = 1) -> None:
        """916: the login has no user there."""
        if self.user_name(database) is None:
            raise SqlError(
                916,
                f'The server principal "{self.login}" is not able to access the database "{database.name}" under the current'
                " security context.",
                class_=14,
                line=line,
            )

    def check_table(self, database: Database, table: Table, permission: str, line: int = 1) -> None:
        """229; for ALTER 1088, as for a table that is not there."""
        self.check_entry(database, line)
        if self.holds(database, permission, table):
            return
        if permission == "ALTER":
            raise SqlError(
                1088,
                f'Cannot find the object "{database.full_name(table)}" because it does not exist or you do not have permissions.',
                line=line,
            )
        raise SqlError(
            229,
            f"The {permission} permission was denied on the object '{table.name}', database '{database.name}', schema "
            f"'{database.schema_by_id(table.schema_id).name}'.",
            class_=14,
            state=5,
            line=line,
        )

    def check_database(self, database: Database, permission: str, line: int = 1) -> None:
        """262; for ALTER ANY DATASPACE 15247."""
        if self.holds(database, permission):
            return
        if permission == "ALTER ANY DATASPACE":
            raise SqlError(15247, "User does not have permission to perform this action.", line=line)
        raise SqlError(262, f"{permission} permission denied in database '{database.name}'.", class_=14, line=line)

    def check_sysadmin(self, number: int, message: str, line: int = 1) -> None:
        """The error for what the sandbox lets only its owner do."""
        if not self.is_sysadmin:
            raise SqlError(number, message, class_=14, line=line)


OWNER = Access("")
"""A session that may do everything."""


def user_of(database: Database, login: str) -> User | None:
    """The user that a login is in a database."""
    return next((u for u in database.users if u.login.lower() == login.lower()), None)


def changed(database: Database, change: str, permission: Permission) -> Database:
    """The database after GRANT, DENY or REVOKE of one permission. Each replaces what was said of it before."""
    mine = (permission.name, permission.class_, permission.major_id, permission.grantee.lower())
    others = tuple(p for p in database.permissions if (p.name, p.class_, p.major_id, p.grantee.lower()) != mine)
    return replace(database, permissions=others if change == "REVOKE" else (*others, permission))


def _covering(permission: str, of: Schema | Table | None) -> Iterator[tuple[str, str, int]]:
    """Every (permission, class, number) that has the permission in it."""
    if isinstance(of, Table):
        yield from ((p, "OBJECT", of.object_id) for p in {permission, "CONTROL"})
        above = "CONTROL" if permission == "TAKE OWNERSHIP" else permission
        yield from _in_schema(above, of.schema_id)
    elif of is not None:
        yield from _in_schema(permission, of.schema_id)
    else:
        yield from _in_database(permission)


def _in_schema(permission: str, schema_id: int) -> Iterator[tuple[str, str, int]]:
    yield from ((p, "SCHEMA", schema_id) for p in {permission, "CONTROL"})
    yield from _in_database("ALTER ANY SCHEMA" if permission == "ALTER" else permission)


def _in_database(permission: str) -> Iterator[tuple[str, str, int]]:
    yield from ((p, "DATABASE", 0) for p in _implying(permission))


@cache
def _implying(permission: str) -> frozenset[str]:
    found = {permission, "CONTROL"}
    while (permission := _IMPLIED_IN_DATABASE.get(permission, "")) != "":
        found.add(permission)
    return frozenset(found)
