"""Figures of a table or of each of its slots, in one pass: rows, NULLs, exact sums, the least and the greatest date or time."""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Literal, Sql, Statement, join, sql, table
from dltsync_core.tsql.select import where
from dltsync_core.tsql.values import as_text
from dltsync_core.typemap.column_stats import HALF_DIGITS, Figure, StatsColumn

_NEVER_NULL = sql("0")
_ZEROS = sql("'0000000000000000000'")


def summarise(
    name: TableName, columns: Sequence[StatsColumn], condition: Sql | None, slot: Sql | None = None
) -> Statement:
    """One row, or with `slot` one per slot that has rows: slot (when given), n, then every figure in order."""
    items = [sql("COUNT_BIG(*) AS n")]
    figures = [(column, figure) for column in columns for figure in column.figures]
    items += [
        sql("{value} AS {alias}", value=_figure(column, figure), alias=Identifier(f"f{position}"))
        for position, (column, figure) in enumerate(figures, start=1)
    ]
    if slot is not None:
        items.insert(0, sql("{slot} AS slot", slot=slot))
    return sql(
        "SELECT {items}\nFROM {table}{where}{group}",
        items=join(",\n  ", items),
        table=table(name),
        where=where([condition]),
        group=sql("\nGROUP BY {slot}", slot=slot) if slot is not None else Sql(()),
    ).render()


def _figure(column: StatsColumn, figure: Figure) -> Sql:
    name = Identifier(column.name)
    if figure is Figure.NULLS:
        if not column.column.is_nullable:
            return _NEVER_NULL
        # Not COUNT of the column, which several types refuse.
        return sql("SUM(CAST(CASE WHEN {name} IS NULL THEN 1 ELSE 0 END AS bigint))", name=name)
    if figure is Figure.TOTAL:
        scale = Literal(column.scale)
        return sql("CONVERT(varchar(50), SUM(CAST({name} AS decimal(38,{scale}))))", name=name, scale=scale)
    if figure in {Figure.LOW, Figure.HIGH}:
        return _extreme(column, figure)
    return _half(column, figure)


def _half(column: StatsColumn, figure: Figure) -> Sql:
    """By its digits: no arithmetic of the server preserves all 38 of them and their scale."""
    half = Literal(HALF_DIGITS)
    digits = sql("REPLACE(REPLACE({text}, '-', ''), '.', '')", text=as_text(column.column))
    # Zeros in front of it, as many as a half has: without the last half, so many characters are left as it has digits.
    part = (
        sql("SUBSTRING({zeros} + {digits}, 1, DATALENGTH({digits}))", zeros=_ZEROS, digits=digits)
        if figure is Figure.TOTAL_HIGH
        # Positions before the first one are empty: of fewer digits these are all.
        else sql("SUBSTRING({digits}, DATALENGTH({digits}) - {half} + 1, {half})", digits=digits, half=half)
    )
    return sql(
        "CONVERT(varchar(50), SUM(CASE WHEN {text} LIKE '-%' THEN -1 ELSE 1 END * CAST({part} AS decimal({half},0))))",
        text=as_text(column.column),
        part=part,
        half=half,
    )


def _extreme(column: StatsColumn, figure: Figure) -> Sql:
    facts, name = column.column, Identifier(column.name)
    if column.ordered_as_text:
        operand = sql("{text} COLLATE Latin1_General_100_BIN2", text=as_text(facts))
        return sql("MIN({x})", x=operand) if figure is Figure.LOW else sql("MAX({x})", x=operand)
    value = sql("MIN({x})", x=name) if figure is Figure.LOW else sql("MAX({x})", x=name)
    return as_text(facts, value)
