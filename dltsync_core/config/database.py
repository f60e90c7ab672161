"""The server to read from: address, login, encryption, time limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from dltsync_core.config.model import EnvironmentSpec, Listed
from dltsync_core.config.server_address import parse_address

if TYPE_CHECKING:
    from typing_extensions import Self

Encryption = Literal["yes", "no", "strict"]
Authentication = Literal[
    "SqlPassword",
    "ActiveDirectoryPassword",
    "ActiveDirectoryIntegrated",
    "ActiveDirectoryInteractive",
    "ActiveDirectoryMsi",
    "ActiveDirectoryServicePrincipal",
    "ActiveDirectoryDefault",
]

_RESOURCE = "https://database.windows.net/"

_ENCRYPTION_WORDS = {"true": "yes", "on": "yes", "mandatory": "yes", "false": "no", "off": "no", "optional": "no"}
_NAMED_FIELDS = ("username", "password", "authentication")
_TOKEN_FIELDS = ("access_token", "access_token_command")
LOGIN_FIELDS = (*_NAMED_FIELDS, *_TOKEN_FIELDS, "integrated_security")
"""All fields that say who logs in."""
_NEEDS_LOGIN = {"SqlPassword", "ActiveDirectoryPassword", "ActiveDirectoryServicePrincipal"}


_WITHOUT = {
    "ActiveDirectoryIntegrated": ("username", "password"),
    "ActiveDirectoryInteractive": ("password",),
    "ActiveDirectoryMsi": ("password",),
    "ActiveDirectoryDefault": ("password",),
}
"""Authentication methods, and the fields that they exclude."""


def _is_true(value: Any) -> bool:
    return value is True or (
        isinstance(value, (str, int)) and str(value).lower() in {"true", "yes", "on", "1", "y", "t"}
    )


def _encryption_word(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _ENCRYPTION_WORDS.get(value.lower(), value.lower())
    return value


class DatabaseConfig(EnvironmentSpec):
    """The source database. A field that the config leaves out is taken from `DLT_SYNC_<FIELD>` in the environment
    (`DLT_SYNC_SERVER`, `DLT_SYNC_DATABASE`, `DLT_SYNC_USERNAME`, `DLT_SYNC_PASSWORD`, `DLT_SYNC_PORT` …). A field in the config
    wins over the environment, and a login in the config excludes the environment's: with `integrated_security: true`
    DLT_SYNC_PASSWORD is not used, and a warning says so. An empty environment variable counts as not set.
    """

    model_config = SettingsConfigDict(env_prefix="DLT_SYNC_")

    server: str = Field(min_length=1)
    """Host name or address; `host,1433` gives the port as well. `host\\INSTANCE` finds the port by SQL Server Browser (UDP 1434).
    dltsync speaks TCP only: no named pipes, no shared memory, no LocalDB."""
    database: str = Field(min_length=1, max_length=128)
    """Name of the database."""
    username: str | None = None
    """SQL login, or the client id for ActiveDirectoryServicePrincipal, ActiveDirectoryMsi and ActiveDirectoryDefault."""
    password: SecretStr | None = None
    """Password or client secret. Never shown; use `${VARIABLE}` or DLT_SYNC_PASSWORD instead of writing it into the file."""
    port: int = Field(default=1433, ge=1, le=65535)
    """TCP port."""
    integrated_security: bool = False
    """Log in as the operating system's user (Kerberos on Linux). Excludes username and password."""
    trust_server_certificate: bool = False
    """Accept a certificate that this machine cannot verify. An attacker on the network path can then read the password."""
    encrypt: Annotated[
        Encryption,
        BeforeValidator(_encryption_word),
        WithJsonSchema({"enum": ["yes", "no", "strict", True, False]}),
    ] = "yes"
    """`yes`: TLS. `no`: only the login packet is encrypted. `strict`: TDS 8, TLS from the first byte."""
    connection_timeout: int = Field(default=30, ge=1, le=3600)
    """Seconds to wait for a connection. Serverless databases that have paused can need more than 60."""
    command_timeout: int = Field(default=0, ge=0)
    """Seconds one statement may run before it is cancelled; 0 is no limit. Its wait for a lock ends a tenth earlier, with the
    server's own error (1222)."""
    application_intent: Literal["ReadWrite", "ReadOnly"] = "ReadWrite"
    """`ReadOnly` requests a readable secondary from an availability group listener."""
    multi_subnet_failover: bool = False
    """Try all addresses of the name at once, for availability group listeners."""
    host_name_in_certificate: str | None = None
    """Name in the server's certificate when it is not the server's name."""
    authentication: Authentication | None = None
    """How to log in with Microsoft Entra ID: the ODBC driver's `Authentication` keyword, or ActiveDirectoryDefault for the
    identity that azure-identity finds (environment variables, workload identity, managed identity, `az login`)."""
    access_token: SecretStr | None = None
    """An access token of Microsoft Entra ID for https://database.windows.net/, instead of username and password. It ends after
    about an hour, and a run that logs in later fails: prefer access_token_command. Never shown; use `${VARIABLE}` or
    DLT_SYNC_ACCESS_TOKEN."""
    access_token_command: Listed[str] | None = Field(
        default=None, min_length=1, examples=[["az", "account", "get-access-token", "--resource", _RESOURCE]]
    )
    """A program and its arguments that print an access token, alone or in the JSON of `az account get-access-token`. It is run
    without a shell before the first login, and again before a login once the token is about to end. What it prints to standard
    output is never shown."""
    application_name: str = Field(default="dltsync", min_length=1, max_length=128)
    """Program name that the server shows for the session."""
    driver: str | None = None
    """Path or registered name of the ODBC driver for the control connection. None: Microsoft's driver 18 from the package
    mssql-python-odbc, else one registered in odbcinst.ini."""

    @classmethod
    def excluded_fields(cls, given: Mapping[str, Any]) -> Mapping[str, str]:
        """Fields that the environment must not add: another login than the config's, another port than the one in `server`."""
        found: dict[str, str] = {}
        token = next((name for name in _TOKEN_FIELDS if given.get(name) is not None), None)
        if _is_true(given.get("integrated_security")):
            found |= dict.fromkeys((*_NAMED_FIELDS, *_TOKEN_FIELDS), "the config says `integrated_security`")
        elif token is not None:
            others = (*_NAMED_FIELDS, "integrated_security", *(name for name in _TOKEN_FIELDS if name != token))
            found |= dict.fromkeys(others, f"the config says `{token}`")
        elif any(given.get(name) is not None for name in _NAMED_FIELDS):
            found |= dict.fromkeys(("integrated_security", *_TOKEN_FIELDS), "the config names a login")
        without = _WITHOUT.get(str(given.get("authentication")), ())
        found |= dict.fromkeys(without, f"the config says `authentication: {given.get('authentication')}`")
        if isinstance(server := given.get("server"), str) and re.search(r"[,\\]|\]:", server):
            found["port"] = "the config gives the port, or an instance, in `server`"
        return found

    @model_validator(mode="before")
    @classmethod
    def _port_beside_the_server(cls, values: Any) -> Any:
        """`server: host,1433` is the host, and port 1433."""
        if not isinstance(values, dict) or not isinstance(values.get("server"), str):
            return values
        try:
            address = parse_address(values["server"])
        except ValueError:
            return values  # the validator of `server` reports it with the field's name
        if address.port is None:
            return values
        if values.get("port") is not None and str(values["port"]) != str(address.port):
            raise ValueError(f"server gives port {address.port}, and port gives another one; keep one of them")
        return {**values, "server": address.server, "port": address.port}

    @field_validator("server")
    @classmethod
    def _server_is_a_name(cls, value: str) -> str:
        return parse_address(value).server

    @field_validator("server", "database", "username", "application_name", "host_name_in_certificate", "driver")
    @classmethod
    def _no_zero_character(cls, value: str | None) -> str | None:
        if value is not None and "\0" in value:
            raise ValueError("holds a zero character, which a connection string cannot contain")
        return value

    @field_validator("access_token_command")
    @classmethod
    def _command_is_text(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and (not value[0].strip() or any("\0" in word for word in value)):
            raise ValueError("names no program, or holds a zero character")
        return value

    @field_validator("password", "access_token")
    @classmethod
    def _no_zero_character_in_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and "\0" in value.get_secret_value():
            raise ValueError("holds a zero character, which a connection string cannot contain")
        return value

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Self:
        tokens = [name for name in _TOKEN_FIELDS if getattr(self, name) is not None]
        if tokens:
            others = [name for name in _NAMED_FIELDS if getattr(self, name) is not None]
            others += ["integrated_security"] if self.integrated_security else []
            if excess := [*tokens[1:], *others]:
                raise ValueError(f"{tokens[0]} excludes {', '.join(excess)}; keep one way to log in")
            return self
        named = self.username is not None or self.password is not None
        if self.integrated_security and (named or self.authentication):
            raise ValueError("integrated_security excludes username, password and authentication; keep one of them")
        if self.password is not None and self.username is None:
            raise ValueError("password is given without username (or DLT_SYNC_USERNAME)")
        if self.authentication in _NEEDS_LOGIN and (self.username is None or self.password is None):
            raise ValueError(f"authentication {self.authentication} needs username and password")
        if self.authentication is None and not self.integrated_security:
            if self.username is None:
                raise ValueError(
                    "no login: give username and password (DLT_SYNC_USERNAME, DLT_SYNC_PASSWORD), "
                    "or integrated_security, or authentication, or access_token_command"
                )
            if self.password is None:
                raise ValueError("username is given without password (or DLT_SYNC_PASSWORD)")
        return self

    @model_validator(mode="after")
    def _instance_or_port(self) -> Self:
        if "\\" in self.server and "port" in self.model_fields_set:
            raise ValueError("server names an instance and port is given; the port decides, so drop the instance name")
        return self

    @property
    def address(self) -> str:
        """The server as messages name it: `host:port`, or `host\\INSTANCE`."""
        if "\\" in self.server:
            return self.server
        return f"[{self.server}]:{self.port}" if ":" in self.server else f"{self.server}:{self.port}"
