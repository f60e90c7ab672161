"""Access tokens: how they are read, when a new one is asked for, and what a command that fails is answered with."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dltsync_core.config import DatabaseConfig
from dltsync_core.connect import access_token
from dltsync_core.connect.access_token import (
    AccessToken,
    AccessTokens,
    access_tokens,
    login_advice,
    read_token,
    resource_of,
)
from dltsync_core.connect.connection_string import address_of, control_string, data_string
from dltsync_core.errors import LoginFailed
from sqlserver_sandbox.access_tokens import issue

KEY = "the owner's password"


def _database(**login: Any) -> DatabaseConfig:
    return DatabaseConfig(**{"server": "db", "database": "shop", **login})


def _printing(folder: Path, text: str, *, status: int = 0, complaint: str = "") -> list[str]:
    """A command that prints this, and notes in a file how often it was run."""
    script = folder / "token.py"
    script.write_text(
        f"import sys\nopen({str(folder / 'runs')!r}, 'a').write('x')\nsys.stdout.write({text!r})\n"
        f"sys.stderr.write({complaint!r})\nsys.exit({status})\n"
    )
    return [sys.executable, str(script)]


def _runs(folder: Path) -> int:
    return len((folder / "runs").read_text())


def test_a_token_is_read_as_it_is_printed() -> None:
    token = issue(KEY, "app", valid_seconds=1000)
    ends = read_token(f"{token}\n").expires_on
    assert ends is not None
    assert read_token(json.dumps({"accessToken": token, "expiresOn": "2026-12-02 10:00:00.000000"})) == AccessToken(
        token, ends
    )
    assert read_token(json.dumps({"accessToken": token, "expires_on": ends - 5})).expires_on == ends - 5
    assert read_token(json.dumps({"access_token": "opaque", "expires_on": "17"})) == AccessToken("opaque", 17)
    assert read_token("opaque") == AccessToken("opaque", None)


@pytest.mark.parametrize("printed", ["", "\n", "two words", "{}", '{"accessToken": ""}', "{", "[1]\n[2]", "a\nb"])
def test_what_is_no_token_is_refused(printed: str) -> None:
    with pytest.raises(ValueError, match="no token"):
        read_token(printed)


@pytest.mark.parametrize("claims", ["", "!!!", "W10", "eyJleHAiOiAieCJ9", "eyJleHAiOiB0cnVlfQ"])
def test_a_token_that_says_no_end_has_none(claims: str) -> None:
    assert read_token(f"a.{claims}.c").expires_on is None


def test_the_driver_gets_length_and_utf_16() -> None:
    assert AccessToken("aé", None).odbc_value() == b"\x04\0\0\0a\0\xe9\0"
    assert "aé" not in repr(AccessToken("aé", None))


def test_a_new_token_is_asked_for_before_the_last_one_ends() -> None:
    clock, asked = [1000.0], [0]

    def obtain() -> AccessToken:
        asked[0] += 1
        return AccessToken(f"t{asked[0]}", int(clock[0]) + 3600)

    tokens = AccessTokens(obtain, now=lambda: clock[0])
    assert tokens.last() is None
    assert [tokens.current().token for _ in range(3)] == ["t1"] * 3
    clock[0] += 3600 - 301
    assert tokens.get_token("scope", tenant_id="x").token == "t1"
    clock[0] += 2
    assert (tokens.current().token, tokens.last()) == ("t2", AccessToken("t2", int(clock[0]) + 3600))


def test_a_token_without_an_end_is_used_for_five_minutes() -> None:
    clock, numbers = [0.0], iter("abcdef")
    tokens = AccessTokens(lambda: AccessToken(next(numbers), None), now=lambda: clock[0])
    found = []
    for seconds in (0, 200, 299, 301, 500, 602):
        clock[0] = seconds
        found.append(tokens.current().token)
    assert "".join(found) == "aaabbc"


def test_a_token_that_ends_soon_serves_the_logins_of_one_moment() -> None:
    clock, numbers = [0.0], iter("abcdef")
    tokens = AccessTokens(lambda: AccessToken(next(numbers), int(clock[0]) + 100), now=lambda: clock[0])
    found = []
    for seconds in (0, 0, 9, 11, 12, 30):
        clock[0] = seconds
        found.append(tokens.current().token)
    assert "".join(found) == "aaabbc"


def test_threads_that_log_in_together_ask_once(tmp_path: Path) -> None:
    command = _printing(tmp_path, issue(KEY, "app"))
    tokens = access_tokens(_database(access_token_command=command))
    assert tokens is not None
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(tokens.current().token)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(set(found)), len(found), _runs(tmp_path)) == (1, 8, 1)
    assert access_tokens(_database(access_token_command=command, server="another")) is tokens


def test_a_login_without_token_has_none() -> None:
    for login in (
        {"username": "u", "password": "p"},
        {"integrated_security": True},
        {"authentication": "ActiveDirectoryMsi"},
    ):
        assert access_tokens(_database(**login)) is None
        assert login_advice(_database(**login)) == ""


def test_an_expired_token_is_not_sent() -> None:
    tokens = access_tokens(_database(access_token=issue(KEY, "app", valid_seconds=-60)))
    assert tokens is not None
    with pytest.raises(LoginFailed, match="the access token expired at 20") as caught:
        tokens.current()
    assert "access_token_command" in caught.value.remedy


@pytest.mark.parametrize(
    ("status", "printed", "complaint", "said"),
    [
        (
            1,
            "",
            "Please run 'az login' to setup account.",
            "ended with status 1: Please run 'az login' to setup account.",
        ),
        (3, "secret-text", "", "ended with status 3: it printed no reason"),
        (0, "", "", "printed no access token"),
        (0, "secret-text and more", "", "printed no access token"),
        (0, '{"accessToken": "secret-text', "", "printed no access token"),
        (0, "\ufffd secret-text", "", "printed no access token"),
    ],
)
def test_a_command_that_prints_no_token_is_an_error_of_its_own(
    tmp_path: Path, status: int, printed: str, complaint: str, said: str
) -> None:
    tokens = access_tokens(
        _database(access_token_command=_printing(tmp_path, printed, status=status, complaint=complaint))
    )
    assert tokens is not None
    with pytest.raises(LoginFailed) as caught:
        tokens.current()
    assert said in caught.value.problem
    assert "run the command as this user" in caught.value.remedy
    assert "secret-text" not in f"{caught.value} {caught.value.__cause__!r}"


def test_what_a_command_was_given_is_not_repeated(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; sys.exit('wrong secret ' + sys.argv[-1])",
        "--client-secret",
        "Gh-7!x",
    ]
    tokens = access_tokens(_database(access_token_command=command))
    assert tokens is not None
    with pytest.raises(LoginFailed, match=r"wrong secret \*\*\*"):
        tokens.current()


@pytest.mark.parametrize(
    ("arguments", "printed", "said"),
    [
        (
            ["account", "get-access-token", "--resource", "https://database.windows.net/"],
            "log in to set up account, for https://database.windows.net/",
            "log in to set up account, for https://database.windows.net/",
        ),
        (["login", "--password", "hunter"], "no login with hunter", "no login with ***"),
        (["--client-secret=hunter", "login"], "no login with hunter", "no login with ***"),
        (["login", "-p", "Hunter2"], "no login with Hunter2", "no login with ***"),
    ],
)
def test_plain_words_of_a_command_stay_readable_and_secrets_do_not(
    arguments: list[str], printed: str, said: str
) -> None:
    command = [sys.executable, "-c", f"import sys; sys.exit({printed!r})", *arguments]
    tokens = access_tokens(_database(access_token_command=command))
    assert tokens is not None
    with pytest.raises(LoginFailed) as caught:
        tokens.current()
    assert caught.value.problem.endswith(f"ended with status 1: {said}")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    tokens = access_tokens(_database(access_token_command=[str(tmp_path / "nowhere")]))
    assert tokens is not None
    with pytest.raises(LoginFailed, match="nowhere cannot be run: No such file") as caught:
        tokens.current()
    assert "full path" in caught.value.remedy


def test_a_program_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_token, "COMMAND_TIMEOUT", 0.2)
    tokens = access_tokens(_database(access_token_command=[sys.executable, "-c", "import time; time.sleep(60)"]))
    assert tokens is not None
    with pytest.raises(LoginFailed, match="printed no access token within"):
        tokens.current()


@pytest.mark.parametrize(
    ("server", "resource"),
    [
        ("shop.database.windows.net", "https://database.windows.net/"),
        ("shop.database.usgovcloudapi.net", "https://database.usgovcloudapi.net/"),
        ("SHOP.DATABASE.CHINACLOUDAPI.CN", "https://database.chinacloudapi.cn/"),
        ("db.example.com\\ONE", "https://database.windows.net/"),
    ],
)
def test_each_cloud_has_a_resource_of_its_own(server: str, resource: str) -> None:
    assert resource_of(server) == resource


def test_no_keyword_of_a_login_stands_beside_a_token() -> None:
    for login in (
        {"access_token": "t-1"},
        {"access_token_command": ["a"]},
        {"authentication": "ActiveDirectoryDefault", "username": "client"},
    ):
        database = _database(**login)
        for text in (control_string(database, "driver"), data_string(database)):
            assert not {"UID", "PWD", "Authentication", "Trusted_Connection"} & {
                part.partition("=")[0] for part in text.split(";")
            }
            assert "t-1" not in text


def test_a_token_counts_as_a_secret_of_the_config_and_of_the_command(tmp_path: Path) -> None:
    written = _database(access_token="given-token")
    assert "given-token" in address_of(written).secrets
    assert "given-token" not in f"{written!r} {written.model_dump()}"
    assert isinstance(written.access_token, SecretStr)
    token = issue(KEY, "app")
    database = _database(access_token_command=_printing(tmp_path, token))
    tokens = access_tokens(database)
    assert tokens is not None
    tokens.current()
    assert token in address_of(database).secrets


def test_the_advice_names_another_audience() -> None:
    database = _database(access_token=issue(KEY, "app", audience="https://storage.azure.com/"))
    tokens = access_tokens(database)
    assert tokens is not None
    assert "FROM EXTERNAL PROVIDER" in login_advice(database)
    tokens.current()
    assert login_advice(database).startswith("the token is for https://storage.azure.com/; SQL Server takes tokens for")
