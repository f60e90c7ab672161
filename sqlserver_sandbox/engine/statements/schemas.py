"""CREATE SCHEMA and DROP SCHEMA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue, save
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import Schema

_SYSTEM_SCHEMAS = ("dbo", "sys", "information_schema", "guest")


def create_schema(execution: Execution, node: s.CreateSchema) -> Iterator[Outcome]:
    database = change_catalogue(execution)
    execution.access.check_database(database, "CREATE SCHEMA", node.line)
    if node.name.lower() in _SYSTEM_SCHEMAS or database.schema(node.name) is not None:
        raise SqlError(
            2714, f"There is already an object named '{node.name}' in the database.", state=6, line=node.line
        )
    owner = node.owner or execution.access.user_name(database) or "dbo"
    if owner.lower() != "dbo" and not any(u.name.lower() == owner.lower() for u in database.users):
        raise SqlError(
            15151,
            f"Cannot find the user '{owner}', because it does not exist or you do not have permission.",
            line=node.line,
        )
    schema = Schema(database.next_schema_id, node.name, owner)
    save(
        execution,
        replace(database, schemas=(*database.schemas, schema), next_schema_id=database.next_schema_id + 1),
    )
    yield RowsAffected(None, DDL)


def drop_schema(execution: Execution, node: s.DropSchema) -> Iterator[Outcome]:
    database = change_catalogue(execution)
    schema = database.schema(node.name)
    if schema is None or not execution.access.holds(database, "CONTROL", schema):
        if node.if_exists:
            yield RowsAffected(None, DDL)
            return
        raise SqlError(
            15151,
            f"Cannot drop the schema '{node.name}', because it does not exist or you do not have permission.",
            line=node.line,
        )
    if node.name.lower() in _SYSTEM_SCHEMAS:
        raise SqlError(15150, f"Cannot drop the schema '{node.name}'.", line=node.line)
    blocker = next((t for t in database.tables if t.schema_id == schema.schema_id), None)
    if blocker is not None:
        raise SqlError(
            3729,
            f"Cannot drop schema '{node.name}' because it is being referenced by object '{blocker.name}'.",
            line=node.line,
        )
    save(
        execution,
        replace(database, schemas=tuple(x for x in database.schemas if x.schema_id != schema.schema_id)),
    )
    yield RowsAffected(None, DDL)
