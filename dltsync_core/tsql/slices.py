"""Reading in slices along a unique key: conditions for rows after a key and up to a key, and the key at a row position.

NULL sorts below every value, as ORDER BY puts it. Only the server compares: texts by the column's own collation, which is
the one it sorts by. Keys are sent as the server's own text and converted to exactly the column's type.
"""

from __future__ import annotations

from collections.abc import Sequence

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Parameter, Sql, Statement, join, sql, table
from dltsync_core.tsql.select import where
from dltsync_core.tsql.values import as_text, from_text

KeyText = tuple[str | None, ...]
"""One text per key column, None for NULL."""


def after_key(key: Sequence[ColumnFacts], values: KeyText) -> Sql:
    """The rows after this key, in key order."""
    terms = [join(" AND ", [*_equal(key, values, i), _greater(key[i], values[i])]) for i in range(len(key))]
    if len(terms) == 1:
        return terms[0]
    # The server seeks an index by a plain bound on the first column; with the alternatives alone it would scan.
    lead = [] if values[0] is None else [_compared(key[0], ">=", values[0])]
    return join(" AND ", [*lead, _either(terms)])


def upto_key(key: Sequence[ColumnFacts], values: KeyText) -> Sql:
    """The rows up to this key, inclusive."""
    last = len(key) - 1
    terms = []
    for i, column in enumerate(key):
        ends = _at_most(column, values[i]) if i == last else _less(column, values[i])
        if ends is not None:
            terms.append(join(" AND ", [*_equal(key, values, i), ends]))
    if len(key) == 1:
        return terms[0]
    return join(" AND ", [_at_most(key[0], values[0]), _either(terms)])


def key_at(name: TableName, key: Sequence[ColumnFacts], condition: Sql | None, position: int) -> Statement:
    """One row: the key of the `position`-th row (from 1) under the condition, in key order; none when there are fewer rows."""
    texts = [
        sql("{text} AS {alias}", text=as_text(column), alias=Identifier(f"dltsync_key_{i}"))
        for i, column in enumerate(key, start=1)
    ]
    return sql(
        "SELECT {texts}\nFROM {table} AS t{where}{order}\nOFFSET CAST({skipped} AS bigint) ROWS FETCH NEXT 1 ROWS ONLY",
        texts=join(", ", texts),
        table=table(name),
        where=where([condition]),
        order=in_key_order(key),
        skipped=Parameter(str(position - 1)),
    ).render()


def in_key_order(key: Sequence[ColumnFacts]) -> Sql:
    """ORDER BY, on a line of its own, by the columns of the table `t`: a bare name could be an alias of the same name."""
    return sql("\nORDER BY {columns}", columns=join(", ", [sql("t.{name}", name=Identifier(c.name)) for c in key]))


def _either(terms: Sequence[Sql]) -> Sql:
    return sql("({terms})", terms=join(" OR ", [sql("({term})", term=term) for term in terms]))


def _equal(key: Sequence[ColumnFacts], values: KeyText, count: int) -> list[Sql]:
    return [
        sql("{name} IS NULL", name=Identifier(column.name)) if value is None else _compared(column, "=", value)
        for column, value in zip(key[:count], values[:count], strict=True)
    ]


def _greater(column: ColumnFacts, value: str | None) -> Sql:
    if value is not None:
        return _compared(column, ">", value)
    return sql("{name} IS NOT NULL", name=Identifier(column.name))


def _less(column: ColumnFacts, value: str | None) -> Sql | None:
    """None: nothing is less than NULL."""
    return None if value is None else _or_null(column, _compared(column, "<", value))


def _at_most(column: ColumnFacts, value: str | None) -> Sql:
    if value is None:
        return sql("{name} IS NULL", name=Identifier(column.name))
    return _or_null(column, _compared(column, "<=", value))


def _or_null(column: ColumnFacts, condition: Sql) -> Sql:
    if not column.is_nullable:
        return condition
    return sql("({condition} OR {name} IS NULL)", condition=condition, name=Identifier(column.name))


def _compared(column: ColumnFacts, operator: str, value: str) -> Sql:
    name, exact = Identifier(column.name), from_text(column, value)
    if operator == ">":
        return sql("{name} > {exact}", name=name, exact=exact)
    if operator == ">=":
        return sql("{name} >= {exact}", name=name, exact=exact)
    if operator == "<":
        return sql("{name} < {exact}", name=name, exact=exact)
    if operator == "<=":
        return sql("{name} <= {exact}", name=name, exact=exact)
    return sql("{name} = {exact}", name=name, exact=exact)
