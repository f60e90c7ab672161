"""Syntax values: what a batch says, before names and types are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


# ---- expressions -------------------------------------------------------------------------------------------------
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


# ---- conditions (T-SQL has no boolean values: a condition is never an expression) -----------------------------------------
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


# ---- queries -----------------------------------------------------------------------------------------------------
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


# ---- statements --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class SelectStatement:
    query: Query
    line: int = 1


@dataclass(frozen=True)
class Insert:
    target: ObjectName
    columns: tuple[str, ...]
    rows: tuple[tuple[Expression | Default, ...], ...] = ()
    query: Query | None = None
    default_values: bool = False
    line: int = 1


@dataclass(frozen=True)
class Default:
    """The word DEFAULT where a value stands."""


@dataclass(frozen=True)
class Assignment:
    column: str
    value: Expression | Default


@dataclass(frozen=True)
class Update:
    target: ObjectName
    assignments: tuple[Assignment, ...]
    source: Source | None
    where: Condition | None
    ctes: tuple[CommonTable, ...] = ()
    line: int = 1


@dataclass(frozen=True)
class Delete:
    target: ObjectName
    source: Source | None
    where: Condition | None
    ctes: tuple[CommonTable, ...] = ()
    line: int = 1


@dataclass(frozen=True)
class ColumnSpec:
    """A column of CREATE TABLE or ALTER TABLE ADD."""

    name: str
    type: TypeSpec
    nullable: bool | None = None
    collation: str | None = None
    identity: tuple[int, int] | None = None
    default: Expression | None = None
    default_name: str | None = None
    rowguidcol: bool = False


@dataclass(frozen=True)
class KeySpec:
    """A PRIMARY KEY or UNIQUE constraint, or an index: columns with direction, where it lies."""

    kind: str  # "primary key" | "unique" | "index"
    name: str | None
    columns: tuple[tuple[str, bool], ...]
    clustered: bool | None
    unique: bool = True
    included: tuple[str, ...] = ()
    space: Space | None = None


@dataclass(frozen=True)
class Space:
    """ON [filegroup] or ON scheme(column)."""

    name: str
    column: str | None = None


@dataclass(frozen=True)
class CreateTable:
    name: ObjectName
    columns: tuple[ColumnSpec, ...]
    keys: tuple[KeySpec, ...]
    space: Space | None = None
    line: int = 1


@dataclass(frozen=True)
class DropTable:
    names: tuple[ObjectName, ...]
    if_exists: bool
    line: int = 1


@dataclass(frozen=True)
class TruncateTable:
    name: ObjectName
    line: int = 1


@dataclass(frozen=True)
class AlterTableAdd:
    name: ObjectName
    columns: tuple[ColumnSpec, ...]
    keys: tuple[KeySpec, ...]
    line: int = 1


@dataclass(frozen=True)
class AlterTableDrop:
    """DROP COLUMN a, b or DROP CONSTRAINT x."""

    name: ObjectName
    columns: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    if_exists: bool = False
    line: int = 1


@dataclass(frozen=True)
class CreateIndex:
    table: ObjectName
    key: KeySpec
    line: int = 1


@dataclass(frozen=True)
class DropIndex:
    table: ObjectName
    name: str
    if_exists: bool
    line: int = 1


@dataclass(frozen=True)
class CreateSchema:
    name: str
    line: int = 1


@dataclass(frozen=True)
class DropSchema:
    name: str
    if_exists: bool
    line: int = 1


@dataclass(frozen=True)
class CreateDatabase:
    name: str
    collation: str | None = None
    line: int = 1


@dataclass(frozen=True)
class DropDatabase:
    name: str
    if_exists: bool
    line: int = 1


@dataclass(frozen=True)
class AlterDatabaseSet:
    """ALTER DATABASE name SET option ON|OFF; option upper case."""

    name: str | None
    option: str
    on: bool
    line: int = 1


@dataclass(frozen=True)
class Use:
    database: str
    line: int = 1


@dataclass(frozen=True)
class CreatePartitionFunction:
    name: str
    type: TypeSpec
    collation: str | None
    right: bool
    values: tuple[Expression, ...]
    line: int = 1


@dataclass(frozen=True)
class CreatePartitionScheme:
    name: str
    function: str
    all_to: bool
    filegroups: tuple[str, ...]
    line: int = 1


@dataclass(frozen=True)
class AlterPartitionFunction:
    """SPLIT RANGE or MERGE RANGE."""

    name: str
    split: bool
    value: Expression
    line: int = 1


@dataclass(frozen=True)
class AlterPartitionScheme:
    name: str
    filegroup: str | None
    line: int = 1


@dataclass(frozen=True)
class DropPartition:
    """DROP PARTITION FUNCTION or SCHEME; `kind` is 'function' or 'scheme'."""

    kind: str
    name: str
    line: int = 1


@dataclass(frozen=True)
class SetOption:
    """SET option value; option upper case, value as written (upper case words, numbers)."""

    option: str
    value: str
    line: int = 1


@dataclass(frozen=True)
class SetIsolation:
    level: str  # "READ UNCOMMITTED" | "READ COMMITTED" | "REPEATABLE READ" | "SNAPSHOT" | "SERIALIZABLE"
    line: int = 1


@dataclass(frozen=True)
class Transaction:
    """`action`: begin, commit or rollback."""

    action: str
    name: str | None = None
    line: int = 1


@dataclass(frozen=True)
class Declare:
    name: str
    type: TypeSpec
    value: Expression | None
    line: int = 1


@dataclass(frozen=True)
class SetVariable:
    name: str
    value: Expression
    line: int = 1


@dataclass(frozen=True)
class Print:
    value: Expression
    line: int = 1


@dataclass(frozen=True)
class Throw:
    number: Expression | None
    message: Expression | None
    state: Expression | None
    line: int = 1


@dataclass(frozen=True)
class Raiserror:
    message: Expression
    severity: Expression
    state: Expression
    args: tuple[Expression, ...] = ()
    line: int = 1


@dataclass(frozen=True)
class If:
    condition: Condition
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()
    line: int = 1


@dataclass(frozen=True)
class Argument:
    """An argument of EXEC: value, name without @ ('' when positional), OUTPUT or not."""

    value: Expression
    name: str = ""
    output: bool = False


@dataclass(frozen=True)
class Execute:
    procedure: ObjectName
    arguments: tuple[Argument, ...]
    result: str | None = None
    line: int = 1


@dataclass(frozen=True)
class ExecuteText:
    """EXEC ('text')."""

    text: Expression
    line: int = 1


@dataclass(frozen=True)
class BulkColumn:
    name: str
    type: TypeSpec
    collation: str | None = None


@dataclass(frozen=True)
class InsertBulk:
    target: ObjectName
    columns: tuple[BulkColumn, ...]
    options: tuple[str, ...] = field(default=())
    line: int = 1


Statement: TypeAlias = (
    "SelectStatement | Insert | Update | Delete | CreateTable | DropTable | TruncateTable | AlterTableAdd | AlterTableDrop"
    " | CreateIndex | DropIndex | CreateSchema | DropSchema | CreateDatabase | DropDatabase | AlterDatabaseSet | Use"
    " | CreatePartitionFunction | CreatePartitionScheme | AlterPartitionFunction | AlterPartitionScheme | DropPartition"
    " | SetOption | SetIsolation | Transaction | Declare | SetVariable | Print | Throw | Raiserror | If | Execute"
    " | ExecuteText | InsertBulk"
)
