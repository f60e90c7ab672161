"""A log file of several processes: whole lines, none lost, rotated by size, followed when it is renamed."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dltsync_core import log_file
from dltsync_core.log_file import SharedLogFile

LINES, PROCESSES = 400, 4

WRITER = """
import json, logging, sys
from pathlib import Path
from threading import Thread
from dltsync_core.log_file import SharedLogFile

path, name, lines, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
log = logging.getLogger("w")
log.addHandler(SharedLogFile(path, max_bytes=size, backups=50))
sys.stdin.readline()

def write(thread):
    for number in range(lines // 2):
        log.warning(json.dumps([name, thread, number, "x" * 200]))

threads = [Thread(target=write, args=(each,)) for each in (0, 1)]
for each in threads: each.start()
for each in threads: each.join()
"""


def written(path: Path) -> list[str]:
    return [
        line
        for file in path.parent.glob(f"{path.name}*")
        if not file.name.endswith(".lock")
        for line in file.read_text().splitlines()
    ]


@pytest.mark.parametrize("max_bytes", [10**9, 20_000], ids=["one file", "rotated"])
def test_processes_and_threads_write_whole_lines_and_lose_none(tmp_path: Path, max_bytes: int) -> None:
    path = tmp_path / "run.log"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(name), str(LINES), str(max_bytes)], stdin=subprocess.PIPE
        )
        for name in range(PROCESSES)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.close()
    assert [writer.wait(120) for writer in writers] == [0] * PROCESSES
    found = sorted(tuple(json.loads(line)[:3]) for line in written(path))
    assert found == sorted(
        (str(name), thread, number) for name in range(PROCESSES) for thread in (0, 1) for number in range(LINES // 2)
    )
    sizes = [file.stat().st_size for file in tmp_path.iterdir() if file.suffix != ".lock"]
    assert (len(sizes) > 1) is (max_bytes < 10**6)
    assert max(sizes) < max_bytes + 10_000, "a file grows by the lines that were under way at most"


def logger_to(path: Path, *, max_bytes: int, backups: int) -> tuple[logging.Logger, SharedLogFile]:
    handler = SharedLogFile(path, max_bytes=max_bytes, backups=backups)
    logger = logging.Logger("alone")
    logger.addHandler(handler)
    return logger, handler


@pytest.mark.parametrize("backups", [0, 1, 3])
def test_old_files_are_removed(tmp_path: Path, backups: int) -> None:
    log, handler = logger_to(tmp_path / "log", max_bytes=100, backups=backups)
    for number in range(20):
        log.warning("%03d%s", number, "x" * 60)
    handler.close()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"log", "log.lock", *(f"log.{number}" for number in range(1, backups + 1))}
    assert [line[:3] for line in sorted(written(tmp_path / "log"))] == [f"{n:03d}" for n in range(19 - backups, 20)]


def test_a_file_that_another_program_renames_is_opened_anew(tmp_path: Path) -> None:
    log, handler = logger_to(tmp_path / "log", max_bytes=10**6, backups=1)
    log.warning("before")
    (tmp_path / "log").rename(tmp_path / "old")
    log.warning("after")
    handler.close()
    assert ((tmp_path / "old").read_text(), (tmp_path / "log").read_text()) == ("before\n", "after\n")


def test_a_full_disk_is_reported_once_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log, handler = logger_to(tmp_path / "log", max_bytes=10**6, backups=1)

    def full(file: int, line: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(log_file, "_write", full)
    log.warning("one")
    log.warning("two")
    handler.close()
    assert capsys.readouterr().err.count("No space left on device") == 1
