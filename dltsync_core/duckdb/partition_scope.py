"""From partition ranges to a scope of rows in the warehouse, for the types whose order is the same on both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.boundary_values import Edge, Literals, Reach, edge_maker
from dltsync_core.errors import CatalogError
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import Boundary, PartitionRange
from dltsync_core.typemap.uuids import type_name


class Dialect(Literals, Protocol):
    """The SQL of conditions on one column. `duckdb.sql` is DuckDB's."""

    def identifier(self, name: str) -> str: ...


def scope_for(column: ColumnFacts, arrow_type: pa.DataType, ranges: Sequence[PartitionRange]) -> ReplaceScope:
    """The rows of `ranges`. Raises CatalogError when the column's type sorts differently in the warehouse, or when a
    boundary is not a value of that type."""
    scope = ReplaceScope(column, arrow_type, tuple(ranges))
    duckdb_condition(scope)
    return scope


def duckdb_condition(scope: ReplaceScope) -> str:
    """The scope as a condition for DuckDB. Never NULL, so that its opposite holds for every other row."""
    return condition_of(scope, q)


def condition_of(scope: ReplaceScope, dialect: Dialect) -> str:
    """The scope as a condition of any dialect that writes TRUE, FALSE, AND, OR and IS NULL as DuckDB does. Never NULL. Raises
    CatalogError when the column's type sorts differently in the warehouse."""
    make = edge_maker(scope.column, scope.arrow_type, dialect)
    if make is None:
        raise _different_order(scope.column, scope.arrow_type)
    conditions = [c for range_ in scope.ranges for c in _conditions(scope.column, range_, make, dialect)]
    if not conditions:
        return q.NOTHING
    return q.EVERYTHING if q.EVERYTHING in conditions else q.any_of(conditions)


@dataclass(frozen=True)
class Start:
    """The start of a scope's rows: at this literal of DuckDB (`>=`) or after it (`>`)."""

    column: str
    operator: Literal[">=", ">"]
    literal: str
    dialect: Dialect = q

    @property
    def reached(self) -> str:
        """The condition on rows at or after the start. NULL for NULL rows, which sort first."""
        return _compared(self.dialect, self.column, self.operator, self.literal)

    @property
    def not_reached(self) -> str:
        """Its opposite, NULL for NULL rows too."""
        return _compared(self.dialect, self.column, "<" if self.operator == ">=" else "<=", self.literal)


def starts_of(scopes: Mapping[str, ReplaceScope | None]) -> dict[str, Start | None] | None:
    """Where each of the partitions of a table begins; None for those whose rows lie before every beginning (the first slot, NULL
    rows) and for those without rows. None altogether when one of them is not one slot: its rows need not lie side by side."""
    found: dict[str, Start | None] = {}
    for unit, scope in scopes.items():
        if scope is None or len(scope.ranges) != 1:
            return None
        (range_,) = scope.ranges
        has_lower = range_.lower is not None and range_.lower.text is not None
        if has_lower and holds_null_rows(range_):
            return None
        found[unit] = _start(scope.column, scope.arrow_type, range_) if has_lower else None
    return found


def holds_null_rows(range_: PartitionRange) -> bool:
    """Whether NULL rows lie in this slot, by its boundaries, which its key has too: the first slot
    does, unless NULL itself is the first boundary of a RANGE RIGHT function; then the slot that begins there does."""
    if range_.lower is None:
        return range_.holds_null or not (range_.side == "right" and _is_null(range_.upper))
    return range_.holds_null or (range_.side == "right" and _is_null(range_.lower))


def _compared(dialect: Dialect, column: str, operator: str, literal: str) -> str:
    return f"{dialect.identifier(column)} {operator} {literal}"


def _conditions(
    column: ColumnFacts, range_: PartitionRange, make: Callable[[str], Edge], dialect: Dialect
) -> list[str]:
    values = _values(column, range_, make, dialect)
    is_null = f"{dialect.identifier(column.name)} IS NULL"
    if not holds_null_rows(range_):
        return [values] if values != q.NOTHING else []
    if values == q.NOTHING:
        return [is_null]
    if range_.lower is None and range_.upper is None:
        return [q.EVERYTHING]
    return [q.any_of([values, is_null])]


def _values(column: ColumnFacts, range_: PartitionRange, make: Callable[[str], Edge], dialect: Dialect) -> str:
    """The condition on rows that are not NULL. It is not NULL itself for those that are: AND IS NOT NULL sees to it."""
    parts = [f"{dialect.identifier(column.name)} IS NOT NULL"]
    if range_.lower is not None and range_.lower.text is not None:
        parts.append(
            _above(column, _edge(column, range_.lower.text, make), included=range_.side == "right", dialect=dialect)
        )
    if range_.upper is not None:
        if range_.upper.text is None:  # nothing is less than NULL, which sorts first
            return q.NOTHING
        parts.append(
            _below(column, _edge(column, range_.upper.text, make), included=range_.side == "left", dialect=dialect)
        )
    if q.NOTHING in parts:
        return q.NOTHING
    return q.all_of([part for part in parts if part != q.EVERYTHING])


def _start(column: ColumnFacts, arrow_type: pa.DataType, range_: PartitionRange) -> Start | None:
    make = edge_maker(column, arrow_type)
    if make is None:
        raise _different_order(column, arrow_type)
    if range_.lower is None or range_.lower.text is None:
        return None
    edge = _edge(column, range_.lower.text, make)
    return _start_at(column, edge, included=range_.side == "right") if edge.reach is Reach.WITHIN else None


def _start_at(column: ColumnFacts, edge: Edge, *, included: bool, dialect: Dialect = q) -> Start:
    return Start(column.name, ">=" if included and edge.exact else ">", edge.literal, dialect)


def _above(column: ColumnFacts, edge: Edge, *, included: bool, dialect: Dialect) -> str:
    if edge.reach is not Reach.WITHIN:
        return q.EVERYTHING if edge.reach is Reach.BELOW else q.NOTHING
    return _start_at(column, edge, included=included, dialect=dialect).reached


def _below(column: ColumnFacts, edge: Edge, *, included: bool, dialect: Dialect) -> str:
    if edge.reach is not Reach.WITHIN:
        return q.NOTHING if edge.reach is Reach.BELOW else q.EVERYTHING
    return _compared(dialect, column.name, "<=" if included or not edge.exact else "<", edge.literal)


def _edge(column: ColumnFacts, text: str, make: Callable[[str], Edge]) -> Edge:
    try:
        return make(text)
    except ValueError as error:
        raise CatalogError(
            f"the boundary {text!r} of partition column {column.name} ({column.type_name}) cannot be read: {error}",
            column=column.name,
        ) from error


def _is_null(boundary: Boundary | None) -> bool:
    return boundary is not None and boundary.text is None


def _different_order(column: ColumnFacts, arrow_type: pa.DataType) -> CatalogError:
    remedy = "configure the table as static: it is then replaced whole when its hash changes"
    if column.type_name == "datetimeoffset":
        remedy = f"set column_representation of {column.name} to utc, or {remedy}"
    elif column.type_name in {"datetime", "smalldatetime"}:
        remedy = f"leave {column.name} out of column_representation, or {remedy}"
    return CatalogError(
        f"the table is partitioned by {column.name} of type {column.type_name} (stored as {type_name(arrow_type)}), which sorts "
        "differently in the warehouse: a partition's rows could not be separated from its neighbours'",
        remedy=remedy,
        column=column.name,
    )
