"""The log: one entry is one entry whatever is in it, secrets are in none, and the file is its owner's."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.identity import TableName
from dltsync_core.logging import LOGGER_NAME, STORE_DRIVERS, configure_logging, get_logger, log_event
from dltsync_core.run.events import Event
from tests.support.hostile_text import HOSTILE

SECRET = "hunter2;}{'"
ENTRY = re.compile(r"^\d{4}-\d\d-\d\dT")


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield
    for name in (LOGGER_NAME, *STORE_DRIVERS):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("structured", [True, False])
def test_no_name_and_no_message_forges_an_entry(
    text: str, structured: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = f"{text}\n2026-01-01T00:00:00Z [info] committed table=forged"
    configure_logging(structured=structured)
    log_event(Event("failed", TableName(forged, text), text, message=forged))
    logging.getLogger("dltsync.run").warning("%s: %s", forged, text)
    lines = capsys.readouterr().err.splitlines() if structured else capsys.readouterr().err.split("\n")[:-1]
    if structured:
        entries = "".join(f"{line}\n" for line in lines).split("\n")[:-1]
        assert [type(json.loads(entry)) for entry in entries] == [dict, dict]
    else:
        assert sum(1 for line in lines if ENTRY.match(line)) == 2
        assert not re.search(r"[\x00-\x08\x0b-\x1f]", "".join(lines))


def _connect() -> None:
    raise RuntimeError(f"no driver for PWD={{{SECRET.replace('}', '}}')}}}")


@pytest.mark.parametrize("structured", [True, False])
def test_secrets_are_in_no_entry_and_no_traceback(
    structured: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log.jsonl"
    configure_logging(structured=structured, log_file=file, secrets=[SECRET])
    log = logging.getLogger("dltsync.run")
    try:
        _connect()
    except RuntimeError:
        log.exception("connecting with %s", SECRET)
    get_logger().warning("told", connection_string="Server=x", password=SECRET, other=f"with {SECRET} inside")
    for text in (capsys.readouterr().err, file.read_text(encoding="utf-8")):
        assert "hunter2" not in text
        assert "RuntimeError" in text
        assert "Server=x" not in text


def test_the_log_file_and_its_directories_are_for_their_owner(tmp_path: Path) -> None:
    file = tmp_path / "new" / "deeper" / "log.jsonl"
    before = os.umask(0)
    try:
        configure_logging(log_file=file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("level", "told"), [("INFO", False), ("DEBUG", True)])
def test_drivers_of_object_stores_show_no_traceback_beside_our_error_and_never_a_secret(
    level: str, told: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure_logging(level=level, secrets=[SECRET], log_file=tmp_path / "log")
    error = PermissionError(f"no such key: {SECRET}")
    logging.getLogger("gcsfs").error("_call out of retries on exception: %s", error, exc_info=error)
    for written in (capsys.readouterr().err, (tmp_path / "log").read_text()):
        assert ("out of retries" in written) is told
        assert SECRET not in written
