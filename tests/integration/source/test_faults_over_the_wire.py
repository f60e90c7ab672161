"""Wrong password, nobody there, a certificate nobody knows: what a person is told, and what is never told."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from dltsync_core.config import DatabaseConfig, ProcessingConfig
from dltsync_core.errors import (
    CatalogError,
    CertificateNotTrusted,
    ConnectError,
    LoginFailed,
    QueryError,
    ServerUnreachable,
    SyncError,
)
from dltsync_core.extract.source import SqlServerSource
from tests.fixtures_sandbox import SandboxServer
from tests.integration.source.source_tables import SourceTables

WRONG = "wr;}{=on'g €😀 pass"


def _view(source: SqlServerSource) -> None:
    with source.read_view():
        pass


WAYS: list[Callable[[SqlServerSource], Any]] = [SqlServerSource.check, _view]
"""The control connection and the data connection have different drivers; both must say the same."""


def _source(sandbox: SandboxServer, **values: Any) -> SqlServerSource:
    database = DatabaseConfig(
        **{
            "server": sandbox.host,
            "port": sandbox.port,
            "database": sandbox.database,
            "username": sandbox.user,
            "password": sandbox.password,
            "trust_server_certificate": True,
            "connection_timeout": 5,
            **values,
        }
    )
    return SqlServerSource(database, ProcessingConfig(retry_attempts=1))


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(getattr(error, "facts", ""))


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_password(
    sandbox: SandboxServer, way: Callable[[SqlServerSource], Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(LoginFailed) as caught:
        way(_source(sandbox, password=WRONG))
    assert "check username, password" in str(caught.value)
    assert caught.value.facts["number"] == 18456
    assert caught.value.exit_code == 4
    assert WRONG not in _told(caught.value)
    assert WRONG not in caplog.text


@pytest.mark.parametrize("way", WAYS)
def test_a_database_that_is_not_there(sandbox: SandboxServer, way: Callable[[SqlServerSource], Any]) -> None:
    with pytest.raises(LoginFailed) as caught:
        way(_source(sandbox, database="nix;Encrypt=no"))
    assert "nix;Encrypt=no" in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_nobody_there(sandbox: SandboxServer, way: Callable[[SqlServerSource], Any]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServerUnreachable) as caught:
        way(_source(sandbox, port=port))
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "check server and port" in str(caught.value)
    assert sandbox.password not in _told(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_a_certificate_nobody_knows(sandbox: SandboxServer, way: Callable[[SqlServerSource], Any]) -> None:
    with pytest.raises(CertificateNotTrusted) as caught:
        way(_source(sandbox, trust_server_certificate=False))
    assert "trust_server_certificate: true accepts any certificate" in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_says_nothing_is_given_up(sandbox: SandboxServer, way: Callable[[SqlServerSource], Any]) -> None:
    """It takes the connection and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        with pytest.raises(ConnectError):
            way(_source(sandbox, port=silent.getsockname()[1], connection_timeout=2))


def test_the_server_goes_away_between_two_looks(own_sandbox: SandboxServer) -> None:
    source = _source(own_sandbox)
    assert source.check().database == "master"

    def look() -> None:
        with source.read_view() as view:
            own_sandbox.stop()
            view._session.fetch("SELECT 1", (), "looking")

    with pytest.raises(SyncError) as caught:
        look()
    assert caught.value.is_transient
    assert own_sandbox.password not in _told(caught.value)


def test_snapshot_can_be_insisted_upon(sandbox: SandboxServer, tables: SourceTables) -> None:
    source = _source(sandbox, database=tables.other_database("OFF"))
    with source.read_view() as view:
        assert view.consistency == "read_committed"
    strict = SqlServerSource(source.database, ProcessingConfig(require_snapshot=True))
    with pytest.raises(CatalogError, match="does not allow SNAPSHOT isolation"):
        _view(strict)


def test_an_error_of_the_server_is_told_with_what_was_being_done(sandbox: SandboxServer) -> None:
    with pytest.raises(QueryError, match="testing: "), _source(sandbox).read_view() as view:
        view._session.fetch("SELECT 1 +", (), "testing")
