"""Probes: cheap queries that show whether a table changed since the last commit."""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Sql, Statement, join, sql, table
from dltsync_core.tsql.select import where
from dltsync_core.tsql.values import from_text


def slot_number(function: str, column: ColumnFacts) -> Sql:
    """The number of the slot of a row; also correct for NULL."""
    return sql("$PARTITION.{function}({column})", function=Identifier(function), column=Identifier(column.name))


def count_by_slot(name: TableName, slot: Sql, condition: Sql | None = None) -> Statement:
    """One row per slot that has rows of the condition (None: all): slot, n."""
    return sql(
        "SELECT {slot} AS slot, COUNT_BIG(*) AS n\nFROM {table}{where}\nGROUP BY {slot}",
        slot=slot,
        table=table(name),
        where=where([condition]),
    ).render()


def rowversion_by_slot(name: TableName, slot: Sql, rowversion: ColumnFacts, condition: Sql | None = None) -> Statement:
    """One row per slot that has rows of the condition (None: all): slot, n, total, high, stamped.

    `stamped` is in how many rows the column is not NULL. `total` is the sum of all rowversions: it grows with every change, also
    with one whose rowversion is below the maximum because its transaction committed late.
    """
    column = Identifier(rowversion.name)
    return sql(
        "SELECT x.slot AS slot, COUNT_BIG(*) AS n,\n"
        "  CONVERT(varchar(50), SUM(CAST(CAST(x.rv AS bigint) AS decimal(38,0)))) AS total,\n"
        "  CONVERT(varchar(18), MAX(x.rv), 1) AS high, COUNT_BIG(x.rv) AS stamped\n"
        "FROM (\n"
        "    SELECT {slot} AS slot, CONVERT(binary(8), {column}) AS rv\n"
        "    FROM {table}{where}) AS x\n"
        "GROUP BY x.slot",
        slot=slot,
        column=column,
        table=table(name),
        where=where([condition]),
    ).render()


def rowversions(name: TableName, column: ColumnFacts, ceiling: str) -> Statement:
    """One row: n (all rows), high (the largest rowversion below `ceiling`, NULL without one), stamped (rows whose rowversion is
    not NULL), above and total (how many rowversions lie at or above the ceiling, and their sum as text, NULL for none)."""
    limit = from_text(column, ceiling)
    return sql(
        "SELECT COUNT_BIG(*) AS n,\n"
        "  CONVERT(varchar(18), MAX(CASE WHEN x.rv < {limit} THEN x.rv END), 1) AS high, COUNT_BIG(x.rv) AS stamped,\n"
        "  COUNT_BIG(CASE WHEN x.rv >= {limit} THEN x.rv END) AS above,\n"
        "  CONVERT(varchar(50), SUM(CASE WHEN x.rv >= {limit} THEN CAST(CAST(x.rv AS bigint) AS decimal(38,0)) END)) AS total\n"
        "FROM (\n"
        "    SELECT CONVERT(binary(8), {column}) AS rv\n"
        "    FROM {table}) AS x",
        limit=limit,
        column=Identifier(column.name),
        table=table(name),
    ).render()


def checksum_table(name: TableName, columns: Sequence[ColumnFacts]) -> Statement:
    """One row: n, and the CHECKSUM_AGG of BINARY_CHECKSUM over the columns as text. Weak: equal results prove nothing."""
    return sql(
        "SELECT COUNT_BIG(*) AS n, CONVERT(varchar(20), CHECKSUM_AGG(BINARY_CHECKSUM({columns}))) AS s1\nFROM {table}",
        columns=join(", ", [Identifier(c.name) for c in columns]),
        table=table(name),
    ).render()
