"""Checks of staged rows before any row changes: NOT NULL and lengths."""

from __future__ import annotations

from collections.abc import Sequence

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.model import MAX, SqlError
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.catalogue import Database, Table, TableColumn
from sqlserver_sandbox.tsql.types import UNICODE
from sqlserver_sandbox.tsql.values.texts import is_utf8

_SHOWN = 100
"""Characters of a truncated value that 2628 shows."""


def check_staged(
    execution: Execution, database: Database, table: Table, staged: Sequence[tuple[TableColumn, Bound]], action: str
) -> None:
    """515 and 2628. A query that is quickly planned says whether any row may be meant; only then it is found out which is."""
    tests: list[tuple[str, TableColumn, str]] = []
    suspicions: list[str] = []
    for column, bound in staged:
        if not column.nullable:
            tests.append((f"{bound.sql} IS NULL", column, "null"))
            suspicions.append(f"{bound.sql} IS NULL")
        length = _too_long(column, bound)
        if length is not None:
            tests.append((length, column, "length"))
            suspicions.append(_many_bytes(column, bound))
    if not tests or not execution.fetch(f"SELECT 1 FROM temp.main.stage WHERE {' OR '.join(suspicions)} LIMIT 1"):
        return
    found = execution.fetch(
        f"SELECT {', '.join(f'coalesce(bool_or({t}), false)' for t, _, _ in tests)} FROM temp.main.stage"
    )[0]
    for failed, (test, column, kind) in zip(found, tests, strict=True):
        if failed:
            raise _violation(execution, database, table, column, kind, test, action)


def _too_long(column: TableColumn, bound: Bound) -> str | None:
    declared = column.type
    if declared.length in (0, MAX):
        return None
    if declared.name in ("binary", "varbinary"):
        return f"octet_length({bound.sql}) > {declared.length}"
    if declared.name in UNICODE:
        return f"strlen({bound.sql}) > {declared.length} AND text_units(rtrim({bound.sql}, ' ')) > {declared.length}"
    measure = "strlen" if is_utf8(declared) else "length"
    return f"{measure}(rtrim({bound.sql}, ' ')) > {declared.length}"


def _many_bytes(column: TableColumn, bound: Bound) -> str:
    """True for every value that is too long: no unit of a length is less than a byte of UTF-8."""
    measure = "octet_length" if column.type.name in ("binary", "varbinary") else "strlen"
    return f"{measure}({bound.sql}) > {column.type.length}"


def _violation(
    execution: Execution, database: Database, table: Table, column: TableColumn, kind: str, test: str, action: str
) -> SqlError:
    name = f"{database.name}.{database.full_name(table)}"
    if kind == "null":
        return SqlError(
            515,
            f"Cannot insert the value NULL into column '{column.name}', table '{name}';"
            f" column does not allow nulls. {action} fails.",
            state=2,
        )
    shown = ""
    if column.type.name not in ("binary", "varbinary"):
        text = execution.scalar(f"SELECT {column.physical} FROM temp.main.stage WHERE {test} LIMIT 1")
        shown = str(text)[: min(column.type.length, _SHOWN)]
    return SqlError(
        2628,
        f"String or binary data would be truncated in table '{name}', column '{column.name}'. Truncated value: '{shown}'.",
    )
