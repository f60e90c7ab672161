"""Functions on text: lengths and positions count UTF-16 units, as SQL Server's do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlserver_sandbox.model import DEFAULT_COLLATION, MAX, SqlError, SqlType
from sqlserver_sandbox.tsql import collations
from sqlserver_sandbox.tsql.bind.arguments import INT, as_int, as_text, exactly, known_int, nvarchar
from sqlserver_sandbox.tsql.bind.arithmetic import concatenated_type
from sqlserver_sandbox.tsql.bind.bound import Bound, computed, raise_sql
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.unify import common_collation
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import BINARIES, UNICODE, is_max
from sqlserver_sandbox.tsql.values.storage import text_literal

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call


def _varying(declared: SqlType, length: int | None = None) -> SqlType:
    """The variable-length type of the same kind."""
    name = "nvarchar" if declared.name in UNICODE else "varchar"
    return SqlType(name, declared.length if length is None else length, collation=declared.collation)


def _len(binder: ExpressionBinder, node: Call) -> Bound:
    """Units without the blanks at the end; bigint for (max) types."""
    (value,) = exactly(binder, node, 1)
    text = as_text(value, "len")
    target = SqlType("bigint") if is_max(text.type) else INT
    return computed(f"CAST(text_units(rtrim({text.sql}, ' ')) AS {_duck(target)})", target, text)


def _duck(target: SqlType) -> str:
    return "BIGINT" if target.name == "bigint" else "INTEGER"


def _side(function: str) -> Callable[[ExpressionBinder, Call], Bound]:
    def rule(binder: ExpressionBinder, node: Call) -> Bound:
        value, count = exactly(binder, node, 2)
        text, length = as_text(value, function), as_int(count)
        known = count.constant.value if count.constant is not None else None
        target = _varying(text.type, _shorter(text.type.length, known))
        negative = raise_sql(SqlError(536, f"Invalid length parameter passed to the {function} function."), target)
        sql = f"CASE WHEN {length.sql} < 0 THEN {negative} ELSE {function}(plain_text({text.sql}), {length.sql}) END"
        return computed(sql, target, text, length, label=text.label)

    return rule


def _shorter(length: int, known: object) -> int:
    if not isinstance(known, int) or known < 1:
        return length
    return min(length, known) if length != MAX else length


def _substring(binder: ExpressionBinder, node: Call) -> Bound:
    value, start, count = exactly(binder, node, 3)
    if value.type.name in BINARIES:
        return _subbytes(value, start, count)
    text = as_text(value, "substring")
    first, length = as_int(start), as_int(count)
    known = count.constant.value if count.constant is not None else None
    target = _varying(text.type, _shorter(text.type.length, known))
    negative = raise_sql(SqlError(537, "Invalid length parameter passed to the LEFT or SUBSTRING function."), target)
    # Positions before 1 use up length: SUBSTRING('abc', 0, 2) is 'a'.
    begin = f"greatest({first.sql}, 1)"
    taken = f"greatest(CAST({first.sql} AS BIGINT) + {length.sql} - {begin}, 0)"
    sql = (
        f"CASE WHEN {length.sql} < 0 THEN {negative}"
        f" WHEN {first.sql} IS NULL OR {length.sql} IS NULL THEN NULL ELSE"
        f" substring(plain_text({text.sql}), {begin}, {taken}) END"
    )
    return computed(sql, target, text, first, length, label=text.label)


def _subbytes(value: Bound, start: Bound, count: Bound) -> Bound:
    first, length = (
        known_int(start, "SUBSTRING of bytes with a start"),
        known_int(count, "SUBSTRING of bytes with a length"),
    )
    width = 8 if value.type.name == "rowversion" else value.type.length
    if first is None or length is None:
        return convert(Bound("NULL", value.type), SqlType("varbinary", 1))
    if length < 0:
        raise SqlError(537, "Invalid length parameter passed to the LEFT or SUBSTRING function.")
    target = SqlType("varbinary", max(1, _shorter(width, length)))
    begin = max(first, 1)
    return computed(f"slice_bytes({value.sql}, {begin}, {max(first + length - begin, 0)})", target, value)


def _same(duck: str, *, trims: bool = False) -> Callable[[ExpressionBinder, Call], Bound]:
    def rule(binder: ExpressionBinder, node: Call) -> Bound:
        (value,) = exactly(binder, node, 1)
        text = as_text(value, node.name)
        sql = f"{duck}({text.sql}, ' ')" if trims else f"{duck}(checked_text({text.sql}))"
        return computed(sql, _varying(text.type), text, label=text.label)

    return rule


def _replace(binder: ExpressionBinder, node: Call) -> Bound:
    """Under a bin2 collation, or with a search text that has no letters: others would need folding in place."""
    texts = [as_text(a, "replace", i) for i, a in enumerate(exactly(binder, node, 3), 1)]
    collation, label = common_collation(texts, "replace")
    search = texts[1]
    folds = collations.collation(collation).kind == "ci"
    known = search.constant.value if search.constant is not None else None
    if folds and not (isinstance(known, str) and known.isascii() and not any(c.isalpha() for c in known)):
        raise refused("REPLACE of letters under a case-insensitive collation; add COLLATE Latin1_General_100_BIN2")
    unicode = any(t.type.name in UNICODE for t in texts)
    target = SqlType(
        "nvarchar" if unicode else "varchar",
        MAX if is_max(texts[0].type) else (4000 if unicode else 8000),
        collation=collation,
    )
    a, b, c = (convert(t, SqlType(target.name, MAX, collation=collation)) for t in texts)
    sql = f"CASE WHEN {b.sql} = '' THEN {a.sql} ELSE replace({a.sql}, {b.sql}, {c.sql}) END"
    replaced = computed(sql, SqlType(target.name, MAX, collation=collation), *texts, label=label)
    return replaced if target.length == MAX else convert(replaced, target)


def implicit_text(bound: Bound, *, unicode: bool) -> Bound:
    """An argument of CONCAT as text: the default style of its type, NULL as nothing."""
    if bound.is_text:
        return bound
    if bound.null_literal:
        return convert(bound, SqlType("varchar", 1, collation=DEFAULT_COLLATION))
    lengths = {
        "bit": 1,
        "tinyint": 3,
        "smallint": 6,
        "int": 12,
        "bigint": 24,
        "decimal": 41,
        "numeric": 41,
        "money": 24,
        "smallmoney": 24,
        "float": 24,
        "real": 24,
        "uniqueidentifier": 36,
    }
    length = lengths.get(bound.type.name, 40)
    if bound.type.name in BINARIES or bound.type.name in ("xml", "sql_variant"):
        raise refused(f"CONCAT of {bound.type.name}; convert it with a style")
    return convert(
        bound, SqlType("nvarchar" if unicode else "varchar", length, collation=DEFAULT_COLLATION), explicit=False
    )


def _concat(binder: ExpressionBinder, node: Call) -> Bound:
    if not 2 <= len(node.args) <= 254:
        raise SqlError(189, "The concat function requires 2 to 254 arguments.", class_=15, line=node.line)
    raw = [binder.bind(a) for a in node.args]
    unicode = any(p.type.name in UNICODE for p in raw)
    parts = [implicit_text(p, unicode=unicode) for p in raw]
    collation, label = common_collation(parts, "concat")
    declared = concatenated_type([p.type for p in parts], collation)
    unbounded = SqlType(declared.name, MAX, collation=collation)
    pieces = [convert(p, unbounded).sql for p in parts]
    joined = computed(f"concat({', '.join(pieces)})", unbounded, *parts, nullable=False, label=label)
    limit = 4000 if declared.name in UNICODE else 8000
    if declared.length == MAX or sum(p.type.length for p in parts) <= limit:
        return computed(joined.sql, declared, *parts, nullable=False, label=label)
    return convert(joined, declared)


def _quotename(binder: ExpressionBinder, node: Call) -> Bound:
    args = exactly(binder, node, 1, 2)
    if len(args) == 2:
        raise refused("QUOTENAME with a quote character; brackets are the default")
    text = convert(as_text(args[0], "quotename"), nvarchar(MAX))
    sql = f"CASE WHEN text_units({text.sql}) > 128 THEN NULL ELSE '[' || replace({text.sql}, ']', ']]') || ']' END"
    return computed(sql, nvarchar(258), text, nullable=True)


def _concat_ws(binder: ExpressionBinder, node: Call) -> Bound:
    if not 3 <= len(node.args) <= 254:
        raise SqlError(189, "The concat_ws function requires 3 to 254 arguments.", class_=15, line=node.line)
    raw = [binder.bind(a) for a in node.args]
    unicode = any(p.type.name in UNICODE for p in raw)
    parts = [implicit_text(p, unicode=unicode) for p in raw]
    if parts[0].constant is None:
        raise refused("CONCAT_WS with a separator that is not a constant or a variable")
    collation, label = common_collation(parts, "concat_ws")
    unbounded = SqlType("nvarchar" if unicode else "varchar", MAX, collation=collation)
    separator = text_literal(str(parts[0].constant.value or ""))
    pieces = [convert(p, unbounded).sql for p in parts[1:]]
    separators = SqlType(parts[0].type.name, parts[0].type.length, collation=collation)
    declared = concatenated_type([p.type for p in parts[1:]] + [separators] * (len(parts) - 2), collation)
    joined = computed(f"concat_ws({separator}, {', '.join(pieces)})", unbounded, *parts, nullable=False, label=label)
    return convert(joined, declared)


RULES: dict[str, Callable[[ExpressionBinder, Call], Bound]] = {
    "len": _len,
    "left": _side("left"),
    "right": _side("right"),
    "substring": _substring,
    "upper": _same("upper"),
    "lower": _same("lower"),
    "ltrim": _same("ltrim", trims=True),
    "rtrim": _same("rtrim", trims=True),
    "replace": _replace,
    "concat": _concat,
    "concat_ws": _concat_ws,
    "quotename": _quotename,
}
