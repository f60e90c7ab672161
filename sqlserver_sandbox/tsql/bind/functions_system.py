"""Functions on the catalogue and the session. Names are looked up while binding, so they must be constants or variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlserver_sandbox.model import DEFAULT_COLLATION, SqlError
from sqlserver_sandbox.tsql.bind.arguments import INT, as_int, exactly, known_text, nvarchar
from sqlserver_sandbox.tsql.bind.bound import Bound, computed, constant
from sqlserver_sandbox.tsql.catalogue import Database, Table
from sqlserver_sandbox.tsql.constraints import Check
from sqlserver_sandbox.tsql.parse.reader import TokenReader
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.syntax import ObjectName
from sqlserver_sandbox.tsql.values.storage import text_literal

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call

_SYSNAME = nvarchar(128)
SYSTEM_SCHEMAS = {"sys": 4, "information_schema": 3}


def _db_name(binder: ExpressionBinder, node: Call) -> Bound:
    args = exactly(binder, node, 0, 1)
    if not args:
        return constant(binder.context.database.name, _SYSNAME)
    return _lookup(args[0], {d.database_id: d.name for d in binder.context.catalogue.databases()})


def _db_id(binder: ExpressionBinder, node: Call) -> Bound:
    args = exactly(binder, node, 0, 1)
    if not args:
        return constant(binder.context.database.database_id, INT)
    name = known_text(args[0], "DB_ID with a name")
    found = binder.context.catalogue.database(name) if name else None
    return constant(found.database_id if found else None, INT)


def _schemas(database: Database) -> dict[int, str]:
    return {**{s.schema_id: s.name for s in database.schemas}, 3: "INFORMATION_SCHEMA", 4: "sys"}


def _schema_name(binder: ExpressionBinder, node: Call) -> Bound:
    args = exactly(binder, node, 0, 1)
    if not args:
        return constant("dbo", _SYSNAME)
    return _lookup(args[0], _schemas(binder.context.database))


def _schema_id(binder: ExpressionBinder, node: Call) -> Bound:
    args = exactly(binder, node, 0, 1)
    name = known_text(args[0], "SCHEMA_ID with a name") if args else "dbo"
    found = {n.lower(): i for i, n in _schemas(binder.context.database).items()}.get((name or "").lower())
    return constant(found, INT)


def _lookup(key: Bound, names: dict[int, str]) -> Bound:
    """A name by number: one branch each, so that the number may be a column."""
    number = as_int(key)
    if number.constant is not None:
        value = number.constant.value
        return constant(names.get(int(str(value))) if value is not None else None, _SYSNAME)
    branches = " ".join(f"WHEN {i} THEN {text_literal(n)}" for i, n in names.items())
    return computed(
        f"CASE {number.sql} {branches} END" if names else "CAST(NULL AS VARCHAR)", _SYSNAME, number, nullable=True
    )


def parse_object_name(text: str) -> ObjectName | None:
    """A quoted or plain name of one to three parts; None when it is no name."""
    try:
        reader = TokenReader(text)
        name = reader.object_name()
    except SqlError:
        return None
    return name if reader.token.kind == "end" else None


def _object_id(binder: ExpressionBinder, node: Call) -> Bound:
    args = exactly(binder, node, 1, 2)
    text = known_text(args[0], "OBJECT_ID with a name")
    kind = known_text(args[1], "OBJECT_ID with a type") if len(args) == 2 else None
    name = parse_object_name(text) if text else None
    if name is None:
        return constant(None, INT)
    database = binder.context.catalogue.database(name.database) if name.database else binder.context.database
    return constant(find_object(binder, database, name, kind) if database else None, INT)


def find_object(binder: ExpressionBinder, database: Database, name: ObjectName, kind: str | None) -> int | None:
    schema = name.schema or "dbo"
    if schema.lower() in SYSTEM_SCHEMAS:
        if kind is not None and kind.strip().upper() not in ("V", "S"):
            return None
        view = binder.context.catalogue.system_view(database, schema, name.name)
        return system_object_id(schema, name.name) if view else None
    wanted = kind.strip().upper() if kind is not None else None
    database = binder.context.access.visible(database)
    table = database.table(schema, name.name)
    if table is not None:
        return table.object_id if wanted in (None, "U") else None
    found = database.schema(schema)
    for owner in database.tables:
        if found is None or owner.schema_id != found.schema_id:
            continue
        for index in owner.indexes:
            if index.key_kind and (index.name or "").lower() == name.name.lower() and wanted in (None, index.key_kind):
                return index.key_object_id
        for column in owner.columns:
            if column.default and column.default.name.lower() == name.name.lower() and wanted in (None, "D"):
                return column.default.object_id
        for constraint in owner.constraints:
            kind_of = "C" if isinstance(constraint, Check) else "F"
            if constraint.name.lower() == name.name.lower() and wanted in (None, kind_of):
                return constraint.object_id
    return None


def system_object_id(schema: str, name: str) -> int:
    """A negative number that stays the same for one system view."""
    number = 0
    for character in f"{schema}.{name}".lower():
        number = (number * 31 + ord(character)) % (2**30)
    return -number - 1


def _object_names(database: Database) -> dict[int, str]:
    names = {t.object_id: t.name for t in database.tables}
    for table in database.tables:
        names |= {i.key_object_id: i.name or "" for i in table.indexes if i.key_kind}
        names |= {c.default.object_id: c.default.name for c in table.columns if c.default}
        names |= {c.object_id: c.name for c in table.constraints}
    return names


def _object_name(binder: ExpressionBinder, node: Call) -> Bound:
    args = exactly(binder, node, 1, 2)
    if len(args) == 2:
        raise refused("OBJECT_NAME with a database")
    return _lookup(args[0], _object_names(binder.context.database))


def _object_schema_name(binder: ExpressionBinder, node: Call) -> Bound:
    (key,) = exactly(binder, node, 1)
    database = binder.context.database
    return _lookup(key, {t.object_id: database.schema_by_id(t.schema_id).name for t in database.tables})


def _object_property(binder: ExpressionBinder, node: Call) -> Bound:
    """1, 0, or NULL for an object that is not a table (SQL Server docs: OBJECTPROPERTY)."""
    key, which = exactly(binder, node, 2)
    name = (known_text(which, "a property name") or "").lower()
    rule = _TABLE_PROPERTIES.get(name)
    if rule is None:
        raise refused(f"OBJECTPROPERTY(…, '{name}')", line=node.line)
    database = binder.context.database
    values = {t.object_id: int(rule(database, t)) for t in database.tables}
    number = as_int(key)
    if number.constant is not None:
        value = number.constant.value
        return constant(values.get(int(str(value))) if value is not None else None, INT)
    branches = " ".join(f"WHEN {i} THEN {v}" for i, v in values.items())
    text = f"CASE {number.sql} {branches} END" if values else "NULL"
    return computed(f"CAST({text} AS INTEGER)", INT, number, nullable=True)


def _is_referenced(database: Database, table: Table) -> bool:
    return any(f.referenced_object_id == table.object_id for t in database.tables for f in t.foreign_keys)


_TABLE_PROPERTIES: dict[str, Callable[[Database, Table], bool]] = {
    "istable": lambda d, t: True,
    "isusertable": lambda d, t: True,
    "issystemtable": lambda d, t: False,
    "isview": lambda d, t: False,
    "isansinullson": lambda d, t: t.features.ansi_nulls,
    "isquotedidenton": lambda d, t: t.features.quoted_identifier,
    "tablehasprimarykey": lambda d, t: any(i.key_kind == "PK" for i in t.indexes),
    "tablehasclustindex": lambda d, t: t.base.index_id == 1,
    "tablehasidentity": lambda d, t: any(c.identity is not None for c in t.columns),
    "tablehascheckcnst": lambda d, t: bool(t.checks),
    "tablehasforeignkey": lambda d, t: bool(t.foreign_keys),
    "tablehasforeignref": _is_referenced,
    "tableismemoryoptimized": lambda d, t: t.features.memory_optimized,
    "tablehasactivefulltextindex": lambda d, t: t.features.full_text,
}


def _login(binder: ExpressionBinder, node: Call) -> Bound:
    if node.args:
        raise refused(f"{node.name.upper()} with an argument")
    return constant(binder.context.facts.login, _SYSNAME)


def _user(binder: ExpressionBinder, node: Call) -> Bound:
    """The owners of the sandbox are dbo everywhere."""
    if node.args:
        raise refused(f"{node.name.upper()} with an argument")
    return constant(binder.context.access.user_name(binder.context.database), _SYSNAME)


def _server_property(binder: ExpressionBinder, node: Call) -> Bound:
    """SQL Server answers with sql_variant; the sandbox with nvarchar(128) or int."""
    (which,) = exactly(binder, node, 1)
    name = (known_text(which, "a property name") or "").lower()
    facts = binder.context.facts
    version = facts.product_version
    values: dict[str, str | int] = {
        "productversion": version,
        "productmajorversion": version.split(".")[0],
        "productminorversion": version.split(".")[1],
        "productbuild": version.split(".")[2],
        "productlevel": "RTM",
        "edition": "Developer Edition (64-bit)",
        "engineedition": 3,
        "servername": facts.server_name,
        "machinename": facts.server_name,
        "collation": DEFAULT_COLLATION,
        "ishadrenabled": 0,
        "isclustered": 0,
        "isintegratedsecurityonly": 0,
        "issingleuser": 0,
        "isfulltextinstalled": 0,
        "lcid": 1033,
    }
    return _property(values, name, "SERVERPROPERTY")


def _property(values: dict[str, str | int], name: str, function: str) -> Bound:
    if name in ("instancename",):
        return constant(None, _SYSNAME)
    if name not in values:
        raise refused(f"{function}('{name}')")
    value = values[name]
    return constant(value, INT if isinstance(value, int) else _SYSNAME)


def _database_property(binder: ExpressionBinder, node: Call) -> Bound:
    which, prop = exactly(binder, node, 2)
    text = known_text(which, "a database name")
    database = binder.context.catalogue.database(text) if text else None
    name = (known_text(prop, "a property name") or "").lower()
    if database is None:
        return constant(None, _SYSNAME)
    values: dict[str, str | int] = {
        "collation": database.collation,
        "status": "ONLINE",
        "updateability": "READ_WRITE",
        "recovery": "SIMPLE",
        "version": 957,
        "useraccess": "MULTI_USER",
        "isansinullsenabled": 1,
        "isquotedidentifiersenabled": 1,
    }
    return _property(values, name, "DATABASEPROPERTYEX")


RULES: dict[str, Callable[[ExpressionBinder, Call], Bound]] = {
    "db_name": _db_name,
    "db_id": _db_id,
    "schema_name": _schema_name,
    "schema_id": _schema_id,
    "object_id": _object_id,
    "object_name": _object_name,
    "objectproperty": _object_property,
    "object_schema_name": _object_schema_name,
    "suser_sname": _login,
    "suser_name": _login,
    "system_user": _login,
    "original_login": _login,
    "user_name": _user,
    "current_user": _user,
    "session_user": _user,
    "user": _user,
    "serverproperty": _server_property,
    "databasepropertyex": _database_property,
}
