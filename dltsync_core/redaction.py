"""Keeping secrets out of text: every spelling in which a password can turn up in somebody else's message."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN = "***"


def encodings_of(secret: str) -> tuple[str, ...]:
    """As it is, as a connection string writes it (braces doubled), as a URL does, as Python and JSON show it. Longest first:
    of a spelling that holds another one nothing may be left."""
    found = {
        secret,
        secret.replace("}", "}}"),
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        secret.encode("unicode_escape", "surrogatepass").decode("ascii"),
    }
    return tuple(sorted((text for text in found if text), key=lambda text: (-len(text), text)))


def secrets_in_url(url: str) -> tuple[str, ...]:
    """What must not be shown of a URL: all of it, and its password by itself."""
    try:
        password = urlsplit(url).password
    except ValueError:  # no URL: then nothing in it can be told apart
        password = None
    return (url, password, unquote(password)) if password else (url,)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret, however it is spelt, replaced."""
    found = {spelling for secret in secrets if secret for spelling in encodings_of(secret)}
    for spelling in sorted(found, key=lambda text: (-len(text), text)):
        text = text.replace(spelling, HIDDEN)
    return text
