"""What has been declared in one database: schemas, tables, indexes, partition functions and schemes, as values.

A change makes a new `Database`. The engine keeps it as JSON beside the rows, in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sqlserver_sandbox.model import DEFAULT_COLLATION, MAX, SqlType
from sqlserver_sandbox.tsql.constraints import Check, Default, ForeignKey
from sqlserver_sandbox.tsql.features import PLAIN_COLUMN, PLAIN_TABLE, ColumnFeatures, TableFeatures

PRIMARY_FILEGROUP = 1
"""data_space_id of [PRIMARY]."""


@dataclass(frozen=True)
class TableColumn:
    column_id: int
    name: str
    type: SqlType
    nullable: bool = True
    identity: tuple[int, int] | None = None
    default: Default | None = None
    is_rowguidcol: bool = False
    is_sysname: bool = False
    features: ColumnFeatures = PLAIN_COLUMN
    computed: str = ""
    """The expression of a computed column, as the catalogue shows it."""
    is_persisted: bool = False

    @property
    def physical(self) -> str:
        """The column's name in DuckDB."""
        return f"c{self.column_id}"


@dataclass(frozen=True)
class IndexColumn:
    column_id: int
    descending: bool = False
    included: bool = False
    partition_ordinal: int = 0
    key_ordinal: int = 0


@dataclass(frozen=True)
class Index:
    """`index_id` 0 heap, 1 clustered, more: nonclustered. `key_kind`: PK or UQ for constraints, '' otherwise."""

    index_id: int
    name: str | None
    columns: tuple[IndexColumn, ...] = ()
    unique: bool = False
    key_kind: str = ""
    key_object_id: int = 0
    is_system_named: bool = False
    data_space_id: int = PRIMARY_FILEGROUP
    columnstore: bool = False
    filter_text: str | None = None
    """The WHERE of a filtered index, as the catalogue shows it."""
    is_disabled: bool = False
    compression: str = "NONE"
    partition_compression: tuple[tuple[int, str], ...] = ()
    """(partition number, compression) of partitions whose compression is not `compression`."""

    def compression_of(self, partition: int) -> str:
        """Of one partition; of partition 1 where the index is not partitioned."""
        return dict(self.partition_compression).get(partition, self.compression)

    @property
    def key_columns(self) -> tuple[IndexColumn, ...]:
        return tuple(c for c in self.columns if c.key_ordinal)


@dataclass(frozen=True)
class Table:
    object_id: int
    schema_id: int
    name: str
    columns: tuple[TableColumn, ...]
    indexes: tuple[Index, ...]
    created: str
    modified: str
    max_column_id: int = 0
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    features: TableFeatures = PLAIN_TABLE
    lob_space: int = 0
    """The filegroup of TEXTIMAGE_ON, 0 where none was given."""

    @property
    def physical(self) -> str:
        """The table's name in DuckDB."""
        return f"t{self.object_id}"

    def column(self, name: str) -> TableColumn | None:
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)

    def column_by_id(self, column_id: int) -> TableColumn:
        return next(c for c in self.columns if c.column_id == column_id)

    @property
    def constraints(self) -> tuple[Check | ForeignKey, ...]:
        return (*self.checks, *self.foreign_keys)

    @property
    def has_large_values(self) -> bool:
        """Whether it has values that SQL Server stores apart from the row: (max), text, ntext, image, xml."""
        return any(c.type.length == MAX or c.type.name in ("text", "ntext", "image", "xml") for c in self.columns)

    @property
    def base(self) -> Index:
        """The heap or the clustered index."""
        return self.indexes[0]

    @property
    def partition_column(self) -> TableColumn | None:
        found = next((c for c in self.base.columns if c.partition_ordinal), None)
        return self.column_by_id(found.column_id) if found else None


@dataclass(frozen=True)
class Schema:
    schema_id: int
    name: str
    owner: str = "dbo"
    """The user that owns it, and everything in it."""


@dataclass(frozen=True)
class SqlLogin:
    """A login that CREATE LOGIN made; master has them."""

    name: str
    password: str
    """As `hashed_password` makes it; empty for a login FROM EXTERNAL PROVIDER, which has tokens and no password."""


@dataclass(frozen=True)
class User:
    """What a login is in a database."""

    name: str
    login: str


@dataclass(frozen=True)
class Permission:
    """Granted or denied to a user, or (class SERVER) to a login. `class_` is OBJECT, SCHEMA, DATABASE or SERVER; `major_id`
    numbers the object or schema and is 0 for the others."""

    name: str
    class_: str
    major_id: int
    grantee: str
    is_denied: bool = False


@dataclass(frozen=True)
class PartitionFunction:
    """`boundaries` are in order, as JSON-friendly storage values (see `encode_value`); None is a NULL boundary."""

    function_id: int
    name: str
    type: SqlType
    right: bool
    boundaries: tuple[Any, ...]
    created: str

    @property
    def fanout(self) -> int:
        return len(self.boundaries) + 1


@dataclass(frozen=True)
class PartitionScheme:
    """`filegroups` has that of each partition, in order; it is empty when all lie in [PRIMARY]."""

    data_space_id: int
    name: str
    function_id: int
    next_used: bool = False
    filegroups: tuple[int, ...] = ()
    next_filegroup: int = PRIMARY_FILEGROUP
    """That of NEXT USED."""


@dataclass(frozen=True)
class Filegroup:
    data_space_id: int
    name: str
    is_read_only: bool = False


@dataclass(frozen=True)
class Database:
    """One database. `version` is new with every change and never used twice."""

    database_id: int
    name: str
    collation: str = DEFAULT_COLLATION
    created: str = ""
    snapshot_isolation: bool = False
    read_committed_snapshot: bool = True
    version: int = 0
    next_object_id: int = 901578250
    next_space_id: int = 65601
    next_schema_id: int = 5
    schemas: tuple[Schema, ...] = field(default=(Schema(1, "dbo"),))
    tables: tuple[Table, ...] = ()
    functions: tuple[PartitionFunction, ...] = ()
    schemes: tuple[PartitionScheme, ...] = ()
    filegroups: tuple[Filegroup, ...] = ()
    """Those beside [PRIMARY]."""
    users: tuple[User, ...] = ()
    """Those beside dbo and guest."""
    permissions: tuple[Permission, ...] = ()
    logins: tuple[SqlLogin, ...] = ()

    def schema(self, name: str) -> Schema | None:
        return next((s for s in self.schemas if s.name.lower() == name.lower()), None)

    def schema_by_id(self, schema_id: int) -> Schema:
        return next(s for s in self.schemas if s.schema_id == schema_id)

    def table(self, schema: str, name: str) -> Table | None:
        found = self.schema(schema or "dbo")
        if found is None:
            return None
        return next((t for t in self.tables if t.schema_id == found.schema_id and t.name.lower() == name.lower()), None)

    def table_by_id(self, object_id: int) -> Table | None:
        return next((t for t in self.tables if t.object_id == object_id), None)

    def function(self, name: str) -> PartitionFunction | None:
        return next((f for f in self.functions if f.name.lower() == name.lower()), None)

    def function_by_id(self, function_id: int) -> PartitionFunction:
        return next(f for f in self.functions if f.function_id == function_id)

    def scheme(self, name: str) -> PartitionScheme | None:
        return next((s for s in self.schemes if s.name.lower() == name.lower()), None)

    def scheme_by_id(self, data_space_id: int) -> PartitionScheme | None:
        return next((s for s in self.schemes if s.data_space_id == data_space_id), None)

    def function_of(self, data_space_id: int) -> PartitionFunction | None:
        """The partition function of a data space, None for a filegroup."""
        scheme = self.scheme_by_id(data_space_id)
        return self.function_by_id(scheme.function_id) if scheme else None

    def filegroup(self, name: str) -> Filegroup | None:
        return next((f for f in self.all_filegroups if f.name.lower() == name.lower()), None)

    @property
    def all_filegroups(self) -> tuple[Filegroup, ...]:
        return (Filegroup(PRIMARY_FILEGROUP, "PRIMARY"), *self.filegroups)

    @property
    def read_only_filegroups(self) -> frozenset[int]:
        return frozenset(f.data_space_id for f in self.filegroups if f.is_read_only)

    def filegroup_name(self, data_space_id: int) -> str:
        return next(f.name for f in self.all_filegroups if f.data_space_id == data_space_id)

    def filegroup_of(self, data_space_id: int, partition: int) -> int:
        """The filegroup of a partition of a scheme, or the data space itself when it is a filegroup."""
        scheme = self.scheme_by_id(data_space_id)
        if scheme is None:
            return data_space_id
        return scheme.filegroups[partition - 1] if scheme.filegroups else PRIMARY_FILEGROUP

    def filegroups_of(self, data_space_id: int) -> frozenset[int]:
        """All filegroups of a scheme, or the filegroup itself."""
        function = self.function_of(data_space_id)
        fanout = function.fanout if function else 1
        return frozenset(self.filegroup_of(data_space_id, n) for n in range(1, fanout + 1))

    def scheme_of(self, table: Table) -> PartitionScheme | None:
        return self.scheme_by_id(table.base.data_space_id)

    def full_name(self, table: Table) -> str:
        """schema.table, as error messages write it."""
        return f"{self.schema_by_id(table.schema_id).name}.{table.name}"

    def with_table(self, table: Table) -> Database:
        """The same database with this table added or replaced."""
        others = tuple(t for t in self.tables if t.object_id != table.object_id)
        return replace(self, tables=(*others, table))

    def without_table(self, table: Table) -> Database:
        return replace(self, tables=tuple(t for t in self.tables if t.object_id != table.object_id))

    @property
    def alias(self) -> str:
        """The name under which DuckDB has the database's file."""
        return f"db{self.database_id}"
