"""Syntax values of statements for the session and the flow of a batch, and of all statements together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sqlserver_sandbox.tsql.syntax.alterations import (
    AlterIndex,
    AlterTableCheck,
    AlterTableRebuild,
    AlterTableSwitch,
    CheckIdentity,
    SetIdentityInsert,
    UpdateStatistics,
)
from sqlserver_sandbox.tsql.syntax.changes import Delete, Insert, InsertBulk, SelectStatement, TruncateTable, Update
from sqlserver_sandbox.tsql.syntax.definitions import (
    AlterDatabaseFilegroup,
    AlterDatabaseSet,
    AlterPartitionFunction,
    AlterPartitionScheme,
    AlterTableAdd,
    AlterTableAlterColumn,
    AlterTableDrop,
    ChangePermission,
    CreateDatabase,
    CreateIndex,
    CreateLogin,
    CreatePartitionFunction,
    CreatePartitionScheme,
    CreateSchema,
    CreateTable,
    CreateUser,
    DropDatabase,
    DropIndex,
    DropPartition,
    DropPrincipal,
    DropSchema,
    DropTable,
    Use,
)
from sqlserver_sandbox.tsql.syntax.queries import Condition, Expression, ObjectName, TypeSpec


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
class SaveTransaction:
    """SAVE TRANSACTION name."""

    name: str
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
class TryCatch:
    body: tuple[Statement, ...]
    handler: tuple[Statement, ...]
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


Statement: TypeAlias = (
    "SelectStatement | Insert | Update | Delete | CreateTable | DropTable | TruncateTable | AlterTableAdd | AlterTableDrop"
    " | AlterTableAlterColumn"
    " | CreateIndex | DropIndex | CreateSchema | DropSchema | CreateDatabase | DropDatabase | AlterDatabaseSet | Use"
    " | CreateLogin | CreateUser | DropPrincipal | ChangePermission"
    " | CreatePartitionFunction | CreatePartitionScheme | AlterPartitionFunction | AlterPartitionScheme | DropPartition"
    " | SetOption | SetIsolation | Transaction | Declare | SetVariable | Print | Throw | Raiserror | If | Execute"
    " | ExecuteText | InsertBulk | AlterTableSwitch | AlterTableCheck | AlterTableRebuild | AlterIndex | UpdateStatistics"
    " | SetIdentityInsert | CheckIdentity | AlterDatabaseFilegroup | SaveTransaction | TryCatch"
)
