"""Constraints of warehouse tables: trusted ones, so that the server draws conclusions from them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import TableName
from dltsync_core.ranges import Boundary, PartitionRange
from dltsync_core.tsql.fragments import (
    CatalogText,
    Identifier,
    Literal,
    Sql,
    Statement,
    join,
    sql,
    table,
)
from dltsync_core.tsql.warehouse.tables import column_names, constraint_name

_OPERATORS = {">=": sql(">="), ">": sql(">"), "<": sql("<"), "<=": sql("<=")}
_NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint", "decimal", "numeric"})
_PROVEN_TYPES = _NUMBERS | {"date", "datetime", "smalldatetime", "datetime2", "nchar", "nvarchar"}


def add_check(name: TableName, definition: str, *, named: str | None = None) -> Statement:
    """A trusted CHECK constraint (`named` None: with a name of the server's choice): the rows that are there are checked.
    `definition` is the catalogue's text of another table's constraint."""
    return sql(
        "ALTER TABLE {table} WITH CHECK ADD {named}CHECK {condition};",
        table=table(name),
        named=constraint_name(named),
        condition=CatalogText(definition),
    ).render()


def drop_constraint(name: TableName, constraint: str) -> Statement:
    """Drop a constraint or key by its name."""
    return sql("ALTER TABLE {table} DROP CONSTRAINT {name};", table=table(name), name=Identifier(constraint)).render()


def add_range_check(name: TableName, column: ColumnFacts, range_: PartitionRange) -> Statement:
    """A trusted CHECK constraint that proves that the rows lie within a partition, in the form that SQL Server draws conclusions
    from: the bare column, plain constants, the partition's own operators. Raises ValueError for a range that needs none, or that
    cannot be proven."""
    conditions = []
    lower, upper = (">=", "<") if range_.side == "right" else (">", "<=")
    for boundary, operator in ((range_.lower, lower), (range_.upper, upper)):
        if boundary is not None:
            conditions.append(
                sql("{c} {op} {v}", c=Identifier(column.name), op=_OPERATORS[operator], v=_constant(column, boundary))
            )
    if not conditions:
        raise ValueError("a table with one partition needs no proof")
    if column.is_nullable and not range_.holds_null:
        conditions.insert(0, sql("{c} IS NOT NULL", c=Identifier(column.name)))
    return sql(
        "ALTER TABLE {table} WITH CHECK ADD CHECK ({conditions});",
        table=table(name),
        conditions=join(" AND ", conditions),
    ).render()


def can_be_proven(column: ColumnFacts, range_: PartitionRange) -> bool:
    """Whether `add_range_check` proves the range: for types whose constants compare as the column's values do."""
    texts = [boundary.text for boundary in (range_.lower, range_.upper) if boundary is not None]
    return None not in texts and column.type_name in _PROVEN_TYPES


def add_foreign_key(
    name: TableName,
    columns: Sequence[str],
    referenced: TableName,
    referenced_columns: Sequence[str],
    *,
    named: str | None = None,
) -> Statement:
    """A trusted foreign key (`named` None: with a name of the server's choice): the rows that are there are checked."""
    return sql(
        "ALTER TABLE {table} WITH CHECK ADD {named}FOREIGN KEY ({columns}) REFERENCES {referenced} ({others});",
        table=table(name),
        named=constraint_name(named),
        columns=column_names(columns),
        referenced=table(referenced),
        others=column_names(referenced_columns),
    ).render()


def _constant(column: ColumnFacts, boundary: Boundary) -> Sql:
    text = boundary.text
    if text is None or column.type_name not in _PROVEN_TYPES:
        raise ValueError(f"a range of {column.name} cannot be proven by a constraint")
    return sql("{v}", v=Literal(Decimal(text) if column.type_name in _NUMBERS else text))
