"""Text of strangers (names, values, messages of servers) made safe to show: nothing in it is obeyed, and no line is forged."""

from __future__ import annotations

import re

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters (escape sequences, carriage returns), other line breaks, and marks that turn the reading direction.
Line feed and tab stay."""
_ON_ONE_LINE = {ord("\n"): "\\n", ord("\t"): "\\t", ord("'"): "\\'"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&:])")
_ORDINARY = re.compile(r"(?!www\.)[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*", re.IGNORECASE)
"""A word that is no markup wherever it stands, and that no reader of Markdown takes for a link."""
CONTINUED = "    "


def visible(text: str) -> str:
    """The text with such characters written out, like `\\x1b`."""
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def indented(text: str) -> str:
    """Visible, and every line but the first indented: none of them can be taken for an entry of its own."""
    return visible(text).replace("\n", f"\n{CONTINUED}")


def quoted(text: str) -> str:
    """A value in single quotes on one line: where it begins and ends is plain, blanks included. Different texts look different: a
    quote or a backslash inside has a backslash before it."""
    plain = visible(text.replace("\\", "\\\\")).translate(_ON_ONE_LINE)
    return f"'{plain}'"


def as_markdown(text: str) -> str:
    """The text as Markdown that shows it and means nothing: no markup, no HTML, no link. Ordinary names, which mean nothing
    anyway, stay as they are: some pages show descriptions without reading their Markdown."""
    plain = visible(text).replace("\n", " ").replace("\t", " ").strip()
    return " ".join(word if _ORDINARY.fullmatch(word) else _MARKDOWN.sub(r"\\\1", word) for word in plain.split(" "))
