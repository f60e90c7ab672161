"""The @@ functions on the list."""

from __future__ import annotations

from collections.abc import Callable

from sqlserver_sandbox.model import DEFAULT_COLLATION, SqlError, SqlType
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.context import SessionFacts


def _int(value: int) -> Bound:
    return constant(value, SqlType("int"))


def _text(value: str, length: int = 128) -> Bound:
    return constant(value, SqlType("nvarchar", length, collation=DEFAULT_COLLATION))


_GLOBALS: dict[str, Callable[[SessionFacts], Bound]] = {
    "version": lambda f: _text(f.version_text, 300),
    "spid": lambda f: constant(f.spid, SqlType("smallint")),
    "trancount": lambda f: _int(f.trancount),
    "rowcount": lambda f: _int(f.rowcount),
    "error": lambda f: _int(f.error),
    "servername": lambda f: _text(f.server_name),
    "lock_timeout": lambda f: _int(f.lock_timeout),
    "options": lambda f: _int(f.options),
    "language": lambda f: _text("us_english"),
    "langid": lambda f: constant(0, SqlType("smallint")),
    "datefirst": lambda f: constant(7, SqlType("tinyint")),
    "max_precision": lambda f: constant(38, SqlType("tinyint")),
    "dbts": lambda f: constant(f.last_rowversion.to_bytes(8, "big"), SqlType("varbinary", 8)),
    "identity": lambda f: constant(f.identity, SqlType("numeric", precision=38)),
    "microsoftversion": lambda f: _int(int(f.product_version.split(".")[0]) << 24),
}


def bind_global(facts: SessionFacts, name: str) -> Bound:
    rule = _GLOBALS.get(name)
    if rule is None:
        raise SqlError(137, f'Must declare the scalar variable "@@{name}".', class_=15)
    return rule(facts)


NAMES = tuple(sorted(_GLOBALS))
