"""Collations on the list: what equals what, and which text is inside the part the sandbox knows exactly.

SQL Server's comparison tables are not public. The sandbox answers only where the rule is certain: case folding of the
letters below, blanks at the end, code points for BIN2. Text outside is refused when it is compared, never when it is stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.refusal import refused

LISTED = (
    "SQL_Latin1_General_CP1_CI_AS",
    "Latin1_General_CI_AS",
    "Latin1_General_CS_AS",
    "Latin1_General_BIN2",
    "Latin1_General_100_BIN2",
    "Latin1_General_100_CI_AS_SC_UTF8",
)
"""All there are: the wire has a code page and five bytes for each."""
_REAL = re.compile(r"[A-Za-z][A-Za-z0-9_]*_(?:CI|CS|BIN|BIN2)(?:_[A-Z0-9]+)*", re.IGNORECASE)


@dataclass(frozen=True)
class Collation:
    """`kind` is ci, cs or bin2. `utf8` collations store varchar as UTF-8, the others in code page 1252."""

    name: str
    kind: str
    utf8: bool


@lru_cache(maxsize=256)
def collation(name: str) -> Collation:
    """The collation of that name. Raises 448 for no such collation, the refusal for one off the list."""
    listed = next((c for c in LISTED if c.lower() == name.lower()), None)
    if listed is None:
        if _REAL.fullmatch(name):
            raise refused(f"the collation {name}; use one of {', '.join(LISTED)}")
        raise SqlError(448, f"Invalid collation '{name}'.")
    kind = "bin2" if "_BIN2" in listed else "cs" if "_CS_" in listed else "ci"
    return Collation(listed, kind, listed.endswith("_UTF8"))


def same(left: str, right: str) -> bool:
    return left.lower() == right.lower()


# Letters whose upper and lower case pair one to one and which expand to nothing else (no ß, Æ, Œ, Þ, ı, ŉ, ſ …), plus
# punctuation that stands for itself. Ranges for a regular expression, in RE2 and Python alike.
_LATIN = (
    "\\x{20}-\\x{7E}\\x{C0}-\\x{C5}\\x{C7}-\\x{CF}\\x{D1}-\\x{D6}\\x{D8}-\\x{DD}"
    "\\x{E0}-\\x{E5}\\x{E7}-\\x{EF}\\x{F1}-\\x{F6}\\x{F8}-\\x{FD}\\x{FF}"
)
_LATIN_A = "\\x{100}-\\x{12F}\\x{134}-\\x{137}\\x{139}-\\x{13E}\\x{141}-\\x{148}\\x{14A}-\\x{151}\\x{154}-\\x{17E}"
_OTHERS = (
    "\\x{410}-\\x{44F}\\x{401}\\x{451}\\x{391}-\\x{3A1}\\x{3A3}-\\x{3A9}"
    "\\x{3B1}-\\x{3C1}\\x{3C3}-\\x{3C9}\\x{4E00}-\\x{9FA5}\\x{AC00}-\\x{D7A3}"
)
COMPARABLE = f"[{_LATIN}{_LATIN_A}{_OTHERS}\\x{{D1}}\\x{{F1}}\\t\\r\\n]*"
"""RE2 pattern: all of the text is inside what ci and cs collations compare here."""

ORDERABLE = "[ _0-9A-Za-z]*"
"""RE2 pattern: blank, underscore, digits and letters sort in this order in every listed ci collation. Others are refused."""

BIN2_ORDERABLE_VARCHAR = "[\\x{20}-\\x{7E}\\x{A0}-\\x{FF}]*"
"""Code page 1252 and code points agree on these."""
BIN2_ORDERABLE_UNICODE = "[\\x{20}-\\x{D7FF}]*"
"""UTF-16 units and code points sort alike on these; below the blank, padding with blanks would change the order."""


def python_pattern(pattern: str) -> re.Pattern[str]:
    """The same pattern for Python's `re`."""
    return re.compile(re.sub(r"\\x\{([0-9A-F]+)\}", lambda m: f"\\u{int(m[1], 16):04x}", pattern))


_comparable = python_pattern(COMPARABLE)


def comparison_key(text: str, kind: str) -> str:
    """What `text` is compared by. Raises the refusal outside `COMPARABLE`."""
    if kind == "bin2":
        return text.rstrip(" ")
    if not _comparable.fullmatch(text):
        raise refused(
            f"comparing the text {text[:40]!r} under a linguistic collation (use COLLATE Latin1_General_100_BIN2)"
        )
    return text.rstrip(" ").lower() if kind == "ci" else text.rstrip(" ")
