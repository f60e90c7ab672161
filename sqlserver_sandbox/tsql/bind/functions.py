"""Scalar functions: the registry. Each family has its own file; a name in none of them is 195."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.bind import (
    functions_bytes,
    functions_dates,
    functions_general,
    functions_objects,
    functions_session,
    functions_system,
    functions_text,
)
from sqlserver_sandbox.tsql.bind.bound import Bound, raise_sql
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call

MORE_THAN_ONE_ROW = raise_sql(
    SqlError(
        512,
        "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the"
        " subquery is used as an expression.",
    )
)

RULES: dict[str, Callable[[ExpressionBinder, Call], Bound]] = {
    **functions_general.RULES,
    **functions_text.RULES,
    **functions_bytes.RULES,
    **functions_dates.RULES,
    **functions_system.RULES,
    **functions_session.RULES,
    **functions_objects.RULES,
}

_KNOWN_OFF_LIST = frozenset(
    [
        "string_agg",
        "checksum",
        "binary_checksum",
        "checksum_agg",
        "json_value",
        "json_query",
        "isjson",
        "openjson",
        "string_split",
        "translate",
        "format",
        "parse",
        "try_parse",
        "str",
        "patindex",
        "charindex",
        "stuff",
        "replicate",
        "reverse",
        "space",
        "ascii",
        "char",
        "nchar",
        "unicode",
        "soundex",
        "difference",
        "trim",
        "round",
        "floor",
        "ceiling",
        "abs",
        "power",
        "sqrt",
        "exp",
        "log",
        "log10",
        "rand",
        "sign",
        "pi",
        "square",
        "choose",
        "greatest",
        "least",
        "datename",
        "switchoffset",
        "todatetimeoffset",
        "isdate",
        "isnumeric",
        "datetrunc",
        "date_bucket",
        "ident_current",
        "compress",
        "decompress",
        "formatmessage",
        "stdev",
        "var",
        "stdevp",
        "varp",
        "ntile",
        "first_value",
        "last_value",
        "percentile_cont",
        "cume_dist",
        "percent_rank",
        "newsequentialid",
        "host_name",
        "app_name",
        "scope_identity",
        "session_context",
        "context_info",
        "object_definition",
        "columnproperty",
        "objectpropertyex",
        "type_id",
        "type_name",
        "col_name",
        "col_length",
        "index_col",
        "parsename",
        "user_id",
        "suser_id",
        "fn_helpcollations",
        "change_tracking_current_version",
        "change_tracking_min_valid_version",
    ]
)


def bind_call(binder: ExpressionBinder, node: Call) -> Bound:
    """A scalar function. Raises 195 for no such function, 174 for a wrong number of arguments, the refusal off the list."""
    rule = RULES.get(node.name)
    if rule is None:
        if node.name in _KNOWN_OFF_LIST:
            raise refused(f"the function {node.name.upper()}", line=node.line)
        raise SqlError(195, f"'{node.name}' is not a recognized built-in function name.", class_=15, line=node.line)
    if node.distinct or node.star:
        raise SqlError(
            102,
            "Incorrect syntax near '*'." if node.star else "Incorrect syntax near the keyword 'DISTINCT'.",
            class_=15,
        )
    return rule(binder, node)
