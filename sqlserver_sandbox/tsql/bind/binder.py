"""Expressions and conditions: one rule per syntax class, and refusal for whatever has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql import collations
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind import aggregates, functions, globals_, literals, partitions, patterns
from sqlserver_sandbox.tsql.bind.arithmetic import arithmetic, negate
from sqlserver_sandbox.tsql.bind.bound import Bound, BoundQuery, cast, constant, null
from sqlserver_sandbox.tsql.bind.comparison import compare, equality_key, matched
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.scope import Scope
from sqlserver_sandbox.tsql.bind.unify import common_type
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import INTEGERS, resolve

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.context import Context


@dataclass(frozen=True)
class Grouping:
    """The keys of GROUP BY as bound in the row scope; any other column must be inside an aggregate (8120)."""

    keys: tuple[Bound, ...]

    def key(self, bound: Bound) -> Bound | None:
        """The group's value of a key: any row has it."""
        for candidate in self.keys:
            if candidate.sql == bound.sql:
                return replace(candidate, sql=cast(f"any_value({candidate.sql})", candidate.type), name=bound.name)
        return None


@dataclass(frozen=True)
class Binder:
    """Binds within one scope. `query` binds subqueries; `grouping` is set above GROUP BY."""

    context: Context
    scope: Scope
    query: Callable[[s.Query, Scope], BoundQuery]
    grouping: Grouping | None = None
    allow_windows: bool = False
    in_aggregate: bool = field(default=False)

    # ---- expressions ----------------------------------------------------------------------------------------------
    def bind(self, node: s.Expression) -> Bound:
        if self.grouping is not None and not isinstance(node, s.Literal | s.Variable):
            key = self._grouped(node)
            if key is not None:
                return key
        rule = _EXPRESSIONS.get(type(node))
        if rule is None:
            raise refused(f"{type(node).__name__} here")
        return rule(self, node)

    def _grouped(self, node: s.Expression) -> Bound | None:
        try:
            bound = replace(self, grouping=None, allow_windows=False).bind(node)
        except SqlError:
            # Not a row expression (it holds an aggregate, say): the parts are looked at one by one.
            return None
        return self.grouping.key(bound) if self.grouping is not None else None

    def without_windows(self) -> Binder:
        return replace(self, allow_windows=False)

    @property
    def rows(self) -> Binder:
        """The same scope below GROUP BY: for the arguments of aggregates."""
        return replace(self, grouping=None, allow_windows=False, in_aggregate=True)

    def _literal(self, node: s.Literal) -> Bound:
        return literals.bind_literal(node)

    def _name(self, node: s.Name) -> Bound:
        found = self.scope.find(node)
        if self.grouping is not None and not self._is_outer(node):
            name = ".".join(node.parts)
            raise SqlError(
                8120,
                f"Column '{name}' is invalid in the select list because it is not contained in either an aggregate function"
                " or the GROUP BY clause.",
                line=node.line,
            )
        return found

    def _is_outer(self, node: s.Name) -> bool:
        try:
            return replace(self.scope, outer=None).find(node) is None
        except SqlError:
            return True

    def _variable(self, node: s.Variable) -> Bound:
        if node.system:
            return globals_.bind_global(self.context.facts, node.name)
        found = self.context.variables.get(node.name)
        if found is None:
            raise SqlError(137, f'Must declare the scalar variable "@{node.name}".', class_=15)
        return constant(found.value, found.type)

    def _unary(self, node: s.Unary) -> Bound:
        operand = self.bind(node.operand)
        if node.op == "+":
            return operand
        if node.op == "~":
            if operand.type.name not in INTEGERS:
                raise refused(f"~ on {operand.type.name}")
            return replace(operand, sql=cast(f"(~ {operand.sql})", operand.type), constant=None)
        return negate(operand)

    def _binary(self, node: s.Binary) -> Bound:
        return arithmetic(node.op, self.bind(node.left), self.bind(node.right))

    def _cast(self, node: s.Cast) -> Bound:
        target = resolve(node.target, default_length=30, collation=self.context.database.collation)
        if target.name in ("rowversion",):
            target = SqlType("binary", 8)
        style = None
        if node.style is not None:
            bound = convert(self.bind(node.style), SqlType("int"))
            if bound.constant is None:
                raise refused("a CONVERT style that is not a constant")
            if bound.constant.value is None:
                return constant(None, target)
            style = int(str(bound.constant.value))
        return convert(self.bind(node.operand), target, style=style, is_try=node.is_try)

    def _collate(self, node: s.Collate) -> Bound:
        operand = self.bind(node.operand)
        if not operand.is_text:
            raise SqlError(447, f"Expression type {operand.type.name} is invalid for COLLATE clause.")
        name = self.context.database.collation if node.collation.lower() == "database_default" else node.collation
        return replace(operand, type=replace(operand.type, collation=collations.collation(name).name), label="explicit")

    def _case(self, node: s.Case) -> Bound:
        results = [self.bind(w.result) for w in node.whens]
        otherwise = self.bind(node.otherwise) if node.otherwise is not None else null()
        target, label = common_type([*results, otherwise])
        branches = []
        for when, result in zip(node.whens, results, strict=True):
            condition = self._when(node.operand, when.condition)
            branches.append(f"WHEN {condition} THEN {convert(result, target, explicit=False).sql}")
        tail = convert(otherwise, target, explicit=False).sql
        nullable = any(r.nullable for r in (*results, otherwise))
        return Bound(cast(f"CASE {' '.join(branches)} ELSE {tail} END", target), target, nullable, label=label)

    def _when(self, operand: s.Expression | None, condition: s.Condition | s.Expression) -> str:
        if operand is None:
            return self.condition(condition)  # type: ignore[arg-type]
        return compare(self.bind(operand), self.bind(condition), "=")  # type: ignore[arg-type]

    def _call(self, node: s.Call) -> Bound:
        if node.over is not None or node.name in aggregates.WINDOW_ONLY:
            if not self.allow_windows:
                raise SqlError(
                    4108,
                    "Windowed functions can only appear in the SELECT or ORDER BY clauses.",
                    class_=15,
                    line=node.line,
                )
            return aggregates.bind_window(self, node)
        if node.name in aggregates.AGGREGATES:
            return self._aggregate(node)
        return functions.bind_call(self, node)

    def _aggregate(self, node: s.Call) -> Bound:
        if self.in_aggregate:
            raise SqlError(
                130,
                "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.",
                line=node.line,
            )
        if self.grouping is None:
            raise SqlError(
                147,
                "An aggregate may not appear in the WHERE clause unless it is in a"
                " subquery contained in a HAVING clause or a select"
                " list, and the column being aggregated is an outer reference.",
                class_=15,
                line=node.line,
            )
        return aggregates.bind_aggregate(self.rows, node)

    def _partition(self, node: s.PartitionNumber) -> Bound:
        return partitions.bind_partition_number(self, node)

    def _subquery(self, node: s.Subquery) -> Bound:
        bound = self.query(node.query, self.scope)
        if len(bound.columns) != 1:
            raise SqlError(
                116,
                "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.",
            )
        column = bound.columns[0]
        return Bound(cast(f"({_scalar(bound)})", column.type), column.type, True, label=column.label)

    # ---- conditions -----------------------------------------------------------------------------------------------
    def condition(self, node: s.Condition) -> str:
        """DuckDB text of a condition: true, false or NULL."""
        rule = _CONDITIONS.get(type(node))
        if rule is None:
            raise refused(f"{type(node).__name__} as a condition")
        return rule(self, node)

    def _comparison(self, node: s.Comparison) -> str:
        return compare(self.bind(node.left), self.bind(node.right), node.op)

    def _logical(self, node: s.Logical) -> str:
        return "(" + f" {node.op} ".join(self.condition(i) for i in node.items) + ")"

    def _not(self, node: s.Not) -> str:
        return f"(NOT {self.condition(node.operand)})"

    def _is_null(self, node: s.IsNull) -> str:
        return f"({self.bind(node.operand).sql} IS {'NOT ' if node.negated else ''}NULL)"

    def _in(self, node: s.In) -> str:
        operand = self.bind(node.operand)
        if node.query is None:
            parts = [compare(operand, self.bind(item), "=") for item in node.items]
            text = "(" + " OR ".join(parts) + ")"
            return f"(NOT {text})" if node.negated else text
        bound = self.query(node.query, self.scope)
        if len(bound.columns) != 1:
            raise SqlError(
                116,
                "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.",
            )
        left, right = _in_sides(operand, replace(bound.columns[0], sql="q.c1", constant=None))
        word = "NOT IN" if node.negated else "IN"
        return f"({left} {word} (SELECT {right} FROM ({bound.sql}) AS q))"

    def _between(self, node: s.Between) -> str:
        operand = self.bind(node.operand)
        text = f"({compare(operand, self.bind(node.low), '>=')} AND {compare(operand, self.bind(node.high), '<=')})"
        return f"(NOT {text})" if node.negated else text

    def _like(self, node: s.Like) -> str:
        escape = self.bind(node.escape) if node.escape is not None else None
        return patterns.like(self.bind(node.operand), self.bind(node.pattern), escape, negated=node.negated)

    def _exists(self, node: s.Exists) -> str:
        return f"EXISTS ({self.query(node.query, self.scope).sql})"


def _in_sides(operand: Bound, column: Bound) -> tuple[str, str]:
    left, right = matched(operand, column, "=")
    return equality_key(left), equality_key(right)


def _scalar(bound: BoundQuery) -> str:
    """DuckDB would take any one of several rows; SQL Server raises 512."""
    if bound.single_row:
        return bound.sql
    return f"SELECT CASE WHEN count(*) > 1 THEN {functions.MORE_THAN_ONE_ROW} ELSE any_value(q.c1) END FROM ({bound.sql}) AS q"


_EXPRESSIONS: dict[type, Callable[[Binder, Any], Bound]] = {
    s.Literal: Binder._literal,
    s.Name: Binder._name,
    s.Variable: Binder._variable,
    s.Unary: Binder._unary,
    s.Binary: Binder._binary,
    s.Cast: Binder._cast,
    s.Collate: Binder._collate,
    s.Case: Binder._case,
    s.Call: Binder._call,
    s.PartitionNumber: Binder._partition,
    s.Subquery: Binder._subquery,
}
_CONDITIONS: dict[type, Callable[[Binder, Any], str]] = {
    s.Comparison: Binder._comparison,
    s.Logical: Binder._logical,
    s.Not: Binder._not,
    s.IsNull: Binder._is_null,
    s.In: Binder._in,
    s.Between: Binder._between,
    s.Like: Binder._like,
    s.Exists: Binder._exists,
}
