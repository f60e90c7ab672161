"""The temporary table that rows are staged in, and how staged values become stored ones."""

from __future__ import annotations

from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.catalogue import Table, TableColumn

STAGE = "temp.main.stage"
"""Each column under its own physical name; UPDATE and DELETE add `rid`, the row it replaces."""


def stored_sql(bound: Bound, column: TableColumn) -> str:
    """The staged value cut or padded to the column, after the checks."""
    return convert(bound, column.type, explicit=True).sql


def rowversion_sql(first: int) -> str:
    """The rowversion of each staged row, counted from `first`."""
    return f"unhex(lpad(hex({first} - 1 + row_number() OVER ()), 16, '0'))"


def identity_counter(table: Table) -> str:
    """The name of the counter of the table's identity column."""
    return f"identity:{table.object_id}"
