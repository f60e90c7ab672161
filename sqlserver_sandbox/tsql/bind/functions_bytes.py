"""DATALENGTH and HASHBYTES: over exactly the bytes SQL Server stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql.bind.arguments import INT, exactly, known_text
from sqlserver_sandbox.tsql.bind.bound import Bound, computed, constant
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import BINARIES, UNICODE, catalogue_sizes, is_max
from sqlserver_sandbox.tsql.values.texts import is_utf8

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call

ALGORITHMS = {
    "SHA2_256": ("sha256", 32),
    "SHA2_512": ("sha512", 64),
    "MD5": ("md5", 16),
    "SHA1": ("sha1", 20),
    "SHA": ("sha1", 20),
}


def _datalength(binder: ExpressionBinder, node: Call) -> Bound:
    """Bytes; bigint for (max) types.."""
    (value,) = exactly(binder, node, 1)
    target = SqlType("bigint") if is_max(value.type) else INT
    duck = "BIGINT" if target.name == "bigint" else "INTEGER"
    if value.null_literal:
        return constant(None, INT)
    if value.is_text:
        if value.type.name in UNICODE:
            size = f"(2 * text_units({value.sql}))"
        else:
            size = f"strlen({value.sql})" if is_utf8(value.type) else f"length({value.sql})"
        return computed(f"CAST({size} AS {duck})", target, value)
    if value.type.name in BINARIES:
        return computed(f"CAST(octet_length({value.sql}) AS {duck})", target, value)
    if value.type.name in ("xml", "sql_variant"):
        raise refused(f"DATALENGTH of {value.type.name}")
    width = catalogue_sizes(value.type)[0]
    return computed(f"CASE WHEN {value.sql} IS NULL THEN NULL ELSE {width} END", INT, value)


def _hashbytes(binder: ExpressionBinder, node: Call) -> Bound:
    which, value = exactly(binder, node, 2)
    name = known_text(which, "a hash algorithm")
    algorithm = ALGORITHMS.get((name or "").upper())
    if algorithm is None:
        if (name or "").upper() in ("MD2", "MD4"):
            raise refused(f"HASHBYTES('{name}')")
        return constant(None, SqlType("varbinary", 8000))
    if value.null_literal:
        return constant(None, SqlType("varbinary", 8000))
    target = SqlType("varbinary", 8000)
    if value.is_text and value.type.name not in ("text", "ntext"):
        encoding = "utf16" if value.type.name in UNICODE else "utf8" if is_utf8(value.type) else "cp1252"
        return computed(f"hash_text('{algorithm[0]}', '{encoding}', {value.sql})", target, value)
    if value.type.name in BINARIES and value.type.name != "image":
        return computed(f"hash_bytes('{algorithm[0]}', {value.sql})", target, value)
    raise SqlError(8116, f"Argument data type {value.type.name} is invalid for argument 2 of hashbytes function.")


RULES: dict[str, Callable[[ExpressionBinder, Call], Bound]] = {"datalength": _datalength, "hashbytes": _hashbytes}
