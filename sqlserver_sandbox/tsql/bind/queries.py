"""SELECT as DuckDB text: output columns are always named c1, c2, … and carry their declared types beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind import outputs, setops, sources
from sqlserver_sandbox.tsql.bind.aggregates import AGGREGATES, order_item
from sqlserver_sandbox.tsql.bind.arguments import known_int
from sqlserver_sandbox.tsql.bind.binder import Binder, Grouping
from sqlserver_sandbox.tsql.bind.bound import Bound, BoundQuery
from sqlserver_sandbox.tsql.bind.comparison import equality_key
from sqlserver_sandbox.tsql.bind.context import Context
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.refusal import refused


@dataclass(frozen=True)
class QueryBinder:
    """Binds queries of one statement. `ctes` are the common tables in reach, bound anew at each use, as SQL Server does."""

    context: Context
    ctes: Mapping[str, s.CommonTable] = field(default_factory=dict)
    expanding: tuple[str, ...] = ()

    def query(self, node: s.Query, outer: Scope | None = None, *, top_level: bool = False) -> BoundQuery:
        """A whole query. Raises 1033 for an ORDER BY that a derived table cannot keep."""
        here = self._with_ctes(node.ctes)
        body = node.body
        if isinstance(body, s.Query):
            if node.order:
                raise refused("ORDER BY on a parenthesised query")
            return here.query(body, outer, top_level=top_level)
        if isinstance(body, s.SetOperation):
            return setops.bind_set_operation(here, node, body, outer, top_level=top_level)
        if node.order and not top_level and body.top is None and node.offset is None:
            raise SqlError(
                1033,
                "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table"
                " expressions, unless TOP, OFFSET or FOR XML is also specified.",
                class_=15,
            )
        return here._select(node, body, outer)

    def _with_ctes(self, ctes: tuple[s.CommonTable, ...]) -> QueryBinder:
        if not ctes:
            return self
        return replace(self, ctes={**self.ctes, **{c.name.lower(): c for c in ctes}})

    def inside(self, ctes: Mapping[str, s.CommonTable], name: str) -> QueryBinder:
        return replace(self, ctes=ctes, expanding=(*self.expanding, name))

    def binder(self, scope: Scope) -> Binder:
        return Binder(self.context, scope, lambda node, outer: self.query(node, outer))

    # ---- one SELECT -----------------------------------------------------------------------------------------------
    def _select(self, node: s.Query, select: s.Select, outer: Scope | None) -> BoundQuery:
        scope = Scope(outer=outer)
        from_sql = ""
        if select.source is not None:
            bound_source = sources.bind_source(self, select.source, scope)
            from_sql, scope = f" FROM {bound_source.sql}", scope.with_sources(*bound_source.sources)
        rows = self.binder(scope)
        where = f" WHERE {rows.condition(select.where)}" if select.where is not None else ""
        binder, group = self._grouped(select, node, rows)
        top = replace(binder, allow_windows=True)
        items, assigns = outputs.bind_items(top, select.items, scope)
        having = f" HAVING {binder.condition(select.having)}" if select.having is not None else ""
        text = ", ".join(f"{item.sql} AS c{i}" for i, item in enumerate(items, 1))
        columns = outputs.columns_of(items)
        single = bool(binder.grouping is not None and not binder.grouping.keys) or not from_sql
        if select.distinct:
            inner = f"SELECT {text}{from_sql}{where}{group}{having}"
            sql = setops.distinct(inner, columns) + outputs.order_by_columns(node.order, columns)
        else:
            order = self._order(node.order, top, items)
            sql = f"SELECT {text}{from_sql}{where}{group}{having}{order}"
        sql += self._limit(select, node, outer)
        return BoundQuery(sql, columns, single, assigns)

    def _grouped(self, select: s.Select, node: s.Query, rows: Binder) -> tuple[Binder, str]:
        """The binder for what stands above GROUP BY, and the clause."""
        aggregated = select.having is not None or any(
            has_aggregate(e) for e in (*(i.expression for i in select.items), *(o.expression for o in node.order))
        )
        if not select.group and not aggregated:
            return rows, ""
        keys = tuple(rows.bind(g) for g in select.group)
        for key in keys:
            if key.constant is not None:
                raise SqlError(
                    164,
                    "Each GROUP BY expression must contain at least one column that is not an outer reference.",
                    class_=15,
                )
        binder = replace(rows, grouping=Grouping(keys))
        return binder, f" GROUP BY {', '.join(equality_key(k) for k in keys)}" if keys else ""

    def _order(self, order: tuple[s.OrderItem, ...], binder: Binder, items: tuple[Bound, ...]) -> str:
        if not order:
            return ""
        texts = []
        for item in order:
            bound = outputs.find_output(item.expression, items) or binder.bind(item.expression)
            if bound.constant is not None:
                raise SqlError(408, "A constant expression was encountered in the ORDER BY list.", class_=16)
            texts.append(order_item(bound, descending=item.descending))
        return " ORDER BY " + ", ".join(texts)

    def _limit(self, select: s.Select, node: s.Query, outer: Scope | None) -> str:
        binder = self.binder(Scope(outer=outer))
        if select.top is not None:
            if node.offset is not None:
                raise SqlError(10741, "A TOP can not be used in the same query or sub-query as a OFFSET.", class_=15)
            count = known_int(binder.bind(select.top.count), "TOP with a count")
            if count is None or count < 0:
                raise SqlError(
                    1060,
                    "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
                )
            return f" LIMIT {count}"
        if node.offset is None:
            return ""
        skip = known_int(binder.bind(node.offset), "OFFSET with a count")
        if skip is None or skip < 0:
            raise SqlError(10742, "The offset specified in a OFFSET clause may not be negative.", class_=15)
        if node.fetch is None:
            return f" OFFSET {skip}"
        count = known_int(binder.bind(node.fetch), "FETCH with a count")
        if count is None or count < 1:
            raise SqlError(
                10744, "The number of rows provided for a FETCH clause must be greater then zero.", class_=15
            )
        return f" LIMIT {count} OFFSET {skip}"


def has_aggregate(node: object) -> bool:
    """Whether an aggregate of this SELECT (not of a subquery, not a window function) is in the expression."""
    if isinstance(node, s.Call):
        return (node.name in AGGREGATES and node.over is None) or any(has_aggregate(a) for a in node.args)
    if isinstance(node, s.Unary | s.Cast | s.Collate):
        return has_aggregate(node.operand)
    if isinstance(node, s.PartitionNumber | s.IsNull | s.Not | s.Like):
        return has_aggregate(node.operand)
    if isinstance(node, s.Binary | s.Comparison):
        return has_aggregate(node.left) or has_aggregate(node.right)
    if isinstance(node, s.Logical):
        return any(has_aggregate(i) for i in node.items)
    if isinstance(node, s.In):
        return has_aggregate(node.operand) or any(has_aggregate(i) for i in node.items)
    if isinstance(node, s.Between):
        return any(has_aggregate(p) for p in (node.operand, node.low, node.high))
    if isinstance(node, s.Case):
        parts = [p for w in node.whens for p in (w.condition, w.result)]
        return any(has_aggregate(p) for p in (*parts, node.operand, node.otherwise) if p is not None)
    return False
