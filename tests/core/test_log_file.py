"""A log file is rotated by size, followed when it is renamed, and stops nothing when it cannot be written."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from dltsync_core import log_file
from dltsync_core.log_file import SharedLogFile


def written(path: Path) -> list[str]:
    return [
        line
        for file in path.parent.glob(f"{path.name}*")
        if not file.name.endswith(".lock")
        for line in file.read_text().splitlines()
    ]


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
