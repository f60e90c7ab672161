"""`dltsync demo` where its packages are not installed."""

from __future__ import annotations

import json

import pytest
import typer

from dltsync_dagster.demo import command


def test_the_demo_names_the_packages_that_are_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "NEEDED", ("dagster", "no_such_package", "neither_this"))
    with pytest.raises(typer.Exit) as ended:
        command.app(json=True)
    error = json.loads(capsys.readouterr().out)["error"]
    assert ended.value.exit_code == 3
    assert error["message"] == "The demo needs packages that are not installed: no_such_package, neither_this."
    assert error["remedy"] == "pip install 'dltsync[demo]'"
