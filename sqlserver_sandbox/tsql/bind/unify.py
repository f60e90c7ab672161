"""What two or more expressions become together: data type precedence, sizes, collation rules."""

from __future__ import annotations

from collections.abc import Sequence

from sqlserver_sandbox.model import DEFAULT_COLLATION, MAX, SqlError, SqlType
from sqlserver_sandbox.tsql import collations
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import BINARIES, DECIMALS, LOB, PRECEDENCE, STRINGS, UNICODE, decimal_shape

_LABELS = ("default", "implicit", "explicit")


def common_collation(parts: Sequence[Bound], operation: str) -> tuple[str, str]:
    """(collation, label) of texts that meet. 468 when two columns or two COLLATE clauses disagree."""
    texts = [p for p in parts if p.is_text]
    if not texts:
        return DEFAULT_COLLATION, "default"
    label = max((p.label for p in texts), key=_LABELS.index)
    top = [p.collation for p in texts if p.label == label]
    for other in top[1:]:
        if not collations.same(other, top[0]):
            raise SqlError(
                468,
                f'Cannot resolve the collation conflict between "{other}" and "{top[0]}" in the {operation} operation.',
            )
    return top[0], label


def common_type(parts: Sequence[Bound], operation: str = "CASE") -> tuple[SqlType, str]:
    """(type, collation label) that all `parts` convert to."""
    typed = [p for p in parts if not p.null_literal]
    if not typed:
        return SqlType("int"), "default"
    names = {p.type.name for p in typed}
    if names & {"xml", "sql_variant"}:
        if len(names) == 1 and "xml" in names:
            return SqlType("xml"), "default"
        raise refused(f"mixing {' and '.join(sorted(names))}")
    name = min(names, key=PRECEDENCE.index)
    collation, label = common_collation(typed, operation)
    return _sized(name, [p.type for p in typed], collation), label


def _sized(name: str, types: list[SqlType], collation: str) -> SqlType:
    if name in DECIMALS:
        return _decimal(name, types)
    if name in ("time", "datetime2", "datetimeoffset"):
        return SqlType(name, scale=max(fraction_digits(t) for t in types))
    if name in STRINGS:
        return _text(types, name, collation)
    if name in BINARIES and name != "rowversion":
        lengths = [8 if t.name == "rowversion" else t.length for t in types if t.name in BINARIES]
        kind = "varbinary" if any(t.name == "varbinary" for t in types) else name
        return SqlType(kind, MAX if MAX in lengths else max(lengths))
    return SqlType(name)


def fraction_digits(declared: SqlType) -> int:
    """Digits of second that a type brings into a date and time of a higher type."""
    if declared.name in ("time", "datetime2", "datetimeoffset"):
        return declared.scale
    return 3 if declared.name == "datetime" else 0


def _decimal(name: str, types: list[SqlType]) -> SqlType:
    shapes = [decimal_shape(t) for t in types if t.name not in (*STRINGS, *BINARIES)]
    scale = max(s for _, s in shapes)
    whole = max(p - s for p, s in shapes)
    precision = min(38, whole + scale)
    # Digits before the point are kept, the scale gives way.
    return SqlType(name, precision=precision, scale=min(scale, precision - whole if whole + scale > 38 else scale))


def _text(types: list[SqlType], name: str, collation: str) -> SqlType:
    texts = [t for t in types if t.name in STRINGS]
    if name in LOB:
        return SqlType(name, collation=collation)
    unicode = any(t.name in UNICODE for t in texts)
    lengths = [t.length for t in texts if t.name not in LOB]
    if MAX in lengths:
        return SqlType("nvarchar" if unicode else "varchar", MAX, collation=collation)
    fixed = all(t.name in ("char", "nchar") for t in texts)
    limit = 4000 if unicode else 8000
    base = ("nchar" if unicode else "char") if fixed else ("nvarchar" if unicode else "varchar")
    return SqlType(base, min(limit, max(lengths)), collation=collation)


def with_collation(declared: SqlType, collation: str) -> SqlType:
    return replace(declared, collation=collation) if declared.name in STRINGS else declared
