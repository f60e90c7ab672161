"""Names of objects and constraints: which are taken, and which the server makes up."""

from __future__ import annotations

import hashlib

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.catalogue import Database, Table


def constraint_names(table: Table) -> set[str]:
    """The names of the table's constraints, lower case: they are objects of its schema."""
    names = [i.name or "" for i in table.indexes if i.key_kind]
    names += [c.default.name for c in table.columns if c.default]
    names += [c.name for c in table.constraints]
    return {name.lower() for name in names}


def check_free(database: Database, schema_id: int, name: str, line: int) -> None:
    """2714 when an object of that name is there."""
    for table in database.tables:
        if table.schema_id == schema_id and name.lower() in {table.name.lower(), *constraint_names(table)}:
            raise SqlError(2714, f"There is already an object named '{name}' in the database.", state=6, line=line)


def check_constraint_name(database: Database, table: Table, name: str) -> None:
    """2714 when a table or constraint of that name is in the schema, or on the table itself."""
    for other in (*database.tables, table):
        if other.schema_id == table.schema_id and name.lower() in {other.name.lower(), *constraint_names(other)}:
            raise SqlError(2714, f"There is already an object named '{name}' in the database.", state=5)


def system_name(prefix: str, stem: str, object_id: int) -> str:
    """A name as SQL Server makes one up for an unnamed constraint."""
    digest = hashlib.sha256(f"{prefix}{stem}{object_id}".encode()).hexdigest()
    return f"{prefix}__{stem}__{digest[: 8 if prefix != 'PK' and prefix != 'UQ' else 16].upper()}"
