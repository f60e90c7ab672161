"""Text for people: untrusted text (names, values, messages of servers) escaped for terminals and Markdown, so that it has no
effect there and cannot forge a line; counts with their nouns."""

from __future__ import annotations

import re

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters (escape sequences, carriage returns), other line breaks, and marks that turn the reading direction.
Line feed and tab stay."""
_ON_ONE_LINE = {ord("\n"): "\\n", ord("\t"): "\\t", ord("'"): "\\'"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&:])")
_ORDINARY = re.compile(r"(?!www\.)[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*", re.IGNORECASE)
"""A word that is never markup or a link in Markdown."""
CONTINUED = "    "


def number_of(count: float, one: str, several: str = "") -> str:
    """A count with the word for what is counted: `1 row`, `1,234 rows`, `0.5 seconds`; `several` where the plural is not `one`
    with an s."""
    shown = f"{count:,}" if isinstance(count, int) else f"{count:,g}"
    return f"{shown} {one if count == 1 else several or f'{one}s'}"


def visible(text: str) -> str:
    """The text with these characters escaped, like `\\x1b`."""
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def visible_json(text: str) -> str:
    """JSON with these characters as escapes: on one line whatever a reader takes for a line break, and without effect in a
    terminal. It means the same."""
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def indented(text: str) -> str:
    """The visible text with every line but the first indented, so that no line looks like an entry of its own."""
    return visible(text).replace("\n", f"\n{CONTINUED}")


def quoted(text: str) -> str:
    """A value in single quotes on one line, which show its beginning and end, blanks included. Different texts look different: a
    quote or a backslash inside has a backslash before it."""
    plain = visible(text.replace("\\", "\\\\")).translate(_ON_ONE_LINE)
    return f"'{plain}'"


def as_markdown(text: str) -> str:
    """The text as Markdown that shows it without effect: no markup, no HTML, no link. Ordinary names are
    unchanged, because some pages show descriptions without rendering Markdown."""
    plain = visible(text).replace("\n", " ").replace("\t", " ").strip()
    return " ".join(word if _ORDINARY.fullmatch(word) else _MARKDOWN.sub(r"\\\1", word) for word in plain.split(" "))
