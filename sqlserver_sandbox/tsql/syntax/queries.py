"""Syntax values of expressions, search conditions and queries, which hold one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Literal:
    """`kind`: integer, decimal, float, money, string, nstring, binary or null. `text` as written, quotes undone."""

    kind: str
    text: str


@dataclass(frozen=True)
class Name:
    """A column reference of one to four parts."""

    parts: tuple[str, ...]
    line: int = 1


@dataclass(frozen=True)
class Star:
    qualifier: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variable:
    """@name (lower case, without @) or, with `system`, @@name."""

    name: str
    system: bool = False


@dataclass(frozen=True)
class Unary:
    op: str
    operand: Expression


@dataclass(frozen=True)
class Binary:
    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class TypeSpec:
    """A type as written: name (lower case) and its arguments, -1 for max. None when no parentheses stood there."""

    name: str
    args: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Cast:
    """CAST, CONVERT and their TRY_ forms. `style` only from CONVERT."""

    operand: Expression
    target: TypeSpec
    style: Expression | None = None
    is_try: bool = False
    is_convert: bool = False


@dataclass(frozen=True)
class Collate:
    operand: Expression
    collation: str


@dataclass(frozen=True)
class When:
    condition: Condition | Expression
    result: Expression


@dataclass(frozen=True)
class Case:
    operand: Expression | None
    whens: tuple[When, ...]
    otherwise: Expression | None


@dataclass(frozen=True)
class OrderItem:
    expression: Expression
    descending: bool = False


@dataclass(frozen=True)
class Window:
    partition: tuple[Expression, ...]
    order: tuple[OrderItem, ...]


@dataclass(frozen=True)
class Call:
    """A function or aggregate. `star` is COUNT(*); `over` makes it a window function."""

    name: str
    args: tuple[Expression, ...]
    distinct: bool = False
    star: bool = False
    over: Window | None = None
    line: int = 1


@dataclass(frozen=True)
class PartitionNumber:
    """$PARTITION.function(expression)."""

    function: str
    operand: Expression
    database: str | None = None


@dataclass(frozen=True)
class Subquery:
    query: Query


@dataclass(frozen=True)
class Comparison:
    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Logical:
    """AND or OR over two or more."""

    op: str
    items: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    operand: Condition


@dataclass(frozen=True)
class IsNull:
    operand: Expression
    negated: bool


@dataclass(frozen=True)
class In:
    operand: Expression
    items: tuple[Expression, ...]
    query: Query | None
    negated: bool


@dataclass(frozen=True)
class Between:
    operand: Expression
    low: Expression
    high: Expression
    negated: bool


@dataclass(frozen=True)
class Like:
    operand: Expression
    pattern: Expression
    escape: Expression | None
    negated: bool


@dataclass(frozen=True)
class Exists:
    query: Query


Expression: TypeAlias = (
    "Literal | Name | Star | Variable | Unary | Binary | Cast | Collate | Case | Call | PartitionNumber | Subquery"
)


Condition: TypeAlias = "Comparison | Logical | Not | IsNull | In | Between | Like | Exists"


@dataclass(frozen=True)
class ObjectName:
    """A table, view or procedure name of one to four parts; missing parts are ''."""

    parts: tuple[str, ...]
    line: int = 1

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def schema(self) -> str:
        return self.parts[-2] if len(self.parts) > 1 else ""

    @property
    def database(self) -> str:
        return self.parts[-3] if len(self.parts) > 2 else ""

    @property
    def server(self) -> str:
        return self.parts[-4] if len(self.parts) > 3 else ""

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True)
class TableSource:
    name: ObjectName
    alias: str | None
    hints: tuple[str, ...] = ()
    arguments: tuple[Expression, ...] | None = None
    """Of a table-valued function."""


@dataclass(frozen=True)
class DerivedTable:
    query: Query
    alias: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValuesTable:
    rows: tuple[tuple[Expression, ...], ...]
    alias: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Join:
    """`kind`: inner, left, right, full, cross, cross apply or outer apply."""

    kind: str
    left: Source
    right: Source
    on: Condition | None


Source: TypeAlias = "TableSource | DerivedTable | ValuesTable | Join"


@dataclass(frozen=True)
class SelectItem:
    """One item of the select list. `assign` is the variable of SELECT @x = …."""

    expression: Expression
    alias: str | None = None
    assign: str | None = None


@dataclass(frozen=True)
class Top:
    count: Expression
    percent: bool = False


@dataclass(frozen=True)
class Select:
    items: tuple[SelectItem, ...]
    source: Source | None = None
    where: Condition | None = None
    group: tuple[Expression, ...] = ()
    having: Condition | None = None
    distinct: bool = False
    top: Top | None = None


@dataclass(frozen=True)
class SetOperation:
    """`op`: union, union all, except or intersect."""

    op: str
    left: Query
    right: Query


@dataclass(frozen=True)
class CommonTable:
    name: str
    columns: tuple[str, ...]
    query: Query


@dataclass(frozen=True)
class Query:
    body: Select | SetOperation | Query
    order: tuple[OrderItem, ...] = ()
    offset: Expression | None = None
    fetch: Expression | None = None
    ctes: tuple[CommonTable, ...] = ()
