"""Logins by access token over the wire: both drivers and the bulk copy, at the source and at the warehouse."""

from __future__ import annotations

import json
import logging
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyodbc
import pytest

from dltsync_core.checkup.check import check_pipeline
from dltsync_core.config import DatabaseConfig, DestinationConfig, PipelineConfig
from dltsync_core.connect import access_token
from dltsync_core.connect.control import control_session, open_control_session
from dltsync_core.connect.data import DataSession, open_data_session
from dltsync_core.errors import LoginFailed, SyncError
from sqlserver_sandbox.access_tokens import issue
from tests.support.json_endpoint import Asked, json_endpoint
from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import COLUMNS, Server
from tests.support.sqlserver_shop import SqlServerShop, dropped, made_database

TOKENS = 50
"""More than any command here is asked for."""
WHO = "SELECT SUSER_SNAME() AS name"


@pytest.fixture
def by_password(sandbox: SandboxServer) -> Iterator[Server]:
    """A database of its own, as its owner sees it."""
    made = made_database(Server.of(sandbox, "the sandbox"))
    yield made
    dropped(made)


def _by_token(server: Server, **login: Any) -> DatabaseConfig:
    section = {name: value for name, value in server.database_section.items() if name not in ("username", "password")}
    return DatabaseConfig(**section, **login)


def _command(folder: Path, server: Server, *, user: str = "sa", seconds: float = 3600) -> list[str]:
    """A command that gives another token each time, in the JSON of az, and notes its runs in a file. The tokens are issued here,
    so that it imports nothing."""
    script = folder / f"{user}.py"
    answers = [{"accessToken": issue(server.password, user, valid_seconds=seconds + n)} for n in range(TOKENS)]
    script.write_text(
        f"runs = open({str(script) + '.runs'!r}, 'a+')\nruns.write('x')\nruns.flush()\nruns.seek(0)\n"
        f"print({[json.dumps(answer) for answer in answers]!r}[len(runs.read()) - 1])\n"
    )
    return [sys.executable, "-I", "-S", str(script)]


def _runs(command: list[str]) -> int:
    return len(Path(f"{command[-1]}.runs").read_text())


def _names(database: DatabaseConfig) -> tuple[str, str]:
    """Who the control and the data session are logged in as."""
    with control_session(database) as control:
        first = str(control.query(WHO)[0]["name"])
    data = open_data_session(database)
    try:
        return first, str(data.fetch(WHO, (), "asking for the login")[0][0])
    finally:
        data.close()


def test_a_token_logs_in_as_its_user_and_with_its_rights(by_password: Server) -> None:
    user = f"reader-{uuid.uuid4().hex[:6]}@example.com"
    with closing(by_password.connect()) as owner:
        owner.execute("CREATE TABLE dbo.seen (a int NULL)")
        owner.execute("CREATE TABLE dbo.hidden (a int NULL)")
        owner.execute(f"CREATE USER [{user}] FROM EXTERNAL PROVIDER")
        owner.execute(f"GRANT SELECT ON dbo.seen TO [{user}]")
    database = _by_token(by_password, access_token=issue(by_password.password, user))
    assert _names(database) == (user, user)
    with control_session(database) as session:
        assert session.query("SELECT a FROM dbo.seen") == []
        with pytest.raises(SyncError, match="permission was denied"):
            session.query("SELECT a FROM dbo.hidden")
    elsewhere = _by_token(replace(by_password, database="master"), access_token=issue(by_password.password, user))
    with pytest.raises(LoginFailed):
        _names(elsewhere)


@pytest.mark.parametrize(
    ("key", "claims", "remedy"),
    [
        ("another directory", {}, "its user exists: CREATE USER [name] FROM EXTERNAL PROVIDER"),
        (None, {"audience": "https://storage.azure.com/"}, "the token is for https://storage.azure.com/"),
    ],
)
def test_a_refused_token_is_an_error_that_says_what_to_check(
    by_password: Server, key: str | None, claims: dict[str, Any], remedy: str
) -> None:
    token = issue(key or by_password.password, "sa", **claims)
    database = _by_token(by_password, access_token=token)
    for open_session in (lambda: control_session(database).__enter__(), lambda: open_data_session(database)):
        with pytest.raises(LoginFailed, match="token-identified principal") as caught:
            open_session()
        assert remedy in caught.value.remedy
        assert token not in f"{caught.value} {caught.value.__cause__!r}"


def test_a_login_of_a_password_takes_no_token_and_one_of_the_directory_no_password(by_password: Server) -> None:
    suffix = uuid.uuid4().hex[:6]
    with closing(by_password.connect()) as owner:
        owner.execute(f"CREATE LOGIN [plain_{suffix}] WITH PASSWORD = 'Plain-Pa55'")
        owner.execute(f"CREATE USER [plain_{suffix}] FOR LOGIN [plain_{suffix}]")
        owner.execute(f"CREATE LOGIN [app_{suffix}] FROM EXTERNAL PROVIDER")
        owner.execute(f"CREATE USER [app_{suffix}] FOR LOGIN [app_{suffix}]")
    token = issue(by_password.password, f"plain_{suffix}")
    with pytest.raises(LoginFailed):
        _names(_by_token(by_password, access_token=token))
    for password in ("", "x"):
        with pytest.raises(pyodbc.Error, match="18456"):
            replace(by_password, username=f"app_{suffix}", password=password).connect()
    app = _by_token(by_password, access_token=issue(by_password.password, f"app_{suffix}"))
    assert _names(app) == (f"app_{suffix}",) * 2


def test_a_new_token_is_got_before_a_login_once_the_last_one_is_about_to_end(
    by_password: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting = _command(tmp_path, by_password)
    for _ in range(3):
        assert _names(_by_token(by_password, access_token_command=lasting)) == ("sa", "sa")
    assert _runs(lasting) == 1
    monkeypatch.setattr(access_token, "SHORTEST_USE", 0.0)
    ending = _command(tmp_path, by_password, user="SA", seconds=200)
    for _ in range(2):
        assert _names(_by_token(by_password, access_token_command=ending)) == ("SA", "SA")
    assert _runs(ending) >= 4


def test_a_token_that_was_refused_is_not_used_again(by_password: Server, tmp_path: Path) -> None:
    user = f"late-{uuid.uuid4().hex[:6]}@example.com"
    command = _command(tmp_path, by_password, user=user)
    database = _by_token(by_password, access_token_command=command)
    for open_session in (open_control_session, open_data_session):
        with pytest.raises(LoginFailed):
            open_session(database)
    with closing(by_password.connect()) as owner:
        owner.execute(f"CREATE USER [{user}] FROM EXTERNAL PROVIDER")
    assert _names(database) == (user, user)
    assert _runs(command) == 3


class TokenShop(SqlServerShop):
    """Source and warehouse are logged in to by commands of their own."""

    def __init__(self, server: Server, root: Path, target: Server, *, seconds: float = 3600) -> None:
        super().__init__(server, root, target)
        self.commands = {
            "source": _command(root, server, user="sa", seconds=seconds),
            "warehouse": _command(root, server, user="SA", seconds=seconds),
        }

    def config(self) -> PipelineConfig:
        whole = super().config()
        database = _by_token(self.server, access_token_command=self.commands["source"])
        return PipelineConfig(
            **{**{name: getattr(whole, name) for name in PipelineConfig.model_fields}, "database": database}
        )

    def destination(self) -> DestinationConfig:
        section = _by_token(self.target, access_token_command=self.commands["warehouse"])
        return DestinationConfig(type="sqlserver", connection=section.model_dump(exclude_unset=True), **self.settings)


@pytest.mark.parametrize("seconds", [3600, pytest.param(240, marks=pytest.mark.slow)])
def test_tables_are_loaded_with_tokens_alone(
    by_password: Server,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
) -> None:
    """Three kinds of tables by bulk copy and switching, a second run, and a check. A token that ends in 240 seconds is replaced
    at each login."""
    monkeypatch.setattr(access_token, "SHORTEST_USE", 0.0)
    caplog.set_level(logging.DEBUG, "dltsync")
    target = made_database(by_password)
    shop = TokenShop(by_password, tmp_path, target, seconds=seconds)
    try:
        shop.create()
        assert shop.methods() == dict.fromkeys(COLUMNS, "switch")
        shop.assert_same()
        shop.execute("UPDATE {s}.Orders SET Amount = Amount + 1")
        result = shop.run()
        assert result.success, result["errors"]
        shop.assert_same()
        assert [one for one in check_pipeline(shop.config()) if one.status == "missing"] == []
        for command in shop.commands.values():
            assert (_runs(command) == 1) is (seconds == 3600)
    finally:
        shop.drop()
        dropped(target)
    assert "Orders" in caplog.text
    assert "eyJ" not in caplog.text  # how every JSON web token begins


def test_a_bulk_copy_that_gets_no_token_says_so(
    by_password: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_token, "SHORTEST_USE", 0.0)
    command = _command(tmp_path, by_password, seconds=200)
    session: DataSession = open_data_session(_by_token(by_password, access_token_command=command))
    try:
        Path(command[-1]).write_text("import sys; sys.exit('the directory is down')")
        with pytest.raises(LoginFailed, match="the directory is down"):
            session.bulk_copy("dbo.t", [], ["a"], "loading", rows_per_batch=10, table_lock=True)
    finally:
        session.close()


@contextmanager
def _managed_identity(token: str, asked: list[str]) -> Iterator[str]:
    """The endpoint of a managed identity (App Service): its address, and what it is asked."""

    def answer(one: Asked) -> dict[str, Any]:
        asked.append(one.path)
        return {"access_token": token, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}

    with json_endpoint(answer) as endpoint:
        yield f"{endpoint}/token"


def _without_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_azure_identity_finds_a_managed_identity_for_both_drivers(
    by_password: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_identity(monkeypatch)
    asked: list[str] = []
    client = str(uuid.uuid4())
    with _managed_identity(issue(by_password.password, "sa"), asked) as endpoint:
        monkeypatch.setenv("IDENTITY_ENDPOINT", endpoint)
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        database = _by_token(by_password, authentication="ActiveDirectoryDefault", username=client)
        assert _names(database) == ("sa", "sa")
    assert len(asked) == 1
    assert "resource=https%3A%2F%2Fdatabase.windows.net%2F" in asked[0] or "database.windows.net" in asked[0]
    assert client in asked[0]


def test_without_any_identity_the_error_says_how_to_give_one(
    by_password: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _without_identity(monkeypatch)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    database = _by_token(by_password, authentication="ActiveDirectoryDefault", username=str(uuid.uuid4()))
    with pytest.raises(LoginFailed, match="azure-identity has no token for https://database") as caught:
        _names(database)
    assert "az login" in caught.value.remedy
