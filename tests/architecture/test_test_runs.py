"""Where a test run keeps its files, and which tests stay in one process."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support import temporary_files


@pytest.fixture(scope="module")
def shared() -> object:
    return object()


@pytest.fixture
def over_shared(shared: object) -> object:
    return shared


def group(request: pytest.FixtureRequest) -> Any:
    marker = cast("pytest.Item", request.node).get_closest_marker("xdist_group")
    return marker and marker.args[0]


def test_tests_over_a_fixture_of_their_module_stay_in_one_process(
    request: pytest.FixtureRequest, over_shared: object
) -> None:
    assert group(request) == "tests/architecture/test_test_runs.py"


def test_other_tests_of_the_module_go_to_any_process(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    assert group(request) is None


@pytest.mark.xdist_group("named")
def test_a_named_group_stays_as_it_is(request: pytest.FixtureRequest, shared: object) -> None:
    assert group(request) == "named"


@pytest.mark.parametrize(
    ("given", "basetemp", "room", "chosen"),
    [
        (None, None, 1, True),
        (None, None, 2**62, False),
        ("/elsewhere", None, 1, False),
        (None, "/elsewhere", 1, False),
    ],
    ids=["room in memory", "no room", "TMPDIR is given", "--basetemp is given"],
)
def test_temporary_files_stand_in_memory_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str | None, basetemp: str | None, room: int, chosen: bool
) -> None:
    monkeypatch.setenv("TMPDIR", given or "")
    if given is None:
        monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", "/as before")
    monkeypatch.setattr(temporary_files, "MEMORY", tmp_path)
    monkeypatch.setattr(temporary_files, "ROOM", room)
    config = SimpleNamespace(getoption={"basetemp": basetemp}.__getitem__)
    temporary_files.pytest_configure(cast("pytest.Config", config))
    found = os.environ.get("TMPDIR"), tempfile.gettempdir()
    assert found == ((str(tmp_path), str(tmp_path)) if chosen else (given, "/as before"))
