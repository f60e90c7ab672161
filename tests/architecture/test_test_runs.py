"""Where a test run keeps its files, and which tests stay in one process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support import temporary_files
from tests.support.processes import environment_of_a_run


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


A_MODULE = """
import os, pathlib, pytest

@pytest.fixture(scope="module")
def costly():
    with pathlib.Path("made.txt").open("a") as made:
        made.write(f"{__name__} {os.environ['PYTEST_XDIST_WORKER']}\\n")

@pytest.mark.parametrize("number", range(6))
def test_it(costly, number):
    pass
"""


def test_a_run_in_two_processes_makes_a_fixture_of_a_module_once(tmp_path: Path) -> None:
    """The marker alone says nothing: with pytest 9.2, pytest-xdist 3.8 took no notice of it."""
    for name in ("test_one.py", "test_two.py"):
        (tmp_path / name).write_text(A_MODULE)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-q", "-c", os.devnull]
    command += [f"--rootdir={tmp_path}", "-p", "tests.support.work_units", "-p", "no:cacheprovider"]
    environment = environment_of_a_run(PYTHONPATH=str(Path(__file__).parents[2]))
    done = subprocess.run(
        [*command, "test_one.py", "test_two.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "12 passed" in done.stdout, done.stdout + done.stderr
    made = (tmp_path / "made.txt").read_text().splitlines()
    assert sorted(line.partition(" ")[0] for line in made) == ["test_one", "test_two"]


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
