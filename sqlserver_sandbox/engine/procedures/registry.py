"""The table from a system procedure's name to what runs it, and its call. 2812 for what is not in it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pyarrow as pa

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.procedures import application_locks, columns, datatype_info, keys, sandbox, tables
from sqlserver_sandbox.engine.procedures.declaration import CodeProcedure, Procedure
from sqlserver_sandbox.model import Column, Outcome, Parameter, ResultSet, RowsAffected, SqlError
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.values.storage import arrow_type, from_arrow

PROCEDURES: dict[str, Procedure | CodeProcedure] = {
    "sp_datatype_info": Procedure(("data_type", "odbcver"), datatype_info.datatype_info),
    "sp_datatype_info_100": Procedure(("data_type", "odbcver"), datatype_info.datatype_info),
    "sp_databases": Procedure((), tables.databases),
    "sp_tables": Procedure(
        ("table_name", "table_owner", "table_qualifier", "table_type", "fusepattern"), tables.tables
    ),
    "sp_columns": Procedure(
        ("table_name", "table_owner", "table_qualifier", "column_name", "odbcver"), columns.columns
    ),
    "sp_columns_100": Procedure(
        ("table_name", "table_owner", "table_qualifier", "column_name", "namescope", "odbcver", "fusepattern"),
        columns.columns_100,
    ),
    "sp_pkeys": Procedure(("table_name", "table_owner", "table_qualifier"), keys.primary_keys),
    "sp_statistics": Procedure(
        ("table_name", "table_owner", "table_qualifier", "index_name", "is_unique", "accuracy"),
        keys.statistics,
    ),
    "sp_statistics_100": Procedure(
        ("table_name", "table_owner", "table_qualifier", "index_name", "is_unique", "accuracy"),
        keys.statistics,
    ),
    "sp_special_columns": Procedure(
        ("table_name", "table_owner", "table_qualifier", "col_type", "scope", "nullable", "odbcver"),
        keys.special_columns,
    ),
    "sp_special_columns_100": Procedure(
        ("table_name", "table_owner", "table_qualifier", "col_type", "scope", "nullable", "odbcver"),
        keys.special_columns,
    ),
    "sp_tablecollations_100": Procedure(("object",), columns.table_collations),
    "sp_getapplock": CodeProcedure(
        ("resource", "lockmode", "lockowner", "locktimeout", "dbprincipal"), application_locks.get_lock
    ),
    "sp_releaseapplock": CodeProcedure(("resource", "lockowner", "dbprincipal"), application_locks.release_lock),
    "sandbox_faults": Procedure(("plan",), sandbox.faults),
    "sandbox_features": CodeProcedure(("table", "features"), sandbox.features),
    "sandbox_copy": CodeProcedure(("database",), sandbox.copy),
    "sandbox_canned": Procedure(("tin",), sandbox.canned),
}
_OFF_LIST = frozenset(
    {
        "sp_rename",
        "sp_help",
        "sp_helptext",
        "sp_who",
        "sp_configure",
        "sp_addextendedproperty",
    }
)


def call(
    execution: Execution, name: str, arguments: list[tuple[str, Parameter]], *, database: str = ""
) -> Generator[Outcome, None, int]:
    """Run one. Its rows come as one result, and its return code as the generator's; raises 2812, 8144, 8145 as EXEC does."""
    plain = name.rpartition(".")[2].strip("[]").lower()
    procedure = PROCEDURES.get(plain)
    if procedure is None:
        if plain in _OFF_LIST:
            raise refused(f"the procedure {plain}")
        raise SqlError(2812, f"Could not find stored procedure '{name}'.", state=62)
    values = _values(plain, procedure, arguments)
    session = execution.session
    home = session.database_id
    if database:
        found = session.store.find(database)
        if found is None:
            raise SqlError(2812, f"Could not find stored procedure '{database}..{name}'.", state=62)
        session.database_id = found
    try:
        inner = execution.nested("", {})
        if isinstance(procedure, CodeProcedure):
            code = procedure.run(inner, values)
            yield RowsAffected(None)
            return code
        result, rows = procedure.run(inner, values)
    finally:
        session.database_id = home
        for _ in session.transaction.end_statement():
            pass
    session.rowcount = len(rows)
    yield ResultSet(result, iter((_record_batch(result, rows),)))
    yield RowsAffected(None)
    return 0


def _values(name: str, procedure: Procedure | CodeProcedure, arguments: list[tuple[str, Parameter]]) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(procedure.parameters)
    for position, (argument, parameter) in enumerate(arguments):
        key = argument.lower().lstrip("@")
        if not key:
            if position >= len(procedure.parameters):
                raise SqlError(8144, f"Procedure or function {name} has too many arguments specified.")
            key = procedure.parameters[position]
        if key not in values:
            raise SqlError(8145, f"@{key} is not a parameter for procedure {name}.")
        values[key] = from_arrow(parameter.value, parameter.type)
    return values


def _record_batch(columns: tuple[Column, ...], rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows of plain values as one batch in the columns' Arrow forms."""
    names = [f"c{i}" for i in range(1, len(columns) + 1)]
    arrays = [pa.array([row[i] for row in rows], arrow_type(column.type)) for i, column in enumerate(columns)]
    return pa.RecordBatch.from_arrays(arrays, names=names)
