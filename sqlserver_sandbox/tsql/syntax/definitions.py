"""Syntax values of statements that define: databases, schemas, tables, indexes, partition functions and schemes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlserver_sandbox.tsql.syntax.queries import Condition, Expression, ObjectName, TypeSpec


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
    computed: Expression | None = None
    """Of a computed column, which has no type of its own."""
    persisted: bool = False


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
    columnstore: bool = False
    filter: Condition | None = None
    compression: tuple[Compression, ...] = ()


@dataclass(frozen=True)
class Space:
    """ON [filegroup] or ON scheme(column)."""

    name: str
    column: str | None = None


@dataclass(frozen=True)
class Compression:
    """DATA_COMPRESSION = kind, of all partitions or of the ranges of partitions named."""

    kind: str  # "NONE" | "ROW" | "PAGE" | "COLUMNSTORE" | "COLUMNSTORE_ARCHIVE"
    partitions: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class CheckSpec:
    """A CHECK constraint. `column` is the column it was written at, '' for one of the table."""

    name: str | None
    condition: Condition
    column: str = ""


@dataclass(frozen=True)
class ForeignKeySpec:
    """A FOREIGN KEY constraint. Without `referenced_columns` it references the primary key."""

    name: str | None
    columns: tuple[str, ...]
    referenced: ObjectName
    referenced_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableParts:
    """What stands between the parentheses of CREATE TABLE, or after ALTER TABLE ADD."""

    columns: tuple[ColumnSpec, ...] = ()
    keys: tuple[KeySpec, ...] = ()
    checks: tuple[CheckSpec, ...] = ()
    foreign_keys: tuple[ForeignKeySpec, ...] = ()


@dataclass(frozen=True)
class CreateTable:
    name: ObjectName
    parts: TableParts
    space: Space | None = None
    compression: tuple[Compression, ...] = ()
    text_space: str | None = None
    line: int = 1


@dataclass(frozen=True)
class DropTable:
    names: tuple[ObjectName, ...]
    if_exists: bool
    line: int = 1


@dataclass(frozen=True)
class AlterTableAdd:
    """`check_rows` is False for WITH NOCHECK: rows that are there already are not looked at, and the constraint is untrusted."""

    name: ObjectName
    parts: TableParts
    check_rows: bool = True
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
class AlterTableAlterColumn:
    """ALTER COLUMN with another type, or another nullability: as of a column of CREATE TABLE."""

    name: ObjectName
    column: ColumnSpec
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
    owner: str | None = None
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
class AlterDatabaseFilegroup:
    """ADD FILEGROUP, ADD FILE … TO FILEGROUP, MODIFY FILEGROUP … READ_ONLY | READ_WRITE.

    `action` is add, file, read_only or read_write; a file without a filegroup goes to PRIMARY.
    """

    name: str | None
    action: str
    filegroup: str
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
class CreateLogin:
    name: str
    password: str | None
    """None: FROM EXTERNAL PROVIDER."""
    line: int = 1


@dataclass(frozen=True)
class CreateUser:
    name: str
    login: str | None
    """None: FROM EXTERNAL PROVIDER."""
    line: int = 1


@dataclass(frozen=True)
class DropPrincipal:
    """`kind` is login or user."""

    kind: str
    name: str
    if_exists: bool
    line: int = 1


@dataclass(frozen=True)
class ChangePermission:
    """`change` is GRANT, DENY or REVOKE. `class_` is OBJECT or SCHEMA with a name, else empty: the database, or the server."""

    change: str
    permissions: tuple[str, ...]
    class_: str
    securable: ObjectName | None
    principals: tuple[str, ...]
    line: int = 1
