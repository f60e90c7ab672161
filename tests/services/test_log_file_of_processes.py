"""Processes that write to one log file: whole lines, none lost, also while the file is rotated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
