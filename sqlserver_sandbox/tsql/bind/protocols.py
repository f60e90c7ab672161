"""What the parts of binding ask of one another: functions of the binder they are called in, sources of their query's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import Bound, BoundQuery
from sqlserver_sandbox.tsql.bind.context import Context
from sqlserver_sandbox.tsql.bind.scope import Scope


class ExpressionBinder(Protocol):
    """Binds expressions in one scope. `binder.Binder` is the only one."""

    @property
    def context(self) -> Context: ...

    def bind(self, node: s.Expression) -> Bound: ...

    def condition(self, node: s.Condition) -> str: ...

    def without_windows(self) -> ExpressionBinder:
        """The same scope, where window functions are not allowed: 4108."""
        ...


class SubqueryBinder(Protocol):
    """Binds the queries of one statement. `queries.QueryBinder` is the only one."""

    @property
    def context(self) -> Context: ...

    @property
    def ctes(self) -> Mapping[str, s.CommonTable]:
        """The common tables in reach."""
        ...

    @property
    def expanding(self) -> tuple[str, ...]:
        """The common tables that are being bound, outermost first."""
        ...

    def query(self, node: s.Query, outer: Scope | None = None) -> BoundQuery: ...

    def binder(self, scope: Scope) -> ExpressionBinder: ...

    def inside(self, ctes: Mapping[str, s.CommonTable], name: str) -> SubqueryBinder:
        """For the query of the common table `name`, which sees those of `ctes`."""
        ...
