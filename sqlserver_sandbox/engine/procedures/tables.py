"""sp_databases and sp_tables."""

from __future__ import annotations

from typing import Any

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.procedures.declaration import Rows, as_columns
from sqlserver_sandbox.engine.procedures.lookup import find_tables, matches
from sqlserver_sandbox.engine.sysviews.registry import VIEWS


def databases(execution: Execution, values: dict[str, Any]) -> Rows:
    return as_columns("DATABASE_NAME name?, DATABASE_SIZE int?, REMARKS v(254)?"), [
        (d.name, None, None) for d in execution.catalogue.databases()
    ]


def tables(execution: Execution, values: dict[str, Any]) -> Rows:
    """Tables and system views by pattern, or (ODBC's special cases) all databases, schemas or table types."""
    columns = as_columns(
        "TABLE_QUALIFIER name?, TABLE_OWNER name?, TABLE_NAME name?, TABLE_TYPE v(32)?, REMARKS v(254)?"
    )
    name, owner, qualifier, kinds = (values[k] for k in ("table_name", "table_owner", "table_qualifier", "table_type"))
    if name == "" and owner == "" and qualifier == "%":
        return columns, [(d.name, None, None, None, None) for d in execution.catalogue.databases()]
    if name == "" and qualifier == "" and owner == "%":
        schemas = [*sorted(s.name for s in execution.database.schemas), "INFORMATION_SCHEMA", "sys"]
        return columns, [(None, s, None, None, None) for s in schemas]
    if name == "" and owner == "" and qualifier == "" and kinds == "%":
        return columns, [(None, None, None, k, None) for k in ("SYSTEM TABLE", "TABLE", "VIEW")]
    wanted = {k.strip(" '").upper() for k in kinds.split(",")} if kinds else {"TABLE", "VIEW"}
    rows: list[tuple[Any, ...]] = []
    if "TABLE" in wanted:
        rows += [
            (d.name, schema, t.name, "TABLE", None)
            for d, schema, t in find_tables(execution, values, exact=values["fusepattern"] == 0)
        ]
    if "VIEW" in wanted:
        for view in VIEWS:
            schema, _, plain = view.partition(".")
            shown = (schema.upper(), plain.upper()) if schema == "information_schema" else (schema, plain)
            if matches(owner, shown[0]) and matches(name, shown[1]):
                rows.append((execution.database.name, *shown, "VIEW", None))
    return columns, sorted(rows, key=lambda r: (r[3], r[0].lower(), r[1].lower(), r[2].lower()))
