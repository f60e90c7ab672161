"""SQL macros: comparison keys, text lengths and checks, in DuckDB's own vectorised functions."""

from __future__ import annotations

import duckdb

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql.bind.bound import error_text
from sqlserver_sandbox.tsql.collations import BIN2_ORDERABLE_UNICODE, BIN2_ORDERABLE_VARCHAR, COMPARABLE, ORDERABLE
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import INT_RANGE
from sqlserver_sandbox.tsql.values.errors import overflow
from sqlserver_sandbox.tsql.values.storage import text_literal

_CODE_PAGE = (
    "[\\x{00}-\\x{7F}\\x{81}\\x{8D}\\x{8F}\\x{90}\\x{9D}\\x{A0}-\\x{FF}\\x{20AC}\\x{201A}\\x{192}\\x{201E}\\x{2026}\\x{2020}\\x{2021}"
    "\\x{2C6}\\x{2030}\\x{160}\\x{2039}\\x{152}\\x{17D}\\x{2018}\\x{2019}\\x{201C}\\x{201D}\\x{2022}\\x{2013}\\x{2014}\\x{2DC}"
    "\\x{2122}\\x{161}\\x{203A}\\x{153}\\x{17E}\\x{178}]*"
)
_SUPPLEMENTARY = "[^\\x{10000}-\\x{10FFFF}]"


def _error(error: SqlError) -> str:
    return f"error({text_literal(error_text(error))})"


_COMPARE = _error(
    refused(
        "comparing text outside the letters it knows under a linguistic collation (use COLLATE Latin1_General_100_BIN2)"
    )
)
_ORDER = _error(
    refused(
        "ordering text other than letters, digits, blanks and underscores under a"
        " linguistic collation (use COLLATE Latin1_General_100_BIN2)"
    )
)
_ORDER_BINARY = _error(
    refused("ordering control characters, or text where code points and stored bytes sort differently")
)
_SURROGATES = _error(refused("positions in text with characters beyond the basic plane"))
_NARROW = _error(refused("text outside code page 1252 as char or varchar (use nchar, nvarchar, N'…')"))


def _checked(pattern: str, value: str, error: str) -> str:
    return f"CASE WHEN x IS NULL THEN NULL WHEN regexp_full_match(x, '(?s){pattern}') THEN {value} ELSE {error} END"


def _comparable(value: str) -> str:
    """Plain ASCII by a short pattern first: nearly all text is."""
    return (
        f"CASE WHEN x IS NULL THEN NULL WHEN regexp_full_match(x, '[ -~]*') OR regexp_full_match(x, '{COMPARABLE}')"
        f" THEN {value} ELSE {_COMPARE} END"
    )


def _range_check(name: str) -> str:
    low, high = INT_RANGE[name]
    return f"WHEN t = '{name}' AND x NOT BETWEEN {low} AND {high} THEN {_error(overflow('expression', SqlType(name)))}"


MACROS = {
    "fold_ci(x)": _comparable("lower(rtrim(x, ' '))"),
    "fold_cs(x)": _comparable("rtrim(x, ' ')"),
    "checked_text(x)": _comparable("x"),
    "order_ci(x)": _checked(ORDERABLE, "replace(lower(rtrim(x, ' ')), '_', '!')", _ORDER),
    "order_bin_unicode(x)": _checked(BIN2_ORDERABLE_UNICODE, "rtrim(x, ' ')", _ORDER_BINARY),
    "order_bin_varchar(x)": _checked(BIN2_ORDERABLE_VARCHAR, "rtrim(x, ' ')", _ORDER_BINARY),
    # Groups from the right; the third is stored little-endian, as are the second and the first.
    "order_guid(x)": "substr(x, 25, 12) || substr(x, 20, 4) || substr(x, 17, 2) || substr(x, 15, 2) ||"
    " substr(x, 12, 2) || substr(x, 10, 2)"
    " || substr(x, 7, 2) || substr(x, 5, 2) || substr(x, 3, 2) || substr(x, 1, 2)",
    "text_units(x)": "CASE WHEN strlen(x) = length(x) THEN length(x)"
    f" ELSE length(x) + length(regexp_replace(x, '{_SUPPLEMENTARY}', '', 'g')) END",
    "plain_text(x)": "CASE WHEN x IS NULL THEN NULL WHEN strlen(x) = length(x) OR"
    f" regexp_full_match(x, '(?s){_SUPPLEMENTARY}*') THEN x ELSE {_SURROGATES} END",
    "narrow_text(x)": "CASE WHEN x IS NULL THEN NULL WHEN strlen(x) = length(x) OR regexp_full_match(x,"
    f" '(?s){_CODE_PAGE}') THEN x ELSE {_NARROW} END",
    "slice_bytes(x, s, n)": "CASE WHEN n = 0 THEN ''::BLOB ELSE x[s : s + n - 1] END",
    "finite_float(x)": f"CASE WHEN isinf(x) THEN {_error(overflow('expression', SqlType('float')))} ELSE x END",
    "finite_real(x)": f"CASE WHEN isinf(x) THEN {_error(overflow('expression', SqlType('real')))} ELSE x END",
    "checked_sum(x, t)": f"CASE {_range_check('int')} {_range_check('bigint')} ELSE x END",
}


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros in the instance's own catalogue, where every session finds them unqualified."""
    for signature, body in MACROS.items():
        connection.execute(f"CREATE OR REPLACE MACRO memory.main.{signature} AS ({body})")
