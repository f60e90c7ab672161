"""Names for things: tables, units of work, loads and runs, and the texts made of them.

A table is a pair of names, and any character may stand in either. Whatever makes one text of several names does it here, in
one of four ways, each different for different names: `dotted` for people (and back, `parsed_name`), `joined` for digests,
`slashed` for paths of names, `path_part` and `identifier_part` for names of files, folders and steps.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from dltsync_core.clock import utc_now

Target: TypeAlias = tuple[str, str]
"""Schema and table in the warehouse, as the user wrote them."""


WHOLE_TABLE = "all"
"""The unit key of tables that are loaded as one piece (scd and static)."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_IN_IDENTIFIERS = re.compile(r"[^A-Za-z0-9_]+")
_LOOKS_DIGESTED = re.compile(r"[-_][0-9a-f]{8}(?:[0-9a-f]{8})?$")
_READABLE_LENGTH = 60
_DIGEST_LENGTH = 8
_LONG_DIGEST_LENGTH = 16
"""For texts whose readable part is short, so that thousands of one table may share it."""
_PUNCTUATION = re.compile(r"[^A-Za-z0-9_\[\]().,:+%-]")
"""Characters whose replacement may make many texts equal, unlike those of dates, numbers and plain names."""

_PLAIN = re.compile(r"[\w@#$-]+")
_IN_BRACKETS = r"\[((?:[^\]]|\]\])+)\]"
_QUALIFIED = re.compile(
    rf"\s*(?:(?:{_IN_BRACKETS}|([^.\[\]]+?))\s*\.\s*)?(?:{_IN_BRACKETS}|([^.\[\]]+?))\s*", re.DOTALL
)


@dataclass(frozen=True, order=True)
class TableName:
    """A table in one database, with the catalogue's own name once it has been resolved."""

    schema: str
    table: str

    def __str__(self) -> str:
        return dotted(self.schema, self.table)

    @property
    def folded(self) -> TableName:
        """Equal for names that differ in case only: names of users are compared so."""
        return TableName(self.schema.casefold(), self.table.casefold())


def dotted(*names: str) -> str:
    """The names as a person reads and writes them: `sales.Orders`, or all in brackets as T-SQL quotes them when one of them
    is not plain: `[a.b].[c]`, a closing bracket inside doubled. Plain are letters, digits, `_`, `-`, `@`, `#` and `$`."""
    if all(_PLAIN.fullmatch(name) for name in names):
        return ".".join(names)
    return ".".join(f"[{name.replace(']', ']]')}]" for name in names)


def in_shell(table: TableName) -> str:
    """The table as an argument of a shell command, quoted where it has brackets."""
    return shlex.quote(str(table))


def parsed_name(text: str) -> tuple[str | None, str] | None:
    """Schema (None when it is not given) and table of a text that `dotted` made or a user wrote; None when it is not a name.

    Each name may stand in brackets or without. Without, it ends at a dot or bracket, and blanks around it do not belong to it.
    """
    match = _QUALIFIED.fullmatch(text)
    if match is None:
        return None
    quoted_schema, schema, quoted_table, table = match.groups()
    names = [
        plain if quoted is None else quoted.replace("]]", "]")
        for quoted, plain in ((quoted_schema, schema), (quoted_table, table))
    ]
    return names[0], str(names[1])


def joined(*names: str, separator: str = "\x1f") -> str:
    """The names as one text to hash: different for different lists of names. A name without control characters is unchanged;
    in others the separator and the escape character are escaped."""
    return separator.join(name.replace("\x1e", "\x1e\x1e").replace(separator, f"\x1e{separator}") for name in names)


def slashed(*names: str) -> str:
    """The names with slashes between them; a slash or per cent sign inside a name is percent-encoded."""
    return "/".join(name.replace("%", "%25").replace("/", "%2F") for name in names)


def digest_of(text: str) -> str:
    """SHA-256, hexadecimal. Also of invalid Unicode text, which names on a server may contain."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def path_part(text: str) -> str:
    """A file name for any text: readable, safe in globs, shells and URLs, and different for different texts.

    Texts that need no change and cannot be mistaken for a shortened one come back as they are; every other text gets
    hexadecimal digits of its SHA-256: eight, or sixteen when more than the punctuation of dates, numbers and plain names had
    to go. Case-insensitive file systems are covered: upper case counts as a change to the digest only, so `Orders` and
    `orders` differ.
    """
    readable = _UNSAFE.sub("_", text).strip("_")[:_READABLE_LENGTH]
    if readable == text and text == text.lower() and not _LOOKS_DIGESTED.search(text):
        return text
    return f"{readable or 'x'}-{_short_digest(text)}"


def identifier_part(text: str) -> str:
    """A text as letters, digits and underscores, readable, and different for different texts: unchanged where possible, with a
    digest otherwise. Upper and lower case differ."""
    readable = _NOT_IN_IDENTIFIERS.sub("_", text).strip("_")[:_READABLE_LENGTH]
    if readable == text and not _LOOKS_DIGESTED.search(text):
        return text
    return f"{readable or 'x'}_{_short_digest(text)}"


def _short_digest(text: str) -> str:
    return digest_of(text)[: _LONG_DIGEST_LENGTH if _PUNCTUATION.search(text) else _DIGEST_LENGTH]


def new_load_id(now: datetime | None = None) -> str:
    """A name for one load: sorts by time (UTC, microseconds), unique across machines by its random tail."""
    moment = now or utc_now()
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond:06d}Z-{uuid.uuid4().hex[:8]}"


def new_run_id(now: datetime | None = None) -> str:
    """A name for one run of the pipeline, made like a load id."""
    return new_load_id(now)
