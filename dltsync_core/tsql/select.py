"""Reading rows and counting them."""

from __future__ import annotations

from collections.abc import Iterable

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Sql, Statement, join, sql, table
from dltsync_core.tsql.values import as_text
from dltsync_core.typemap.mapping import ColumnMapping, SourceForm, TableMapping

_TEXT_OF = {"xml": "nvarchar(max)", "ntext": "nvarchar(max)", "text": "varchar(max)", "image": "varbinary(max)"}
UNORDERED = Sql(())
_WITH_REMAINDER = {SourceForm.WITH_NANOSECONDS, SourceForm.CHECKED_MICROSECONDS}


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


def where(conditions: Iterable[Sql | None]) -> Sql:
    """A WHERE clause of the conditions there are, on a line of its own; nothing when there are none."""
    present = [c for c in conditions if c is not None]
    return sql("\nWHERE {all}", all=join(" AND ", present)) if present else Sql(())


def _item(mapping: ColumnMapping) -> Sql:
    name = Identifier(mapping.name)
    if mapping.source is SourceForm.SERVER_TEXT:
        return sql("{text} AS {name}", text=as_text(mapping.column), name=name)
    if mapping.source is SourceForm.AS_MAX:
        return sql("{cast} AS {name}", cast=_as_max(mapping), name=name)
    return sql("{name}", name=name)


def _as_max(mapping: ColumnMapping) -> Sql:
    from_name = Identifier(mapping.name)
    if _TEXT_OF[mapping.column.type_name] == "nvarchar(max)":
        return sql("CAST({name} AS nvarchar(max))", name=from_name)
    if _TEXT_OF[mapping.column.type_name] == "varchar(max)":
        return sql("CAST({name} AS varchar(max))", name=from_name)
    return sql("CAST({name} AS varbinary(max))", name=from_name)
