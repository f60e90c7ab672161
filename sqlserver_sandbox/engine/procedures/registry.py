"""System procedures by name. 2812 for what is not on the list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sqlserver_sandbox.engine.procedures import catalogue as catalogue_procedures
from sqlserver_sandbox.engine.procedures import datatype_info as type_info
from sqlserver_sandbox.engine.testing import canned, fault_control
from sqlserver_sandbox.model import Column, Outcome, Parameter, ResultSet, RowsAffected, SqlError
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.values.storage import arrow_type, from_arrow

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.session import DuckDbSession

Rows = tuple[tuple[Column, ...], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Procedure:
    """`parameters` are the names in order, without @; `run` gets their values by name, None when not passed."""

    parameters: tuple[str, ...]
    run: Callable[[DuckDbSession, dict[str, Any]], Rows]


_PROCEDURES: dict[str, Procedure] = {
    "sp_datatype_info": Procedure(("data_type", "odbcver"), type_info.datatype_info),
    "sp_datatype_info_100": Procedure(("data_type", "odbcver"), type_info.datatype_info),
    "sp_databases": Procedure((), catalogue_procedures.databases),
    "sp_tables": Procedure(
        ("table_name", "table_owner", "table_qualifier", "table_type", "fusepattern"), catalogue_procedures.tables
    ),
    "sp_columns": Procedure(
        ("table_name", "table_owner", "table_qualifier", "column_name", "odbcver"), catalogue_procedures.columns
    ),
    "sp_columns_100": Procedure(
        ("table_name", "table_owner", "table_qualifier", "column_name", "namescope", "odbcver", "fusepattern"),
        catalogue_procedures.columns_100,
    ),
    "sp_pkeys": Procedure(("table_name", "table_owner", "table_qualifier"), catalogue_procedures.primary_keys),
    "sp_statistics": Procedure(
        ("table_name", "table_owner", "table_qualifier", "index_name", "is_unique", "accuracy"),
        catalogue_procedures.statistics,
    ),
    "sp_statistics_100": Procedure(
        ("table_name", "table_owner", "table_qualifier", "index_name", "is_unique", "accuracy"),
        catalogue_procedures.statistics,
    ),
    "sp_special_columns": Procedure(
        ("table_name", "table_owner", "table_qualifier", "col_type", "scope", "nullable", "odbcver"),
        catalogue_procedures.special_columns,
    ),
    "sp_special_columns_100": Procedure(
        ("table_name", "table_owner", "table_qualifier", "col_type", "scope", "nullable", "odbcver"),
        catalogue_procedures.special_columns,
    ),
    "sp_tablecollations_100": Procedure(("object",), catalogue_procedures.table_collations),
    "sandbox_faults": Procedure(("plan",), fault_control.run),
    "sandbox_canned": Procedure(("tin",), canned.run),
}
NAMES = frozenset(_PROCEDURES)
_OFF_LIST = frozenset(
    {
        "sp_getapplock",
        "sp_releaseapplock",
        "sp_rename",
        "sp_help",
        "sp_helptext",
        "sp_who",
        "sp_configure",
        "sp_addextendedproperty",
    }
)


def call(
    session: DuckDbSession, name: str, arguments: list[tuple[str, Parameter]], *, database: str = ""
) -> Iterator[Outcome]:
    """Run one. Its rows come as one result; raises 2812, 8144, 8145 as EXEC does."""
    plain = name.rpartition(".")[2].strip("[]").lower()
    procedure = _PROCEDURES.get(plain)
    if procedure is None:
        if plain in _OFF_LIST:
            raise refused(f"the procedure {plain}")
        raise SqlError(2812, f"Could not find stored procedure '{name}'.", state=62)
    values = _values(plain, procedure, arguments)
    home = session.database_id
    if database:
        found = session.store.find(database)
        if found is None:
            raise SqlError(2812, f"Could not find stored procedure '{database}..{name}'.", state=62)
        session.use(found)
    try:
        columns, rows = procedure.run(session, values)
    finally:
        session.use(home)
        for _ in session.transaction.end_statement():
            pass
    session.rowcount = len(rows)
    yield ResultSet(columns, iter((record_batch(columns, rows),)))
    yield RowsAffected(None)


def _values(name: str, procedure: Procedure, arguments: list[tuple[str, Parameter]]) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(procedure.parameters)
    for place, (argument, parameter) in enumerate(arguments):
        key = argument.lower().lstrip("@")
        if not key:
            if place >= len(procedure.parameters):
                raise SqlError(8144, f"Procedure or function {name} has too many arguments specified.")
            key = procedure.parameters[place]
        if key not in values:
            raise SqlError(8145, f"@{key} is not a parameter for procedure {name}.")
        values[key] = from_arrow(parameter.value, parameter.type)
    return values


def record_batch(columns: tuple[Column, ...], rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows of plain values as one batch in the columns' Arrow forms."""
    names = [f"c{i}" for i in range(1, len(columns) + 1)]
    arrays = [pa.array([row[i] for row in rows], arrow_type(column.type)) for i, column in enumerate(columns)]
    return pa.RecordBatch.from_arrays(arrays, names=names)
