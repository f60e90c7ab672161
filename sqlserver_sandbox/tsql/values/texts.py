"""Text and bytes: code pages, lengths, padding, hexadecimal, uniqueidentifier."""

from __future__ import annotations

import re
import uuid

from sqlserver_sandbox.model import DEFAULT_COLLATION, MAX, SqlError, SqlType
from sqlserver_sandbox.tsql.collations import collation
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import UNICODE, is_max
from sqlserver_sandbox.tsql.values import errors

_UNDEFINED = "\x81\x8d\x8f\x90\x9d"
"""Bytes that Python's cp1252 leaves out and Windows maps to the control character of the same number."""


def is_utf8(declared: SqlType) -> bool:
    return collation(declared.collation or DEFAULT_COLLATION).utf8


def encode_text(text: str, declared: SqlType) -> bytes:
    """The bytes SQL Server stores: UTF-16LE for n-types, else the collation's code page. The refusal for text outside it."""
    if declared.name in UNICODE or declared.name == "xml":
        return text.encode("utf-16-le")
    return text.encode("utf-8") if is_utf8(declared) else encode_1252(text)


def encode_1252(text: str) -> bytes:
    try:
        return text.encode("cp1252")
    except UnicodeEncodeError:
        if not any(c in _UNDEFINED for c in text):
            raise outside_code_page(text) from None
        return b"".join(c.encode("latin-1") if c in _UNDEFINED else encode_1252(c) for c in text)


def outside_code_page(text: str) -> SqlError:
    """SQL Server would put a similar letter or a question mark; the sandbox does not guess."""
    return refused(f"the text {text[:40]!r} as char or varchar: not in code page 1252 (use nchar, nvarchar, N'…')")


def decode_text(data: bytes, declared: SqlType) -> str:
    try:
        if declared.name in UNICODE:
            return data.decode("utf-16-le")
        if is_utf8(declared):
            return data.decode("utf-8")
    except UnicodeDecodeError:
        raise refused(f"bytes that are no valid text of {declared.name}") from None
    return "".join(chr(b) if chr(b) in _UNDEFINED else bytes([b]).decode("cp1252") for b in data)


def units(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fit_text(text: str, target: SqlType) -> str:
    """`text` cut or padded to `target`, as CAST does it: silently."""
    if target.name not in UNICODE and target.name != "xml":
        encode_text(text, target)
    if is_max(target):
        return text
    cut = cut_text(text, target)
    if target.name in ("char", "nchar"):
        return cut + " " * (target.length - _length(cut, target))
    return cut


def _length(text: str, target: SqlType) -> int:
    if target.name in UNICODE:
        return units(text)
    return len(text.encode()) if is_utf8(target) else len(text)


def cut_text(text: str, target: SqlType) -> str:
    """The first `length` units (n-types), bytes (UTF-8 collations) or characters."""
    if _length(text, target) <= target.length:
        return text
    if target.name in UNICODE:
        return _whole(text.encode("utf-16-le")[: 2 * target.length], "utf-16-le")
    return _whole(text.encode()[: target.length], "utf-8") if is_utf8(target) else text[: target.length]


def _whole(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise refused("cutting text in the middle of a character") from None


def fits_text(text: str, target: SqlType) -> bool:
    """Whether assignment keeps all of it: blanks at the end may go."""
    return is_max(target) or _length(text.rstrip(" "), target) <= target.length


def fit_number_text(text: str, source: SqlType, target: SqlType) -> str:
    """A number's text in its target; too short a target is an error, or '*' for integers in char and varchar."""
    if is_max(target) or len(text) <= target.length:
        return fit_text(text, target)
    if source.name in ("int", "smallint", "tinyint") and target.name in ("char", "varchar"):
        return fit_text("*", target)
    kind = "expression" if source.name in ("int", "smallint", "tinyint", "bigint") else source.name
    raise errors.overflow("numeric" if kind == "decimal" else kind, target)


def fit_bytes(data: bytes, target: SqlType) -> bytes:
    """Bytes cut or zero-padded on the right."""
    if target.name in ("image",) or target.length == MAX:
        return data
    width = 8 if target.name == "rowversion" else target.length
    cut = data[:width]
    return cut.ljust(width, b"\0") if target.name in ("binary", "rowversion") else cut


def fit_number_bytes(data: bytes, target: SqlType) -> bytes:
    """A number's big-endian bytes: cut and padded on the left."""
    width = 8 if target.name == "rowversion" else target.length
    if target.length == MAX or target.name == "image":
        return data
    if len(data) > width:
        return data[-width:]
    return data.rjust(width, b"\0") if target.name in ("binary", "rowversion") else data


def parse_hex(text: str, source: SqlType, target: SqlType, style: int) -> bytes:
    """Styles 1 (0x…) and 2 (no prefix)."""
    digits = text.rstrip(" ")
    if style == 1:
        if digits[:2].lower() != "0x":
            raise errors.error_converting(source, target)
        digits = digits[2:]
    if len(digits) % 2 or re.fullmatch(r"[0-9a-fA-F]*", digits) is None:
        raise errors.error_converting(source, target)
    return bytes.fromhex(digits)


# ---- uniqueidentifier --------------------------------------------------------------------------------------------
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def parse_guid(text: str) -> str:
    """36 characters, in braces or not; what follows them is ignored, as SQL Server does."""
    word = text[1:37] if text.startswith("{") and text[37:38] == "}" else text[:36]
    if _GUID.fullmatch(word) is None:
        raise SqlError(8169, "Conversion failed when converting from a character string to uniqueidentifier.")
    return word.upper()


def guid_bytes(guid: str) -> bytes:
    return uuid.UUID(guid).bytes_le


def guid_from_bytes(data: bytes) -> str:
    if len(data) < 16:
        raise SqlError(8169, "Conversion failed when converting from a character string to uniqueidentifier.")
    return str(uuid.UUID(bytes_le=data[:16])).upper()
