"""What the environment adds to a file, what it does not, and a variable that nobody would read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dltsync_core.config import DatabaseConfig, load_config
from dltsync_core.config.model import _warn_once
from dltsync_core.errors import ConfigError

TABLES = "static_tables: [{table_name: airports}]\n"


@pytest.fixture(autouse=True)
def _say_it_again() -> None:
    _warn_once.cache_clear()


def _file(tmp_path: Path, database: str, more: str = TABLES) -> Path:
    file = tmp_path / "dltsync.yaml"
    file.write_text(f"database: {{server: db, database: shop, {database}}}\n{more}")
    return file


@pytest.mark.parametrize(
    ("written", "variables", "not_used"),
    [
        ("integrated_security: true", {"PASSWORD": "s"}, ["DLT_SYNC_PASSWORD"]),
        (
            "integrated_security: yes",
            {"USERNAME": "u", "PASSWORD": "s", "AUTHENTICATION": "ActiveDirectoryMsi"},
            ["DLT_SYNC_USERNAME", "DLT_SYNC_PASSWORD", "DLT_SYNC_AUTHENTICATION"],
        ),
        ("username: u, password: s", {"INTEGRATED_SECURITY": "true"}, ["DLT_SYNC_INTEGRATED_SECURITY"]),
        ("authentication: ActiveDirectoryMsi", {"PASSWORD": "s"}, ["DLT_SYNC_PASSWORD"]),
        (
            "authentication: ActiveDirectoryIntegrated",
            {"USERNAME": "u", "PASSWORD": "s"},
            ["DLT_SYNC_USERNAME", "DLT_SYNC_PASSWORD"],
        ),
        (
            "access_token_command: [az, account]",
            {"USERNAME": "u", "PASSWORD": "s", "ACCESS_TOKEN": "t"},
            ["DLT_SYNC_USERNAME", "DLT_SYNC_PASSWORD", "DLT_SYNC_ACCESS_TOKEN"],
        ),
        (
            "username: u, password: s",
            {"ACCESS_TOKEN": "t", "ACCESS_TOKEN_COMMAND": '["az"]'},
            ["DLT_SYNC_ACCESS_TOKEN", "DLT_SYNC_ACCESS_TOKEN_COMMAND"],
        ),
    ],
)
def test_a_login_that_the_file_chooses_rules_out_the_environments(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    written: str,
    variables: dict[str, str],
    not_used: list[str],
) -> None:
    config = load_config(_file(tmp_path, written), {f"DLT_SYNC_{name}": value for name, value in variables.items()})
    for name in not_used:
        assert f"environment variable {name} is not used: the config " in caplog.text
        field = getattr(config.database, name.removeprefix("DLT_SYNC_").lower())
        assert field in (None, False)


def test_the_rest_of_a_login_still_comes_from_the_environment(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = load_config(_file(tmp_path, "username: reader"), {"DLT_SYNC_PASSWORD": "s"}).database
    assert database.password is not None
    service = _file(tmp_path, "authentication: ActiveDirectoryServicePrincipal")
    database = load_config(service, {"DLT_SYNC_USERNAME": "client", "DLT_SYNC_PASSWORD": "s"}).database
    assert (database.username, database.password is not None) == ("client", True)
    assert not caplog.text


def test_a_token_and_a_command_come_from_the_environment(tmp_path: Path) -> None:
    database = load_config(_file(tmp_path, "port: 1444"), {"DLT_SYNC_ACCESS_TOKEN": "t"}).database
    assert database.access_token is not None
    assert database.access_token.get_secret_value() == "t"
    written = {"DLT_SYNC_ACCESS_TOKEN_COMMAND": '["az", "account"]'}
    assert load_config(_file(tmp_path, "port: 1444"), written).database.access_token_command == ("az", "account")


def test_the_same_holds_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLT_SYNC_PASSWORD", "s")
    assert DatabaseConfig(server="db", database="shop", integrated_security=True).password is None


def test_a_server_with_its_port_takes_no_other_from_the_environment(tmp_path: Path) -> None:
    for server, port in (("'db,1444'", 1444), (r"'db\ONE'", 1433)):
        written = _file(tmp_path, "username: u, password: s")
        written.write_text(written.read_text().replace("server: db", f"server: {server}"))
        assert load_config(written, {"DLT_SYNC_PORT": "1500"}).database.port == port


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"DLT_SYNC_DATABASE__INTEGRATED_SECURITY": "true"},
            ["integrated_security excludes username", "DLT_SYNC_DATABASE__INTEGRATED_SECURITY in the environment"],
        ),
        ({"DLT_SYNC_PORT": "many"}, ["database.port: ", "(DLT_SYNC_PORT in the environment)"]),
        ({"DLT_SYNC_PORT": "tcp://10.0.0.1:80"}, ["database.port: ", "(DLT_SYNC_PORT in the environment)"]),
        (
            {"DLT_SYNC_PROCESSING__BATCH_SIZE": "0"},
            ["processing.batch_size: ", "(DLT_SYNC_PROCESSING__BATCH_SIZE in the environment)"],
        ),
        (
            {"DLT_SYNC_DATABASE__SERVER": "mssql://u:hunter2@h"},
            ["database.server: is a URL", "(DLT_SYNC_DATABASE__SERVER in the environment)"],
        ),
    ],
)
def test_a_mistake_of_the_environment_names_its_variable(
    tmp_path: Path, variables: dict[str, str], said: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(_file(tmp_path, "username: u, password: s"), variables)
    for words in said:
        assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_two_logins_of_the_environment_are_named(tmp_path: Path) -> None:
    variables = {"DLT_SYNC_INTEGRATED_SECURITY": "1", "DLT_SYNC_USERNAME": "u", "DLT_SYNC_PASSWORD": "s"}
    with pytest.raises(ConfigError) as caught:
        load_config(_file(tmp_path, "port: 1433"), variables)
    for name in variables:
        assert name in str(caught.value)


def test_a_mistake_of_the_file_is_not_blamed_on_the_environment(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(_file(tmp_path, "username: u, password: s, port: 0"), {"DLT_SYNC_PORT": "1433"})
    assert "environment" not in str(caught.value)


def test_a_file_is_read_in_the_environment_that_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLT_SYNC_PORT", "1500")
    database = load_config(_file(tmp_path, "username: u"), {"DLT_SYNC_PASSWORD": "s"}).database
    assert database.port == 1433


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("DLT_SYNC_PASWORD", "did you mean DLT_SYNC_PASSWORD?"),
        ("dlt_sync_pasword", "did you mean DLT_SYNC_PASSWORD?"),
        ("DLT_SYNC_USER", "did you mean DLT_SYNC_USERNAME?"),
        ("DLT_SYNC_STATE_DIRECTORY", "did you mean DLT_SYNC_STATE__STATE_DIRECTORY?"),
        ("DLT_SYNC_DATABASE_PASSWORD", "did you mean DLT_SYNC_DATABASE__PASSWORD?"),
        ("DLT_SYNC_XYZZY", "a field of database (SERVER, DATABASE, USERNAME, PASSWORD"),
    ],
)
def test_a_variable_that_means_nothing_is_not_ignored(tmp_path: Path, variable: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(_file(tmp_path, "username: u, password: s"), {variable: "hunter2"})
    assert f"environment variable {variable}: no such variable" in str(caught.value)
    assert meant in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_variables_that_mean_something_pass(tmp_path: Path) -> None:
    file = _file(tmp_path, "username: u, password: '${DLT_SYNC_PROD_SECRET}'")
    variables = {
        "DLT_SYNC_PROD_SECRET": "s",  # the file refers to it
        "DLT_SYNC_CONFIG": str(file),
        "DLT_SYNC_DEBUG": "1",
        "DLT_SYNC_DAGSTER_SENSORS": "running",
        "DLT_SYNC_STATE__LEASE_SECONDS": "60",
        "DLT_SYNC_PASWORD": "",  # empty counts as not set
        "DLT_SYNC_SERVICE_HOST": "10.0.0.1",  # Kubernetes, beside a service named dlt-sync
        "DLT_SYNC_SERVICE_PORT_HTTP": "80",
        "DLT_SYNC_PORT_80_TCP_ADDR": "10.0.0.1",
        "DLT_SYNCHRONISED": "no",
    }
    assert load_config(None, variables).state.lease_seconds == 60


def test_every_mistake_of_file_and_environment_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(
            _file(tmp_path, "username: u, password: '${UNSET_SECRET}'"),
            {"DLT_SYNC_PASWORD": "s", "DLT_SYNC_PROCESING__BATCH_SIZE": "1"},
        )
    problems = caught.value.facts["problems"]
    assert isinstance(problems, tuple)
    assert len(problems) == 3


def test_a_misspelt_variable_for_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"DLT_SYNC_CONFG is set .*\n.*did you mean DLT_SYNC_CONFIG\?"):
        load_config(None, {"DLT_SYNC_CONFG": "elsewhere.yaml"})
