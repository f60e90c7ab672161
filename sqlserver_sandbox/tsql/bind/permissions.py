"""HAS_PERMS_BY_NAME and fn_my_permissions: every login may do everything, but what is declared as denied of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.bind.arguments import INT, exactly, known_text
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.functions_system import find_object, parse_object_name
from sqlserver_sandbox.tsql.catalogue import Table
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.values.storage import text_literal

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call

_OF_OBJECTS = (
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
_OF_DATABASES = (
    "CREATE TABLE",
    "CREATE SCHEMA",
    "ALTER ANY SCHEMA",
    "ALTER ANY DATASPACE",
    "VIEW DATABASE STATE",
    "VIEW DATABASE PERFORMANCE STATE",
    "VIEW DEFINITION",
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REFERENCES",
    "CONNECT",
    "ALTER",
    "CONTROL",
)


def denied(table: Table, permission: str) -> bool:
    """Whether the permission was declared as one that nobody has on the table."""
    return permission.upper() in (p.strip().upper() for p in table.features.denied.split(","))


def has_permission(binder: ExpressionBinder, node: Call) -> Bound:
    """HAS_PERMS_BY_NAME: 1, 0 for what is denied, NULL for what does not exist."""
    args = exactly(binder, node, 3)
    securable, kind, permission = (known_text(a, "HAS_PERMS_BY_NAME arguments") for a in args)
    if permission is None:
        return constant(None, INT)
    if securable is None or (kind or "").upper() in ("DATABASE", "SCHEMA", "SERVER"):
        return constant(1, INT)
    if (kind or "").upper() != "OBJECT":
        raise refused(f"HAS_PERMS_BY_NAME(…, '{kind}', …)")
    name = parse_object_name(securable)
    catalogue = binder.context.catalogue
    database = catalogue.database(name.database) if name and name.database else binder.context.database
    if name is None or database is None or find_object(binder, database, name, None) is None:
        return constant(None, INT)
    table = database.table(name.schema, name.name)
    return constant(int(table is None or not denied(table, permission)), INT)


def my_permissions(securable: str | None, kind: str | None, table: Table | None) -> str:
    """The rows of fn_my_permissions as DuckDB text: entity_name, subentity_name, permission_name. Raises the refusal."""
    name = (kind or "").upper()
    if name == "OBJECT":
        if table is None:
            raise SqlError(
                15151, f"Cannot find the object '{securable}', because it does not exist or you do not have permission."
            )
        names = [p for p in _OF_OBJECTS if not denied(table, p)]
    elif name == "DATABASE":
        names = list(_OF_DATABASES)
    else:
        raise refused(f"fn_my_permissions(…, '{kind}'); OBJECT and DATABASE are on the list")
    entity = text_literal(securable or "database")
    rows = ", ".join(f"({entity}, '', {text_literal(p)})" for p in names)
    return f"(SELECT * FROM (VALUES {rows}) AS v(entity_name, subentity_name, permission_name))"
