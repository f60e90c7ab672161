"""No value of the config can become a keyword of a connection string."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mssql_python.connection_string_parser import _ConnectionStringParser

from dltsync_core.config import DatabaseConfig, DestinationConfig
from dltsync_core.connect.connection_string import braced, control_string, data_string
from dltsync_core.errors import ConfigError

AWKWARD = "p;}{=' €😀;Encrypt=no;PWD=x}"
ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def _database(**values: Any) -> DatabaseConfig:
    return DatabaseConfig(**{"server": "db", "database": "shop", "username": "u", "password": "p", **values})


def _read(text: str) -> dict[str, str]:
    """The pairs as Microsoft's own parser reads them (it also refuses a keyword given twice)."""
    pairs: dict[str, str] = _ConnectionStringParser()._parse(text)
    return pairs


def test_security_stands_before_everything_a_person_gives() -> None:
    assert data_string(_database()) == (
        "Encrypt=yes;TrustServerCertificate=no;Server={tcp:db,1433};Database={shop};ConnectRetryCount=0;UID={u};PWD={p}"
    )
    assert control_string(_database(), "/opt/driver.so") == (
        "Driver={/opt/driver.so};Encrypt=yes;TrustServerCertificate=no;Server={tcp:db,1433};Database={shop};"
        "ConnectRetryCount=0;APP={dltsync};UID={u};PWD={p}"
    )


def test_options_are_sent_when_asked_for() -> None:
    text = data_string(
        _database(
            server="host\\ONE",
            encrypt="strict",
            trust_server_certificate=True,
            host_name_in_certificate="db.example.com",
            application_intent="ReadOnly",
            multi_subnet_failover=True,
            authentication="SqlPassword",
        )
    )
    assert text == (
        "Encrypt=strict;TrustServerCertificate=yes;HostnameInCertificate={db.example.com};Server={tcp:host\\ONE};"
        "Database={shop};ApplicationIntent=ReadOnly;MultiSubnetFailover=yes;ConnectRetryCount=0;"
        "Authentication=SqlPassword;UID={u};PWD={p}"
    )
    kerberos = DatabaseConfig(server="db", database="shop", integrated_security=True)
    assert data_string(kerberos).endswith("ConnectRetryCount=0;Trusted_Connection=yes")


LOGINS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"username": "u", "password": "p;1"}, {"uid": "u", "pwd": "p;1"}),
    ({"integrated_security": True}, {"trusted_connection": "yes"}),
    (
        {"authentication": "ActiveDirectoryServicePrincipal", "username": "client", "password": "secret}"},
        {"authentication": "ActiveDirectoryServicePrincipal", "uid": "client", "pwd": "secret}"},
    ),
    ({"authentication": "ActiveDirectoryMsi"}, {"authentication": "ActiveDirectoryMsi"}),
    (
        {"authentication": "ActiveDirectoryMsi", "username": "client"},
        {"authentication": "ActiveDirectoryMsi", "uid": "client"},
    ),
    (
        {"authentication": "ActiveDirectoryPassword", "username": "u@example.com", "password": "p"},
        {"authentication": "ActiveDirectoryPassword", "uid": "u@example.com", "pwd": "p"},
    ),
    ({"authentication": "ActiveDirectoryIntegrated"}, {"authentication": "ActiveDirectoryIntegrated"}),
    (
        {"authentication": "ActiveDirectoryInteractive", "username": "u@example.com"},
        {"authentication": "ActiveDirectoryInteractive", "uid": "u@example.com"},
    ),
]


@pytest.mark.parametrize(("login", "sent"), LOGINS, ids=["+".join(map(str, login)) for login, _ in LOGINS])
def test_both_ends_log_in_in_every_way(login: dict[str, Any], sent: dict[str, str]) -> None:
    """Source and warehouse take the same fields, and nothing but the login differs in what the drivers get."""
    source = DatabaseConfig(server="db", database="d", **login)
    destination = DestinationConfig(type="sqlserver", connection={"server": "db", "database": "d", **login})
    assert destination.connection is not None
    for database in (source, destination.connection):
        for text in (data_string(database), control_string(database, "driver").partition(";")[2]):
            pairs = _read(re.sub(r"APP=\{dltsync\};", "", text))
            assert pairs.pop("encrypt") == "yes"
            assert {word: pairs[word] for word in sorted(set(pairs) & _LOGIN_WORDS)} == sent
    assert data_string(source) == data_string(destination.connection)


_LOGIN_WORDS = {"uid", "pwd", "authentication", "trusted_connection"}


@pytest.mark.parametrize(
    "login",
    [
        {"authentication": "ActiveDirectoryServicePrincipal"},
        {"integrated_security": True, "username": "u", "password": "p"},
        {"username": "u"},
        {},
    ],
)
def test_a_login_that_is_not_whole_is_refused_at_both_ends(
    login: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's variables are the source's: none of them completes the warehouse's login."""
    with pytest.raises(ConfigError):
        DatabaseConfig(server="db", database="d", **login)
    monkeypatch.setenv("DLT_SYNC_USERNAME", "u")
    monkeypatch.setenv("DLT_SYNC_PASSWORD", "p")
    with pytest.raises(ConfigError, match="connection"):
        DestinationConfig(type="sqlserver", connection={"server": "db", "database": "d", **login})


@given(ANY_TEXT)
def test_a_braced_value_comes_back_whole(value: str) -> None:
    assert _read(f"PWD={braced(value)};Server={{x}}")["pwd"] == value


@given(password=ANY_TEXT, username=ANY_TEXT, name=ANY_TEXT)
def test_no_value_becomes_a_keyword(password: str, username: str, name: str) -> None:
    database = _database(password=password, username=username, database=name[:128])
    pairs = _read(data_string(database))
    assert (pairs["pwd"], pairs["uid"], pairs["database"]) == (password, username, name[:128])
    assert pairs["encrypt"] == "yes"
    assert pairs["trustservercertificate"] == "no"
