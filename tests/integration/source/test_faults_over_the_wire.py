"""Wrong password, nobody there, a certificate nobody knows: what a person is told, and what is never told."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.config import DatabaseConfig, ProcessingConfig
from dltsync_core.errors import (
    CatalogError,
    CertificateNotTrusted,
    LoginFailed,
    QueryError,
    ServerUnreachable,
    SyncError,
)
from dltsync_core.extract.source import SqlServerSource
from tests.integration.source.source_tables import SourceTables
from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import Server

WRONG = "wr;}{=on'g €😀 pass"


def _view(source: SqlServerSource) -> None:
    with source.read_view():
        pass


WAYS: list[Callable[[SqlServerSource], Any]] = [SqlServerSource.check, _view]
"""The control connection and the data connection have different drivers; both must say the same."""
WAITED = [pytest.param(SqlServerSource.check, marks=pytest.mark.slow), _view]
"""The same, where a test waits for seconds."""


NO_GRACE = 0.2
"""Seconds for a driver to report a time-out by itself: here it never does."""


def _source(place: Server | SandboxServer, **values: Any) -> SqlServerSource:
    database = place.database_config(**{"connection_timeout": 5, **values})
    return SqlServerSource(database, ProcessingConfig(retry_attempts=1))


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(getattr(error, "facts", ""))


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_password(
    home_server: Server, way: Callable[[SqlServerSource], Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(LoginFailed) as caught:
        way(_source(home_server, password=WRONG))
    assert "check username, password" in str(caught.value)
    assert caught.value.facts["number"] == 18456
    assert caught.value.exit_code == 4
    assert WRONG not in _told(caught.value)
    assert WRONG not in caplog.text


@pytest.mark.parametrize("way", WAYS)
def test_a_database_that_is_not_there(home_server: Server, way: Callable[[SqlServerSource], Any]) -> None:
    with pytest.raises(LoginFailed) as caught:
        way(_source(home_server, database="nix;Encrypt=no"))
    assert "nix;Encrypt=no" in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_nobody_there(home_server: Server, way: Callable[[SqlServerSource], Any]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServerUnreachable) as caught:
        way(_source(home_server, port=port, connection_timeout=1))
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert f"127.0.0.1 refused: nothing listens at port {port}" in str(caught.value)
    assert "TCP/IP is enabled" in str(caught.value)
    assert home_server.password not in _told(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_a_certificate_nobody_knows(home_server: Server, way: Callable[[SqlServerSource], Any]) -> None:
    with pytest.raises(CertificateNotTrusted) as caught:
        way(_source(home_server, trust_server_certificate=False))
    assert "trust_server_certificate: true accepts any certificate" in str(caught.value)


@pytest.mark.parametrize("way", WAITED)
def test_a_server_that_says_nothing_is_given_up(home_server: Server, way: Callable[[SqlServerSource], Any]) -> None:
    """It takes the connection and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        with pytest.raises(ServerUnreachable, match="accepts connections, and no login was answered") as caught:
            way(_source(home_server, port=silent.getsockname()[1], connection_timeout=1))
        assert "longer connection_timeout" in caught.value.remedy


@pytest.mark.parametrize("way", WAITED)
def test_a_server_that_never_answers_tls_does_not_hold_a_strict_connection_for_ever(
    home_server: Server, way: Callable[[SqlServerSource], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver knows no time-out there."""
    for session in ("control", "data"):
        monkeypatch.setattr(f"dltsync_core.connect.{session}.GRACE_SECONDS", NO_GRACE)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        source = _source(home_server, port=silent.getsockname()[1], connection_timeout=1, encrypt="strict")
        with pytest.raises(ServerUnreachable, match="no login was answered") as caught:
            way(source)
        assert "SQL Server 2022 or newer" in caught.value.remedy


@pytest.mark.parametrize("way", WAITED)
def test_a_process_ends_beside_a_strict_connection_that_hangs(way: Callable[[SqlServerSource], Any]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        login = f"server='127.0.0.1', port={silent.getsockname()[1]}, database='d', username='u', password='p'"
        call = "source.check()" if way is SqlServerSource.check else "source.read_view().__enter__()"
        program = (
            "from dltsync_core.config import DatabaseConfig, ProcessingConfig\n"
            "from dltsync_core.connect import control, data\n"
            "from dltsync_core.errors import ServerUnreachable\n"
            "from dltsync_core.extract.source import SqlServerSource\n"
            f"control.GRACE_SECONDS = data.GRACE_SECONDS = {NO_GRACE}\n"
            f"database = DatabaseConfig({login}, encrypt='strict', connection_timeout=1)\n"
            "source = SqlServerSource(database, ProcessingConfig(retry_attempts=1))\n"
            f"try:\n    {call}\nexcept ServerUnreachable as error:\n    print('told')\n    raise SystemExit(4)\n"
        )
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (4, "told\n"), ended.stderr


@pytest.mark.parametrize("way", WAITED)
def test_a_name_without_an_address(home_server: Server, way: Callable[[SqlServerSource], Any]) -> None:
    with pytest.raises(ServerUnreachable, match=r"the name nonexistent\.invalid has no address") as caught:
        way(_source(home_server, server="nonexistent.invalid", connection_timeout=1))
    assert "DNS" in caught.value.remedy


@pytest.mark.parametrize("way", WAITED)
@pytest.mark.parametrize(
    ("server", "said", "remedy"),
    [
        (
            r"127.0.0.1\NOPE",
            r"SQL Server Browser at 127\.0\.0\.1 \(UDP 1434\) does not know the instance NOPE",
            "`port: N`",
        ),
        (r"nonexistent.invalid\NOPE", r"the name nonexistent\.invalid has no address", "DNS"),
    ],
)
def test_a_named_instance_that_is_not_found(
    home_server: Server, way: Callable[[SqlServerSource], Any], server: str, said: str, remedy: str
) -> None:
    database = _source(home_server).database
    values: dict[str, Any] = {
        "server": server,
        "database": "d",
        "username": database.username,
        "password": database.password,
    }
    source = SqlServerSource(DatabaseConfig(**values, connection_timeout=1), ProcessingConfig(retry_attempts=1))
    with pytest.raises(ServerUnreachable, match=said) as caught:
        way(source)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("way", WAYS)
def test_strict_encryption_at_a_server_that_speaks_tds_7(
    sandbox: SandboxServer, way: Callable[[SqlServerSource], Any]
) -> None:
    with pytest.raises(ServerUnreachable, match="ended the connection before TLS began") as caught:
        way(_source(sandbox, encrypt="strict"))
    assert "write `encrypt: yes` for an older one" in caught.value.remedy


@pytest.mark.parametrize("way", WAYS)
def test_a_server_without_tls(tmp_path: Path, way: Callable[[SqlServerSource], Any]) -> None:
    plain = SandboxServer(tmp_path, tls=False)
    plain.start()
    try:
        with pytest.raises(ServerUnreachable, match="the server offers no TLS") as caught:
            way(_source(plain))
    finally:
        plain.stop()
    assert "give the server a certificate" in caught.value.remedy


@pytest.mark.parametrize("way", WAYS)
def test_a_port_that_is_not_of_a_sql_server(home_server: Server, way: Callable[[SqlServerSource], Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    other.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(ServerUnreachable, match="accepted the connection and closed it before the login") as caught:
            way(_source(home_server, port=other.getsockname()[1]))
        assert "check that the port is SQL Server's" in caught.value.remedy
        other.shutdown(socket.SHUT_RDWR)


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


def test_snapshot_can_be_insisted_upon(home_server: Server, tables: SourceTables) -> None:
    source = _source(home_server, database=tables.other_database("OFF"))
    with source.read_view() as view:
        assert view.consistency == "read_committed"
    strict = SqlServerSource(source.database, ProcessingConfig(require_snapshot=True))
    with pytest.raises(CatalogError, match="does not allow SNAPSHOT isolation"):
        _view(strict)


def test_an_error_of_the_server_is_told_with_what_was_being_done(home_server: Server) -> None:
    with pytest.raises(QueryError, match="testing: "), _source(home_server).read_view() as view:
        view._session.fetch("SELECT 1 +", (), "testing")
