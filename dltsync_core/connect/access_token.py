"""Access tokens of Microsoft Entra ID: of the config, of a command that prints one, of azure-identity.

A token is needed for each login, and ends after about an hour. A run lasts longer and logs in more than once, so a token that is
about to expire is replaced by a new one before a login; connections that are open stay open.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from itertools import pairwise
from typing import Any

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.errors import LoginFailed
from dltsync_core.redaction import names_a_secret, redacted

SQL_COPT_SS_ACCESS_TOKEN = 1256
"""The attribute of an ODBC connection that holds a token ("Use Microsoft Entra ID with the ODBC driver", Microsoft)."""
RENEWED_BEFORE_END = 300.0
"""Seconds. A token that ends within them is replaced: a login that waits for a paused database takes a minute or two."""
SHORTEST_USE = 10.0
"""Seconds for which a token is used that ends soon: the logins of one moment do not each ask for another one."""
UNKNOWN_LIFETIME = 300.0
"""Seconds for which a token is used whose end cannot be read."""
COMMAND_TIMEOUT = 60.0
"""Seconds that a command may take to print a token; `az` needs a few."""
_LONGEST_MESSAGE = 300
_LOGINS = 64
"""Of a process at a time: a code server outlives many a token."""
_RESOURCES = {
    ".database.usgovcloudapi.net": "https://database.usgovcloudapi.net/",
    ".database.chinacloudapi.cn": "https://database.chinacloudapi.cn/",
}
_RESOURCE = "https://database.windows.net/"
_PLAIN_WORD = re.compile(r"[a-z]+(-[a-z]+)*|https?://[a-z./]+")
_TOKEN_FIELDS = ("accessToken", "access_token", "token")


@dataclass(frozen=True)
class AccessToken:
    """A token, and when it ends (POSIX seconds; None when it does not say)."""

    token: str = field(repr=False)
    expires_on: int | None

    def odbc_value(self) -> bytes:
        """As an ODBC driver takes it: the length in four bytes, little-endian, then UTF-16."""
        data = self.token.encode("utf-16-le")
        return struct.pack("<I", len(data)) + data


class AccessTokens:
    """The tokens of one login, for any number of threads. `obtain` raises LoginFailed."""

    def __init__(self, obtain: Callable[[], AccessToken], now: Callable[[], float] = time.time) -> None:
        self._obtain = obtain
        self._now = now
        self._guard = threading.Lock()
        self._current: AccessToken | None = None
        self._use_until = 0.0

    def current(self) -> AccessToken:
        """A token to log in with, a new one when the last one is about to end. Raises LoginFailed."""
        with self._guard:
            now = self._now()
            if self._current is None or now >= self._use_until:
                found = self._obtain()
                if found.expires_on is not None and found.expires_on <= now:
                    raise LoginFailed(
                        f"the access token expired at {_moment(found.expires_on)}",
                        remedy="give a current one, or an access_token_command that prints one whenever it is asked",
                    )
                self._current = found
                if found.expires_on is None:
                    self._use_until = now + UNKNOWN_LIFETIME
                else:
                    self._use_until = min(
                        max(found.expires_on - RENEWED_BEFORE_END, now + SHORTEST_USE), found.expires_on
                    )
            return self._current

    def last(self) -> AccessToken | None:
        """The token that the last login used; None before the first."""
        return self._current

    def forget(self, refused: AccessToken) -> None:
        """The server refused this one: the next login gets a new one, as when its cause was mended meanwhile."""
        with self._guard:
            if self._current == refused:
                self._use_until = 0.0

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """What mssql-python asks for at a login, and for each bulk copy."""
        return self.current()


def access_tokens(database: DatabaseConfig) -> AccessTokens | None:
    """The tokens of this login, the same object for the whole process; None for a login without token."""
    if database.access_token is not None:
        return _of_config(database.access_token.get_secret_value())
    if database.access_token_command is not None:
        return _of_command(tuple(database.access_token_command))
    if database.authentication == "ActiveDirectoryDefault":
        return _of_azure_identity(resource_of(database.server), database.username)
    return None


@contextmanager
def token_for_login(tokens: AccessTokens | None) -> Iterator[AccessToken | None]:
    """Log in within the block. A token that the server refuses there is not used again. Raises LoginFailed before the block when
    there is no token to be had: the drivers would hide the reason in an error of their own."""
    token = None if tokens is None else tokens.current()
    try:
        yield token
    except LoginFailed:
        if tokens is not None and token is not None:
            tokens.forget(token)
        raise


def resource_of(server: str) -> str:
    """The resource that a token for this server is issued for: that of its cloud."""
    host = server.partition("\\")[0].lower()
    return next((resource for suffix, resource in _RESOURCES.items() if host.endswith(suffix)), _RESOURCE)


def login_advice(database: DatabaseConfig) -> str:
    """What to check when the server refuses a token; empty for a login without token."""
    tokens = access_tokens(database)
    if tokens is None:
        return ""
    resource, last = resource_of(database.server), tokens.last()
    audience = None if last is None else _claims(last.token).get("aud")
    if isinstance(audience, str) and audience.rstrip("/") != resource.rstrip("/"):
        return f"the token is for {audience}; SQL Server takes tokens for {resource}: get it with that resource"
    return (
        f"check that the token is for {resource} and of the server's tenant, and that its user exists: "
        "CREATE USER [name] FROM EXTERNAL PROVIDER in the database"
    )


def read_token(text: str) -> AccessToken:
    """A token as a command prints it: alone, or in the JSON of `az account get-access-token`. Raises ValueError."""
    printed = text.strip()
    ends: int | None = None
    if printed.startswith("{"):
        try:
            answer = json.loads(printed)
        except ValueError:
            raise ValueError("no token") from None
        printed = str(next((answer[name] for name in _TOKEN_FIELDS if answer.get(name)), ""))
        ends = _seconds(answer.get("expires_on"))
    if not printed or any(character.isspace() or not character.isprintable() for character in printed):
        raise ValueError("no token")
    return AccessToken(printed, ends if ends is not None else _seconds(_claims(printed).get("exp")))


@lru_cache(maxsize=_LOGINS)
def _of_config(token: str) -> AccessTokens:
    return AccessTokens(lambda: AccessToken(token, _seconds(_claims(token).get("exp"))))


@lru_cache(maxsize=_LOGINS)
def _of_command(command: tuple[str, ...]) -> AccessTokens:
    return AccessTokens(lambda: _printed_by(command))


@lru_cache(maxsize=_LOGINS)
def _of_azure_identity(resource: str, client_id: str | None) -> AccessTokens:
    return AccessTokens(_default_credential(resource, client_id))


def _printed_by(command: Sequence[str]) -> AccessToken:
    name = command[0]
    remedy = f"run the command as this user on this machine; it has to print an access token for {_RESOURCE}"
    try:
        ended = subprocess.run(  # noqa: S603 - the user's own command, without a shell
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise LoginFailed(
            f"access_token_command: {name} printed no access token within {COMMAND_TIMEOUT:.0f} seconds", remedy=remedy
        ) from None
    except OSError as error:
        raise LoginFailed(
            f"access_token_command: {name} cannot be run: {error.strerror or error}",
            remedy="install it, or give its full path: the PATH of a service is not that of your shell",
        ) from None
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip()
        said = redacted(" ".join(said.split()), _secret_words(command))[-_LONGEST_MESSAGE:] or "it printed no reason"
        raise LoginFailed(
            f"access_token_command: {name} ended with status {ended.returncode}: {said}", remedy=remedy
        ) from None
    try:
        return read_token(ended.stdout.decode())
    except ValueError:  # its text is not shown: it may hold the token
        raise LoginFailed(f"access_token_command: {name} printed no access token", remedy=remedy) from None


def _secret_words(command: Sequence[str]) -> Iterator[str]:
    """The arguments that may be secret: what follows an option that names a secret, and all but options, words and addresses."""
    for before, word in pairwise(command):
        option, _, value = word.partition("=") if word.startswith("-") else ("", "", word)
        asks = before.startswith("-") and "=" not in before
        is_named = names_a_secret(option or (before if asks else ""))
        if value and (is_named or not _PLAIN_WORD.fullmatch(value)):
            yield value


def _default_credential(resource: str, client_id: str | None) -> Callable[[], AccessToken]:
    # Only for those who use it: importing it takes 0.2 s of a processor.
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential

    options: dict[str, Any] = {} if client_id is None else {"managed_identity_client_id": client_id}
    credential = DefaultAzureCredential(**options)

    def obtain() -> AccessToken:
        try:
            found = credential.get_token(f"{resource}.default")
        except (AzureError, ValueError) as error:
            said = " ".join(str(error).split())[:_LONGEST_MESSAGE]
            raise LoginFailed(
                f"authentication ActiveDirectoryDefault: azure-identity has no token for {resource}: {said}",
                remedy="give this machine an identity (a managed identity, workload identity, AZURE_CLIENT_ID, "
                "AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or `az login`)",
            ) from None
        return AccessToken(found.token, int(found.expires_on))

    return obtain


def _claims(token: str) -> Mapping[str, Any]:
    """What a JSON web token says of itself, unverified: the server verifies it. Empty for any other text."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


def _seconds(value: object) -> int | None:
    """POSIX seconds of an `exp` or `expires_on`; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        return None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
