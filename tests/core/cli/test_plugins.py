"""Commands that other packages add."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from dltsync_core.cli import app, main
from dltsync_core.cli import plugins as plugins_module

BROKEN = EntryPoint("broken", "no_such_package_at_all:command", plugins_module.GROUP)
ANSWER = EntryPoint("answer", "tests.core.cli.test_plugins:answer", plugins_module.GROUP)


def answer() -> None:
    """Says forty-two."""
    print("forty-two")


@pytest.fixture(autouse=True)
def two_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins_module, "entry_points", lambda group: [BROKEN, ANSWER])


def ended(*words: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main([*words])
    return caught.value.code


def test_a_command_of_another_package_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert not ended("answer")
    assert capsys.readouterr().out == "forty-two\n"


def test_one_that_cannot_be_loaded_stops_no_other_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert not ended("--help")
    assert "answer" in capsys.readouterr().out
    assert ended("broken") == 2
    assert "no_such_package_at_all" in capsys.readouterr().err


def test_commands_that_are_called_twice_in_a_process_are_there_once(capsys: pytest.CaptureFixture[str]) -> None:
    """`main` added them to the application itself: its next user had them too, and each once more for every call."""
    own = SimpleNamespace(commands=list(app.registered_commands), groups=list(app.registered_groups))
    for _ in range(2):
        assert not ended("--help")
        assert capsys.readouterr().out.count("Says forty-two.") == 1
    assert (app.registered_commands, app.registered_groups) == (own.commands, own.groups)
