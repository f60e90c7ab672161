"""Bound expressions and queries: DuckDB text in the storage form of its declared type."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlserver_sandbox.model import DEFAULT_COLLATION, SqlError, SqlType
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.types import STRINGS, duck_type
from sqlserver_sandbox.tsql.values.storage import literal, text_literal

MARK = "\x1f"
"""Frames an engine error's number inside DuckDB's own exception text."""


@dataclass(frozen=True)
class Constant:
    """A value known while binding; None is NULL."""

    value: object


@dataclass(frozen=True)
class Bound:
    """`label` ranks collations: default (literals, variables), implicit (columns), explicit (COLLATE)."""

    sql: str
    type: SqlType
    nullable: bool = True
    constant: Constant | None = None
    label: str = "default"
    null_literal: bool = False
    identity: bool = False
    name: str = ""
    volatile: bool = False
    variants: tuple[SqlType, ...] = field(default=())
    plain: bool = False
    """Text that is surely ASCII."""
    error: SqlError | None = None
    """What evaluating it surely raises."""

    @property
    def is_text(self) -> bool:
        return self.type.name in STRINGS

    @property
    def collation(self) -> str:
        return self.type.collation or DEFAULT_COLLATION


@dataclass(frozen=True)
class BoundQuery:
    """`columns` describe c1, c2, … of `sql` in order; `name` of each is what the client sees."""

    sql: str
    columns: tuple[Bound, ...]
    single_row: bool = False
    assigns: tuple[str, ...] = ()


def constant(value: object, declared: SqlType, *, label: str = "default") -> Bound:
    return Bound(literal(value, declared), declared, value is None, Constant(value), label)


def null() -> Bound:
    """The word NULL: an int until something tells its type."""
    return replace(constant(None, SqlType("int")), null_literal=True)


def computed(
    sql: str, declared: SqlType, *parts: Bound, nullable: bool | None = None, label: str | None = None
) -> Bound:
    """An expression over `parts`: NULL when one of them may be, unless told."""
    may = any(p.nullable for p in parts) if nullable is None else nullable
    return Bound(sql, declared, may, label=label or "default", volatile=any(p.volatile for p in parts))


def error_text(error: SqlError) -> str:
    """How an error travels through DuckDB: number, class and state between marks."""
    return f"{MARK}{error.number},{error.class_},{error.state}{MARK}{error.message}{MARK}"


def raise_sql(error: SqlError, declared: SqlType | None = None) -> str:
    """DuckDB text that raises `error` when it is evaluated."""
    call = f"error({text_literal(error_text(error))})"
    return f"CAST({call} AS {duck_type(declared)})" if declared else call


def raising(error: SqlError, declared: SqlType) -> Bound:
    """An expression that fails when, and only when, it is evaluated."""
    return Bound(raise_sql(error, declared), declared, True, error=error)


def cast(sql: str, declared: SqlType) -> str:
    return f"CAST({sql} AS {duck_type(declared)})"
