"""The values that the wire and the engine exchange: declared types, columns, outcomes and errors.

`wire` turns these into TDS tokens and never looks at SQL; `engine` and `tsql` produce them and never look at bytes. This
file is their whole contract.

Every declared type has one Arrow form, the same in storage (DuckDB) and on the way to the wire. It is chosen so that each
value SQL Server can hold is held exactly:

| declared | Arrow form |
| --- | --- |
| bit | bool |
| tinyint / smallint / int / bigint | uint8 / int16 / int32 / int64 |
| decimal(p,s), numeric(p,s) | decimal128(p,s) |
| money / smallmoney | decimal128(19,4) / decimal128(10,4) |
| float / real | float64 / float32 |
| date | date32 |
| time(n) | int64: 100 ns ticks since midnight |
| datetime2(n) | int64: 100 ns ticks since 0001-01-01T00:00 (whatever n is) |
| datetime | int64: 1/300 s since 1900-01-01T00:00, negative before |
| smalldatetime | int64: minutes since 1900-01-01T00:00 |
| datetimeoffset(n) | struct<ticks: int64 (UTC instant, as datetime2), offset: int16 (minutes)> |
| char, varchar, nchar, nvarchar, text, ntext, xml, sysname | utf8 (char and nchar blank-padded to their length) |
| binary, varbinary, image, rowversion | binary (binary zero-padded to its length; rowversion 8 bytes, big-endian) |
| uniqueidentifier | utf8: 36 upper-case characters |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

ArrowArray: TypeAlias = "pa.Array[Any]"
"""An Arrow array of any type; quoted, because pyarrow's own class is generic for type checkers only."""

DEFAULT_COLLATION = "SQL_Latin1_General_CP1_CI_AS"
MAX = -1
"""The length of a (max) type."""

TICKS_PER_SECOND = 10_000_000
TICKS_PER_DAY = 86_400 * TICKS_PER_SECOND


@dataclass(frozen=True)
class SqlType:
    """A declared SQL Server type.

    `length` counts characters for char/varchar/nchar/nvarchar, bytes for binary/varbinary, MAX for (max) and is 0 for
    every other type. `precision` and `scale` belong to decimal/numeric; `scale` alone to time, datetime2 and datetimeoffset.
    `name` is lower case and one of the names in the table above (`timestamp` is spelt `rowversion`).
    """

    name: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    collation: str | None = None


@dataclass(frozen=True)
class Column:
    """One column of a result: its name as the client sees it ('' when unnamed), declared type and nullability."""

    name: str
    type: SqlType
    nullable: bool = True
    is_identity: bool = False
    is_computed: bool = False


@dataclass(frozen=True)
class Parameter:
    """A parameter value with the type the client declared for it. `value` is a one-element array in the type's Arrow form."""

    name: str
    type: SqlType
    value: ArrowArray


# ---- what a statement answers, in order ------------------------------------------------------------------------------
@dataclass(frozen=True)
class ResultSet:
    """Rows. `batches` is consumed once, lazily; each batch has one array per column, in its declared type's Arrow form."""

    columns: tuple[Column, ...]
    batches: Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class RawColumn:
    """A column whose TYPE_INFO is given byte by byte, with its UserType and its flags ([MS-TDS] 2.2.7.4)."""

    name: str
    type_info: bytes
    user_type: int = 0
    flags: int = 0


@dataclass(frozen=True)
class RawResult:
    """Rows whose values are given byte by byte, with whatever delimits them: what a canned answer is made of."""

    columns: tuple[RawColumn, ...]
    rows: tuple[tuple[bytes, ...], ...]


@dataclass(frozen=True)
class RowsAffected:
    """A statement without rows is done. `count` is None when the statement has no row count (DDL, SET) or NOCOUNT is ON.

    `command` is the DONE token's CurCmd: 0xC1 SELECT, 0xC3 INSERT, 0xC4 DELETE, 0xC5 UPDATE, 0xC6 CREATE/other DDL, 0 SET.
    """

    count: int | None
    command: int = 0


@dataclass(frozen=True)
class ReturnCode:
    """What a procedure that was called by name returned: RETURNSTATUS."""

    value: int


@dataclass(frozen=True)
class Info:
    """An informational message (INFO token, class 0-10), for example PRINT or 'Changed database context'."""

    number: int
    text: str
    class_: int = 0
    state: int = 1


@dataclass(frozen=True)
class TransactionChange:
    """The connection's transaction began, committed or rolled back: ENVCHANGE 8, 9, 10 with the descriptor (never 0)."""

    kind: str  # "begin" | "commit" | "rollback"
    descriptor: int


@dataclass(frozen=True)
class DatabaseChange:
    """USE took effect: ENVCHANGE 1."""

    new: str
    old: str


@dataclass(frozen=True)
class BulkStart:
    """INSERT BULK was accepted; the client's next message is bulk data for these columns, in this order.

    The wire decodes it into batches (declared types' Arrow forms, as the client's COLMETADATA declares them) and hands
    them to `Session.bulk_insert(target, batches)`.
    """

    target: BulkTarget


@dataclass(frozen=True)
class BulkTarget:
    """Where bulk rows go: table, the columns named in INSERT BULK, and its options in lower case (KEEP_NULLS, TABLOCK …)."""

    schema: str
    table: str
    columns: tuple[Column, ...]
    options: tuple[str, ...] = ()


Outcome: TypeAlias = (
    "ResultSet | RawResult | RowsAffected | ReturnCode | Info"
    " | TransactionChange | DatabaseChange | BulkStart | SqlError"
)


class SqlError(Exception):
    """An error as SQL Server numbers it. `class_` is its severity: 15 syntax, 14 permission, 16 general, 20+ ends the connection.

    Raised by the engine, or yielded as an outcome when the batch goes on after it (SQL Server ends only the statement for
    most errors of class 16 while XACT_ABORT is OFF).
    """

    def __init__(self, number: int, message: str, *, class_: int = 16, state: int = 1, line: int = 1) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.class_ = class_
        self.state = state
        self.line = line


class Cancelled(Exception):
    """The client sent an attention while the statement ran; the engine stopped it. The transaction stays as it is."""


# ---- misbehaviour ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Occasion:
    """A moment at which something may be made to go wrong: a statement's kind, its batch's text, and the tables it names.

    `kind` is one of `faults.plan.KINDS`, or accept, tls, login. `tables` are written as the statement writes them, schema.table.
    """

    kind: str
    text: str = ""
    database: str = ""
    tables: frozenset[str] = frozenset()


class Interference(Protocol):
    """What may be put between a session and its statements, to make them fail as on a bad day. See `faults`."""

    def before(self, occasion: Occasion) -> None:
        """A statement is about to run. Raises SqlError for it to fail, Cancelled, or what ends the connection."""
        ...

    def after(self) -> None:
        """It ran, and took effect."""
        ...

    def rows(self, occasion: Occasion, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows it sends in place of `batches`."""
        ...

    def counted(self, database: str, table: str, counts: list[int]) -> list[int]:
        """What the catalogue says in place of a table's row counts, by partition."""
        ...

    def cancel(self) -> None:
        """The client sent an attention. Called from another thread."""
        ...

    def control(self, plan: str | None) -> list[tuple[int, str, int, str]]:
        """EXEC sandbox_faults: what went wrong so far; then `plan` begins."""
        ...


class Session(Protocol):
    """One connection's engine side. Called from one thread, except `cancel`."""

    @property
    def database(self) -> str:
        """The current database."""
        ...

    @property
    def spid(self) -> int:
        """The session's number, as @@SPID gives it; it is in the header of every packet that the server sends."""
        ...

    def interfere(self, interference: Interference) -> None:
        """From now on every statement asks it first."""
        ...

    def execute(self, sql: str, parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
        """Run one batch; yields one outcome per statement (plus infos and environment changes) as it happens.

        Keys of `parameters` are names without the @, lower case. Rows of a ResultSet must be consumed before the next
        outcome is asked for.
        """
        ...

    def describe_parameters(self, sql: str, declared: str) -> list[tuple[str, SqlType]]:
        """What sp_describe_undeclared_parameters suggests for each undeclared @name in `sql`, in order of appearance."""
        ...

    def describe_result(self, sql: str, declared: str) -> tuple[Column, ...]:
        """The columns of the first result of `sql`, without running it (FMTONLY, sp_describe_first_result_set)."""
        ...

    def call(self, procedure: str, arguments: list[tuple[str, Parameter]]) -> Iterator[Outcome]:
        """Run a system procedure called by name over RPC (sp_datatype_info_100, sp_columns_100, sp_tables, sp_getapplock …).

        `arguments` are (name without @ or '', value) in order. Raises SqlError 2812 for what is not on the list.
        """
        ...

    def bulk_insert(self, target: BulkTarget, batches: Iterator[pa.RecordBatch]) -> int:
        """Insert bulk rows atomically (all batches or none); returns the row count."""
        ...

    def begin(self, isolation: int = 0) -> Iterator[Outcome]:
        """Transaction-manager request 5. `isolation` is TDS's code (0 keep, 1 RU, 2 RC, 3 RR, 4 serializable, 5 snapshot)."""
        ...

    def commit(self) -> Iterator[Outcome]: ...

    def rollback(self) -> Iterator[Outcome]: ...

    def reset(self, *, keep_transaction: bool) -> Iterator[Outcome]:
        """sp_reset_connection: drop temporary state and SET options, roll back unless told to keep the transaction."""
        ...

    def cancel(self) -> None:
        """Called from another thread on attention: interrupt the running statement."""
        ...

    def close(self) -> None:
        """The connection is gone: roll back, release."""
        ...


class Engine(Protocol):
    """The server behind the wire."""

    version: tuple[int, int, int]
    server_name: str

    def login(
        self, *, user: str, password: str, database: str, application: str, host: str, token: str | None = None
    ) -> Session:
        """A new session. A token stands for user and password. Raises SqlError 18456 (login failed) or 4060 (cannot open
        database)."""
        ...

    def close(self) -> None: ...
