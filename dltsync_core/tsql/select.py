"""Reading rows and counting them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Sql, Statement, TypeName, join, sql, table
from dltsync_core.tsql.values import LONGEST_NVARCHAR, as_text
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, TableMapping

UNORDERED = Sql(())
_WITH_REMAINDER = frozenset({SourceForm.WITH_NANOSECONDS, SourceForm.CHECKED_MICROSECONDS, SourceForm.OPEN_END})
_BARE = _WITH_REMAINDER | {SourceForm.PLAIN}


def select_rows(name: TableName, mapping: TableMapping, condition: Sql | None, order: Sql = UNORDERED) -> Statement:
    """The mapped columns in order, then one remainder column for each of `remainder_columns`. `order` names the table `t`."""
    items = [_item(m) for m in mapping.columns]
    items += [
        sql(
            "DATEPART(nanosecond, {name}) % 1000 AS {alias}",
            name=Identifier(m.name),
            alias=Identifier(f"dltsync_remainder_{position}"),
        )
        for position, m in enumerate(remainder_columns(mapping), start=1)
    ]
    return sql(
        "SELECT {items}\nFROM {table}{where}{order}",
        items=join(",\n  ", items),
        table=sql("{table} AS t", table=table(name)) if order.parts else table(name),
        where=where([condition]),
        order=order,
    ).render()


def remainder_columns(mapping: TableMapping) -> list[ColumnMapping]:
    """The columns whose nanoseconds below the microsecond (0 to 900) are selected beside them, in order."""
    return [m for m in mapping.columns if m.source in _WITH_REMAINDER]


def count_rows(name: TableName, condition: Sql | None) -> Statement:
    """One row, one bigint."""
    return sql("SELECT COUNT_BIG(*) AS n\nFROM {table}{where}", table=table(name), where=where([condition])).render()


def count_replacements(name: TableName, columns: Sequence[ColumnMapping], condition: Sql | None) -> Statement:
    """One row: for each column, how often U+FFFD is really stored in it, as bigint; NULL for no rows."""
    counts = [
        sql(
            "SUM(CAST(DATALENGTH({text}) - DATALENGTH(REPLACE({text}, N'\ufffd', N'')) AS bigint)) / 2 AS {alias}",
            text=sql("x.{text}", text=Identifier(f"c{position}")),
            alias=Identifier(f"n{position}"),
        )
        for position, _ in enumerate(columns, start=1)
    ]
    # The texts in a derived table: that of a variant is a subquery, which no aggregate accepts (error 130).
    texts = [
        sql(
            "CAST({value} AS nvarchar(max)) COLLATE Latin1_General_100_BIN2 AS {alias}",
            value=as_text(m.column) if m.source.is_text else Identifier(m.name),
            alias=Identifier(f"c{position}"),
        )
        for position, m in enumerate(columns, start=1)
    ]
    return sql(
        "SELECT {counts}\nFROM (\n  SELECT {texts}\n  FROM {table}{where}) AS x",
        counts=join(",\n  ", counts),
        texts=join(",\n    ", texts),
        table=table(name),
        where=where([condition]),
    ).render()


def where(conditions: Iterable[Sql | None]) -> Sql:
    """A WHERE clause of the given conditions, on a line of its own; empty without any."""
    present = [c for c in conditions if c is not None]
    return sql("\nWHERE {all}", all=join(" AND ", present)) if present else Sql(())


def _item(mapping: ColumnMapping) -> Sql:
    if mapping.source in _BARE:
        return sql("{name}", name=Identifier(mapping.name))
    return sql("{expression} AS {name}", expression=_expression(mapping), name=Identifier(mapping.name))


def _expression(mapping: ColumnMapping) -> Sql:
    column, name = mapping.column, Identifier(mapping.name)
    if mapping.source.is_text:
        return as_text(column)
    if mapping.source is SourceForm.AS_WKB:
        return sql("{name}.AsBinaryZM()", name=name)
    if mapping.source is SourceForm.AS_WKT:
        return sql("{name}.AsTextZM()", name=name)
    if mapping.source is SourceForm.AS_BYTES and column.type_name == "ntext":
        return sql("CAST(CAST({name} AS nvarchar(max)) AS varbinary(max))", name=name)
    if mapping.source is SourceForm.AS_BYTES and column.type_name == "text":
        return sql("CAST(CAST({name} AS varchar(max)) AS varbinary(max))", name=name)
    return sql("CAST({name} AS {target})", name=name, target=TypeName(_cast_to(mapping)))


def _cast_to(mapping: ColumnMapping) -> str:
    """The type a column is cast to. A known size avoids the server's and the driver's slower handling of (max)."""
    column = mapping.column
    if mapping.source is SourceForm.AS_MAX:
        return "varbinary(max)" if column.type_name == "image" else "nvarchar(max)"
    if mapping.source is SourceForm.AS_BYTES:
        return "varbinary(max)" if column.max_length == -1 or column.is_clr else f"varbinary({column.max_length})"
    return f"nvarchar({column.max_length})" if 0 < column.max_length <= LONGEST_NVARCHAR else "nvarchar(max)"
