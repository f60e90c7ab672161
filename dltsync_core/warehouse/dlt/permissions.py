"""What a login lacks in a PostgreSQL that dlt loads, as GRANT statements."""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.warehouse.dlt.connection import Session
from dltsync_core.warehouse.dlt.dialect import PostgresSql

_WHO = "SELECT current_user, current_database(), has_database_privilege(current_database(), 'CREATE')"
_SCHEMA = "SELECT has_schema_privilege(oid, 'USAGE'), has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = %s"


def missing_grants(session: Session, schemas: Sequence[str]) -> list[tuple[str, str]] | None:
    """What is missing, each with its statement; None for a database that dltsync does not know how to ask. Each load makes a
    schema of its own for what it brings in, so CREATE on the database is always needed."""
    dialect = session.dialect
    if not isinstance(dialect, PostgresSql):
        return None
    ((user, database, creates),) = session.run(_WHO)
    to = dialect.identifier(str(user))
    found: list[tuple[str, str]] = []
    if not creates:
        statement = f"GRANT CREATE ON DATABASE {dialect.identifier(str(database))} TO {to}"
        found.append((f"CREATE on the database {database}: each load makes a schema for its staging tables", statement))
    for schema in schemas:
        for uses, makes in session.run(_SCHEMA, schema):
            if not (uses and makes):
                statement = f"GRANT USAGE, CREATE ON SCHEMA {dialect.identifier(schema)} TO {to}"
                found.append((f"USAGE and CREATE on the schema {schema}", statement))
    return found
