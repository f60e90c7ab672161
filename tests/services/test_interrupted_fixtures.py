"""Ctrl-C in a test, or while a server starts, leaves no process and no directory of the fixtures behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = ("processes", "sandbox_server", "fault_control", "postgres_server", "object_stores", "forks")
IN_A_TEST = """
import os, signal

def test_one(own_sandbox, own_postgres, s3_bucket, forks):
    print("started")
    os.kill(os.getpid(), signal.SIGINT)
"""
WHILE_IT_STARTS = """
import time

sleep = time.sleep

def interrupted(seconds):
    time.sleep = sleep
    print("started")
    raise KeyboardInterrupt

def test_one(request, {running}):
    time.sleep = interrupted
    request.getfixturevalue("{fixture}")
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the run makes its temporary directories: a short path, for PostgreSQL's socket, and one its user may enter."""
    with tempfile.TemporaryDirectory(prefix="t") as directory:
        Path(directory).chmod(0o777)
        yield Path(directory)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc")
@pytest.mark.parametrize(
    "test",
    [
        pytest.param(
            WHILE_IT_STARTS.format(fixture="own_sandbox", running="own_postgres"),
            id="while the sandbox starts and PostgreSQL runs",
        ),
        pytest.param(
            WHILE_IT_STARTS.format(fixture="own_postgres", running="forks"),
            id="while PostgreSQL starts and forks wait",
            marks=pytest.mark.slow,
        ),
        pytest.param(IN_A_TEST, id="in a test", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, temporary: Path, test: str) -> None:
    pytest.importorskip("moto")
    (tmp_path / "test_one.py").write_text(test)
    mark = f"DLTSYNC_RUN={uuid.uuid4().hex}"
    name, _, value = mark.partition("=")
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-c", os.devnull]
    command += [f"--rootdir={tmp_path}", f"--basetemp={tmp_path / 'base'}", "test_one.py"]
    command += [part for plugin in PLUGINS for part in ("-p", f"tests.support.{plugin}")]
    search = os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, name: value, "PYTHONPATH": search, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if "skipped" in ended.stdout:
        pytest.skip(ended.stdout[-500:])
    assert ended.returncode == pytest.ExitCode.INTERRUPTED, ended.stdout + ended.stderr
    assert "started" in ended.stdout
    assert _processes_with(mark) == []
    assert list(temporary.glob("dltsync-*")) == []


def _processes_with(variable: str) -> list[str]:
    """Command lines of the processes that have this variable in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return found
