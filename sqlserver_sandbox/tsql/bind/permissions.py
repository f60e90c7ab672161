"""HAS_PERMS_BY_NAME and fn_my_permissions: what `tsql.access` says, less what is declared as denied of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.access import OF_CLASS
from sqlserver_sandbox.tsql.bind.arguments import INT, exactly, known_text
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.functions_system import parse_object_name
from sqlserver_sandbox.tsql.catalogue import Table
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.values.storage import text_literal

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.context import Context
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call


def denied(table: Table, permission: str) -> bool:
    """Whether the permission was declared as one that nobody has on the table."""
    return permission.upper() in (p.strip().upper() for p in table.features.denied.split(","))


def has_permission(binder: ExpressionBinder, node: Call) -> Bound:
    """HAS_PERMS_BY_NAME: 1, 0, or NULL for a securable or a permission that does not exist (SQL Server docs)."""
    args = exactly(binder, node, 3)
    securable, kind, permission = (known_text(a, "HAS_PERMS_BY_NAME arguments") for a in args)
    name = (kind or "SERVER").upper()
    known = OF_CLASS.get(name)
    if known is None:
        raise refused(f"HAS_PERMS_BY_NAME(…, '{kind}', …)")
    if permission is None or permission.upper() not in known:
        return constant(None, INT)
    held = _held(binder.context, securable, name, permission)
    return constant(None if held is None else int(held), INT)


def _held(context: Context, securable: str | None, kind: str, permission: str) -> bool | None:
    """None for a securable that is not there, or not seen."""
    access, catalogue, database = context.access, context.catalogue, context.database
    if kind == "SERVER":
        master = catalogue.database("master")
        return master is not None and access.holds_on_server(master, permission)
    name = parse_object_name(securable) if securable else None
    if name is None:
        return None
    if kind == "DATABASE":
        found = catalogue.database(name.name) if len(name.parts) == 1 else None
        return access.holds(found, permission) if found is not None else None
    if kind == "SCHEMA":
        schema = database.schema(name.name) if len(name.parts) == 1 else None
        return access.holds(database, permission, schema) if schema is not None else None
    where = catalogue.database(name.database) if name.database else database
    table = access.visible(where).table(name.schema, name.name) if where is not None else None
    if where is None or table is None:
        return None
    return not denied(table, permission) and access.holds(where, permission, table)


def my_permissions(context: Context, securable: str | None, kind: str | None) -> str:
    """The rows of fn_my_permissions as DuckDB text: entity_name, subentity_name, permission_name. Raises 15151, the refusal."""
    name = (kind or "").upper()
    if name not in ("OBJECT", "DATABASE"):
        raise refused(f"fn_my_permissions(…, '{kind}'); OBJECT and DATABASE are on the list")
    target = securable if name == "OBJECT" else securable or f"[{context.database.name}]"
    held = [p for p in OF_CLASS[name] if _held(context, target, name, p)]
    if name == "OBJECT" and _held(context, target, name, "SELECT") is None:
        raise SqlError(
            15151, f"Cannot find the object '{securable}', because it does not exist or you do not have permission."
        )
    entity = text_literal(securable or "database")
    if not held:
        return "(SELECT '' AS entity_name, '' AS subentity_name, '' AS permission_name LIMIT 0)"
    rows = ", ".join(f"({entity}, '', {text_literal(p)})" for p in held)
    return f"(SELECT * FROM (VALUES {rows}) AS v(entity_name, subentity_name, permission_name))"
