"""Access tokens of Microsoft Entra ID, as far as the sandbox plays the directory: JSON web tokens (RFC 7519) signed with the
password of the owner of the sandbox (HS256), so that a test can issue them and no key has to be exchanged."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any

from sqlserver_sandbox.model import SqlError

AUDIENCE = "https://database.windows.net/"
"""The resource that a token for SQL Server is issued for."""
_HEADER = {"alg": "HS256", "typ": "JWT"}
_ANONYMOUS = "<token-identified principal>"
"""What SQL Server calls the login while it has not read the token."""


def issue(key: str, user: str, *, valid_seconds: float = 3600, audience: str = AUDIENCE) -> str:
    """A token for a login. `key` is the password of the sandbox's owner; a negative `valid_seconds` gives an expired one."""
    now = time.time()
    claims = {"aud": audience, "iat": int(now), "exp": int(now + valid_seconds), "upn": user}
    signed = f"{_encoded(_json(_HEADER))}.{_encoded(_json(claims))}"
    return f"{signed}.{_encoded(_signature(key, signed))}"


def login_of(key: str, token: str) -> str:
    """The login that a token names. Raises SqlError 18456 for a token of another issuer or audience, and an expired one."""
    signed, _, signature = token.rpartition(".")
    try:
        given, claims = _decoded(signature), json.loads(_decoded(signed.partition(".")[2]))
    except (ValueError, binascii.Error):
        raise _refused("") from None
    if not hmac.compare_digest(given, _signature(key, signed)) or not isinstance(claims, dict):
        raise _refused("")
    if claims.get("aud") != AUDIENCE:
        raise _refused("")
    if float(claims["exp"]) <= time.time():
        raise _refused(" Token is expired.")
    return str(claims["upn"])


def _refused(reason: str) -> SqlError:
    return SqlError(18456, f"Login failed for user '{_ANONYMOUS}'.{reason}", class_=14)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _signature(key: str, signed: str) -> bytes:
    return hmac.digest(key.encode(), signed.encode(), hashlib.sha256)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
