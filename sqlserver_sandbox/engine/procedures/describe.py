"""Types without running anything: sp_describe_first_result_set, FMTONLY, sp_describe_undeclared_parameters."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.results import columns_of
from sqlserver_sandbox.model import MAX, Column, SqlError, SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.arguments import nvarchar
from sqlserver_sandbox.tsql.bind.context import VariableValue
from sqlserver_sandbox.tsql.bind.sources import resolve_table
from sqlserver_sandbox.tsql.parse import parse_batch
from sqlserver_sandbox.tsql.parse.parts import parse_declarations
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import resolve


def _declared(declared: str) -> dict[str, VariableValue]:
    return {name: VariableValue(resolve(spec), None) for name, spec, _ in parse_declarations(declared)}


def result(execution: Execution, sql: str, declared: str) -> tuple[Column, ...]:
    """The columns of the first SELECT, () when there is none."""
    try:
        for node in parse_batch(sql):
            if isinstance(node, s.SelectStatement):
                inner = execution.nested(sql, _declared(declared))
                return columns_of(inner.queries.query(node.query, top_level=True).columns)
        return ()
    finally:
        for _ in execution.transaction.end_statement():
            pass


def parameters(execution: Execution, sql: str, declared: str) -> list[tuple[str, SqlType]]:
    """A type for each undeclared @name, from what it is compared with or stored in. Raises 11508 where neither decides."""
    known = _declared(declared)
    try:
        nodes = parse_batch(sql)
        names: list[str] = []
        for node in nodes:
            for name in _variables(node):
                if name not in known and name not in names:
                    names.append(name)
        if not names:
            return []
        inner = execution.nested(sql, known)
        found: dict[str, SqlType] = {}
        for node in nodes:
            _Deduction(inner, found).visit_statement(node)
        missing = next((n for n in names if n not in found), None)
        if missing is not None:
            raise SqlError(
                11508,
                f"The undeclared parameter '@{missing}' is used more than once in the batch being analyzed, or its type cannot be"
                " deduced.",
            )
        return [(n, found[n]) for n in names]
    finally:
        for _ in execution.transaction.end_statement():
            pass


def _variables(node: object) -> list[str]:
    if isinstance(node, s.Variable):
        return [] if node.system else [node.name]
    if isinstance(node, tuple):
        return [name for part in node for name in _variables(part)]
    if is_dataclass(node):
        return [name for f in fields(node) for name in _variables(getattr(node, f.name))]
    return []


class _Deduction:
    """Looks for a parameter beside a column: in INSERT, in SET, in a comparison, in CAST."""

    def __init__(self, execution: Execution, found: dict[str, SqlType]) -> None:
        self.execution = execution
        self.found = found

    def visit_statement(self, node: s.Statement) -> None:
        tables: list[s.TableSource] = []
        if isinstance(node, s.Insert):
            self._insert(node)
        elif isinstance(node, s.Update | s.Delete):
            tables.append(s.TableSource(node.target, None))
            if isinstance(node, s.Update):
                self._update(node)
        elif not isinstance(node, s.SelectStatement):
            raise refused("sp_describe_undeclared_parameters for this statement")
        self._visit(node, tables + _table_sources(node))

    def _insert(self, node: s.Insert) -> None:
        _database, table = resolve_table(self.execution.context, node.target)
        columns = (
            [table.column(n) for n in node.columns]
            if node.columns
            else [c for c in table.columns if c.identity is None and not c.computed]
        )
        for row in node.rows:
            for value, column in zip(row, columns, strict=False):
                if isinstance(value, s.Variable) and column is not None:
                    self._note(value, column.type)

    def _update(self, node: s.Update) -> None:
        _database, table = resolve_table(self.execution.context, node.target)
        for assignment in node.assignments:
            column = table.column(assignment.column)
            if isinstance(assignment.value, s.Variable) and column is not None:
                self._note(assignment.value, column.type)

    def _note(self, variable: s.Variable, declared: SqlType) -> None:
        if not variable.system and variable.name not in self.found:
            self.found[variable.name] = declared

    def _visit(self, node: object, tables: list[s.TableSource]) -> None:
        if isinstance(node, s.Comparison):
            self._pair(node.left, node.right, tables)
            self._pair(node.right, node.left, tables)
        elif isinstance(node, s.Between):
            self._pair(node.operand, node.low, tables)
            self._pair(node.operand, node.high, tables)
        elif isinstance(node, s.In):
            for item in node.items:
                self._pair(node.operand, item, tables)
        elif isinstance(node, s.Like):
            self._pair(node.operand, node.pattern, tables)
        elif isinstance(node, s.Cast) and isinstance(node.operand, s.Variable):
            self._note(node.operand, resolve(node.target, default_length=30))
        elif isinstance(node, s.Call):
            for argument in node.args:
                if isinstance(argument, s.Variable):
                    self._note(argument, nvarchar(4000))
        self._visit_parts(node, tables)

    def _visit_parts(self, node: object, tables: list[s.TableSource]) -> None:
        if isinstance(node, tuple):
            for part in node:
                self._visit(part, tables)
        elif is_dataclass(node):
            for field in fields(node):
                self._visit(getattr(node, field.name), tables)

    def _pair(self, known: s.Expression, wanted: s.Expression, tables: list[s.TableSource]) -> None:
        if not isinstance(wanted, s.Variable):
            return
        if isinstance(known, s.Name):
            for source in tables:
                column = self._column(source, known.parts[-1])
                if column is not None:
                    self._note(wanted, column)
                    return
        elif isinstance(known, s.Cast):
            self._note(wanted, resolve(known.target, default_length=30))
        elif isinstance(known, s.Literal):
            self._note(wanted, SqlType("int") if known.kind == "integer" else nvarchar(MAX))

    def _column(self, source: s.TableSource, name: str) -> SqlType | None:
        if source.name.schema.lower() in ("sys", "information_schema"):
            database = self.execution.database
            view = self.execution.catalogue.system_view(database, source.name.schema, source.name.name)
            return next((c.type for c in view.columns if c.name.lower() == name.lower()), None) if view else None
        try:
            _, table = resolve_table(self.execution.context, source.name)
        except SqlError:
            # An alias, or a name that is not there: the statement itself will say so when it is run.
            return None
        column = table.column(name)
        return column.type if column else None


def _table_sources(node: object) -> list[s.TableSource]:
    if isinstance(node, s.TableSource):
        return [node]
    if isinstance(node, tuple):
        return [t for part in node for t in _table_sources(part)]
    if is_dataclass(node):
        return [t for f in fields(node) for t in _table_sources(getattr(node, f.name))]
    return []
