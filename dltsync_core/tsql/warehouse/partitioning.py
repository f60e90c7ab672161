"""Partition functions and schemes of the warehouse: made, and extended by new boundaries."""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.ranges import Boundary, Side
from dltsync_core.tsql.fragments import (
    CollationName,
    Identifier,
    Literal,
    Sql,
    Statement,
    TypeName,
    inlined,
    join,
    sql,
)
from dltsync_core.tsql.values import from_text

_NOTHING = Sql(())


def create_partition_function(
    name: str, column: ColumnFacts, type_name: str, side: Side, boundaries: Sequence[Boundary]
) -> Statement:
    """A function with these boundaries, for values of `type_name`, the column's declared type."""
    return sql(
        "CREATE PARTITION FUNCTION {name} ({type}{collation}) AS RANGE {side} FOR VALUES ({values});",
        name=Identifier(name),
        type=TypeName(type_name),
        collation=sql(" COLLATE {c}", c=CollationName(column.collation)) if column.collation else _NOTHING,
        side=sql("RIGHT") if side == "right" else sql("LEFT"),
        values=join(", ", [boundary_literal(column, boundary) for boundary in boundaries]),
    ).render()


def create_partition_scheme(name: str, function: str, filegroup: str) -> Statement:
    """A scheme that keeps all partitions in one filegroup."""
    return sql(
        "CREATE PARTITION SCHEME {name} AS PARTITION {function} ALL TO ({filegroup});",
        name=Identifier(name),
        function=Identifier(function),
        filegroup=Identifier(filegroup),
    ).render()


def set_next_used(scheme: str, filegroup: str) -> Statement:
    """Where the next new partition goes. A SPLIT uses it up, and every scheme on the function needs one (7710)."""
    return sql(
        "ALTER PARTITION SCHEME {scheme} NEXT USED {filegroup};",
        scheme=Identifier(scheme),
        filegroup=Identifier(filegroup),
    ).render()


def split_range(function: str, column: ColumnFacts, boundary: Boundary) -> Statement:
    """A new boundary. For an empty partition this changes the catalogue only."""
    return sql(
        "ALTER PARTITION FUNCTION {function}() SPLIT RANGE ({value});",
        function=Identifier(function),
        value=boundary_literal(column, boundary),
    ).render()


def merge_range(function: str, column: ColumnFacts, boundary: Boundary) -> Statement:
    """A boundary taken away. Between empty partitions this changes the catalogue only."""
    return sql(
        "ALTER PARTITION FUNCTION {function}() MERGE RANGE ({value});",
        function=Identifier(function),
        value=boundary_literal(column, boundary),
    ).render()


def partition_number(function: str, column: ColumnFacts, boundary: Boundary) -> Statement:
    """One row: the number of the partition that holds a value."""
    value = sql("NULL") if boundary.text is None else from_text(column, boundary.text)
    return sql(
        "SELECT $PARTITION.{function}({value}) AS n", function=Identifier(function), value=inlined(value)
    ).render()


def boundary_literal(column: ColumnFacts, boundary: Boundary) -> Sql:
    """A boundary as partition DDL takes it: a constant, which the server converts to the parameter's type. Dates are read as in
    us_english there, whatever the session's language is, so ISO text is unambiguous."""
    text = boundary.text
    if text is not None and column.type_name in {"binary", "varbinary"}:
        return sql("{value}", value=Literal(bytes.fromhex(text[2:])))
    return sql("{value}", value=Literal(text))
