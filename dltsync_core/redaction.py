"""The only place that hides secrets: which values of a config are secret, and how a text is freed of them.

A password turns up in the messages of drivers and libraries in many forms: as it is, as a connection string writes it, percent-
encoded in a URL, escaped by Python or JSON. `secrets_of` collects what a config holds, `redacted` hides every form of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

if TYPE_CHECKING:
    from pydantic import BaseModel

HIDDEN = "***"

SECRET_WORDS = ("password", "pwd", "secret", "token", "credential", "connection_string", "storage_options", "state_url")
"""What the name of a field holds when its value is secret."""

SECRET_FIELD = re.compile(rf"\w*({'|'.join(SECRET_WORDS)}|_key)\w*[\"']?\s*[:=]", re.IGNORECASE)
"""A field with a secret value in the text of a config file. Keys of object stores (`account_key`) count; so do other fields with
`_key`, because nothing is lost when an error message hides the names of key columns."""

_OPTIONS_SHOWN = {
    "endpoint_url", "region_name", "account_name", "account_host", "project", "addressing_style",
    "drivername", "host", "port", "database", "username", "warehouse", "role", "sslmode", "connect_timeout",
}  # fmt: skip
"""Options of a store, and fields of a destination's credentials, that say where it is: an error without them is no help."""

_LOGIN_WORDS = {"anon", "browser", "cache", "cloud", "google_default"}
"""What a token option may say instead of a token."""

_PARAMETERS_SHOWN = {
    "application_name", "app", "charset", "client_encoding", "connect_timeout", "database", "driver", "encrypt", "host", "mode",
    "options", "port", "sslmode", "target_session_attrs", "timeout", "trustservercertificate", "trusted_connection",
}  # fmt: skip
"""Parameters of a database URL that hold no secret: hiding `require` everywhere would make messages unreadable."""

_SECRET_PARTS = {"accountkey", "sharedaccesskey", "sharedaccesssignature", "sig", "pwd", "password", "accesstoken"}
"""Of a connection string (`AccountName=…;AccountKey=…`) or a signature (`sv=…&sig=…`): messages quote them alone."""

_PAIR = re.compile(r"(\w+)\s*=\s*(?:\{((?:[^}]|\}\})*)\}|([^;&?]*))")
"""A keyword of a connection string or a parameter of a signature, its value in braces (`}` doubled) or plain."""

_SHORTEST = 2
"""Characters of the shortest text that is hidden inside options and URLs: a single character would hide every other word."""


def names_a_secret(name: str) -> bool:
    """Whether a value under this name is secret, whatever it is."""
    return any(word in name.lower() for word in SECRET_WORDS)


def secrets_of(config: BaseModel) -> tuple[str, ...]:
    """Every secret of a config (or a part of it): all that pydantic keeps as `SecretStr` or `Secret`, and what can be quoted from
    within it: the password of a URL, the key in a connection string."""
    from pydantic import BaseModel, Secret, SecretStr  # `dltsync --help` starts without it

    found: list[str] = []
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, (list, tuple)):
            found += (secret for each in value if isinstance(each, BaseModel) for secret in secrets_of(each))
        elif isinstance(value, BaseModel):
            found += secrets_of(value)
        elif isinstance(value, SecretStr):
            found += secrets_in_url(value.get_secret_value())
        elif isinstance(value, Secret):
            held = value.get_secret_value()
            found += secrets_in_url(held) if isinstance(held, str) else secrets_in_options(held)
    return tuple(dict.fromkeys(secret for secret in found if secret))


def secrets_in_url(url: str) -> tuple[str, ...]:
    """What is secret of a URL: all of it, its password, and parameters that may hold a key. Any other text: all of it."""
    try:
        parts = urlsplit(url)
        password = parts.password or ""
    except ValueError:  # no URL: its parts are not known
        return (url,)
    if "://" not in url:
        return (url,)
    parameters = [value for name, value in parse_qsl(parts.query) if name.casefold() not in _PARAMETERS_SHOWN]
    inside = {text for value in parameters for text in (value, *_parts(value)) if len(text) >= _SHORTEST}
    return tuple(dict.fromkeys(text for text in (url, password, unquote(password), *sorted(inside)) if text))


def secrets_in_options(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of storage options that must not be shown: all but those that say where the store is."""
    found: set[str] = set()
    for name, value in options.items():
        if isinstance(value, Mapping):
            found.update(secrets_in_options(value))
        elif isinstance(value, str) and len(value) >= _SHORTEST and name not in _OPTIONS_SHOWN:
            found.update({value, *_parts(value)} - _LOGIN_WORDS)
    return tuple(sorted(found))


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret hidden, in whatever form it stands there."""
    found = {form for secret in secrets if secret for form in encodings_of(secret)}
    for form in sorted(found, key=lambda each: (-len(each), each)):
        text = text.replace(form, HIDDEN)
    return text


def encodings_of(secret: str) -> tuple[str, ...]:
    """The secret as it is, as a connection string writes it (braces doubled), as a URL does, as Python and JSON show it. Longest
    first: a form that holds another one is hidden as a whole."""
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


def _parts(value: str) -> set[str]:
    """The secrets inside a connection string or a shared access signature, as they stand there and decoded."""
    found: set[str] = set()
    for name, braced, plain in _PAIR.findall(value):
        text = braced.replace("}}", "}") if braced else plain.strip()
        if name.casefold() in _SECRET_PARTS and len(text) >= _SHORTEST:
            found |= {text, unquote(text)} | (_parts(text) if "sig=" in text else set())
    return found
