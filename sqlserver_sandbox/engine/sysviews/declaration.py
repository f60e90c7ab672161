"""How a system view is declared: columns in a compact notation, and a function that makes its rows from a `Source`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sqlserver_sandbox.engine.sysviews.facts import Facts
from sqlserver_sandbox.model import MAX, SqlType
from sqlserver_sandbox.tsql.bind.context import SystemColumn
from sqlserver_sandbox.tsql.catalogue import Database
from sqlserver_sandbox.tsql.values.datetimes import parse_datetime

CATALOGUE_COLLATION = "SQL_Latin1_General_CP1_CI_AS"
"""Of all names. SQL Server gives *_desc columns Latin1_General_CI_AS_KS_WS; the sandbox compares them as names."""


@dataclass(frozen=True)
class Source:
    """What rows are made from. `database` is the one whose view is read; `databases` gives all of them."""

    facts: Facts
    database: Database
    databases: Callable[[], tuple[Database, ...]]


@dataclass(frozen=True)
class View:
    """`spec` is 'name type, …'; a type that ends in ? is nullable, n(60) is nvarchar(60), name is sysname."""

    spec: str
    rows: Callable[[Source], list[tuple[object, ...]]]

    def columns(self, database: Database) -> tuple[SystemColumn, ...]:
        variants = tuple(dict.fromkeys(f.type for f in database.functions))
        return tuple(
            SystemColumn(c.name, c.type, c.nullable, variants if c.type.name == "sql_variant" else ())
            for c in parse_columns(self.spec)
        )


@lru_cache(maxsize=128)
def parse_columns(spec: str) -> tuple[SystemColumn, ...]:
    columns = []
    for item in spec.replace("\n", " ").split(","):
        name, word = item.split()
        nullable = word.endswith("?")
        columns.append(SystemColumn(name, _type(word.rstrip("?")), nullable))
    return tuple(columns)


def _type(word: str) -> SqlType:
    if word == "name":
        return SqlType("nvarchar", 128, collation=CATALOGUE_COLLATION)
    if word.startswith(("n(", "nc(", "v(", "c(", "vb(")):
        kind, _, rest = word.partition("(")
        length = MAX if rest == "max)" else int(rest.rstrip(")"))
        name = {"n": "nvarchar", "nc": "nchar", "v": "varchar", "c": "char", "vb": "varbinary"}[kind]
        return SqlType(name, length, collation=None if kind == "vb" else CATALOGUE_COLLATION)
    if word == "variant":
        return SqlType("sql_variant")
    return SqlType(word)


def no_rows(source: Source) -> list[tuple[object, ...]]:
    """For what the sandbox does not have: foreign keys, masks, policies …"""
    return []


def stored_time(text: str) -> object:
    """A catalogue time as datetime stores it."""
    return parse_datetime(text, SqlType("varchar"), SqlType("datetime"), None) if text else None
