"""The log: one entry is one entry whatever is in it, secrets are in none, and the file is its owner's."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.config import PipelineConfig
from dltsync_core.errors import ConfigError, NotWritable
from dltsync_core.identity import TableName
from dltsync_core.logging import (
    LIBRARIES,
    LOGGER_NAME,
    STORE_DRIVERS,
    bound,
    configure_logging,
    log_file_of,
    overridden_log,
)
from dltsync_core.run.event_log import EventLog
from dltsync_core.run.events import Event
from tests.support.hostile_text import HOSTILE

SECRET = "hunter2;}{'"
ENTRY = re.compile(r"^\d{4}-\d\d-\d\dT")


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield
    for name in (LOGGER_NAME, *LIBRARIES, *STORE_DRIVERS):
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
    EventLog()(Event("failed", TableName(forged, text), text, message=forged))
    logging.getLogger("dltsync.run").warning("%s: %s", forged, text)
    lines = capsys.readouterr().err.splitlines() if structured else capsys.readouterr().err.split("\n")[:-1]
    if structured:
        entries = "".join(f"{line}\n" for line in lines).split("\n")[:-1]
        assert [type(json.loads(entry)) for entry in entries] == [dict, dict]
        assert len(lines) == 2, "other line breaks of Unicode are escaped"
        assert json.loads(lines[0])["message"] == forged
    else:
        assert sum(1 for line in lines if ENTRY.match(line)) == 2
        assert not re.search(r"[\x00-\x08\x0b-\x1f]", "".join(lines))


def test_no_reader_finds_another_line_break_in_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    text = "a\x85b\u2028c\u2029d\x9b31m\u202ee"
    configure_logging()
    logging.getLogger("dltsync.run").warning("%s", text)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert json.loads(line)["event"] == text


def _connect() -> None:
    raise RuntimeError(f"no driver for PWD={{{SECRET.replace('}', '}}')}}}")


def config_of(root: Path, **values: Any) -> PipelineConfig:
    """A config with a password and a log file."""
    database = {"server": "s", "database": "d", "username": "u", "password": SECRET}
    tables = [{"table_name": "Countries", "schema_name": "dbo"}]
    given = {"database": database, "static_tables": tables, "log_file": root / "log", **values}
    return PipelineConfig(**given)


def entries(file: Path) -> list[dict[str, Any]]:
    """The lines of a log file, each a JSON object."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("structured", [True, False])
def test_secrets_are_in_no_entry_and_no_traceback(
    structured: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(tmp_path, enable_structured_logging=structured)
    configure_logging(structured=structured, secrets=[SECRET])
    log = logging.getLogger("dltsync.run")
    with log_file_of(config):
        try:
            _connect()
        except RuntimeError:
            log.exception("connecting with %s", SECRET)
        facts = {"connection_string": "Server=x", "password": SECRET, "other": f"with {SECRET} inside"}
        log.warning("connected", extra={"dltsync": facts})
        for name in ("dlt", "sqlalchemy.engine", "duckdb"):
            logging.getLogger(name).warning("PWD=%s", SECRET)
    for text in (capsys.readouterr().err, (tmp_path / "log").read_text(encoding="utf-8")):
        assert "hunter2" not in text
        assert "RuntimeError" in text
        assert "Server=x" not in text
        assert text.count("PWD=***") == 3


def test_the_log_file_and_its_directories_are_for_their_owner(tmp_path: Path) -> None:
    file = tmp_path / "new" / "deeper" / "log.jsonl"
    before = os.umask(0)
    try:
        with log_file_of(config_of(tmp_path, log_file=file)):
            pass
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_log_file_that_cannot_be_opened_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotWritable) as raised, log_file_of(config_of(tmp_path, log_file=tmp_path)):
        pass
    assert str(tmp_path) in raised.value.problem
    assert "log_file" in raised.value.remedy


def test_the_file_has_the_form_and_the_level_of_its_config(tmp_path: Path) -> None:
    log = logging.getLogger("dltsync.run")
    with log_file_of(config_of(tmp_path, log_level="WARNING")):
        log.info("not this")
        log.warning("this", extra={"dltsync": {"table": "dbo.Countries", "rows": 3}})
    (entry,) = entries(tmp_path / "log")
    assert {
        "level": "warning",
        "event": "this",
        "pipeline": "dltsync",
        "table": "dbo.Countries",
        "rows": 3,
    }.items() <= (entry.items())
    plain = config_of(tmp_path, log_file=tmp_path / "text", enable_structured_logging=False)
    with log_file_of(plain):
        log.info("this", extra={"dltsync": {"rows": 3}})
    text = (tmp_path / "text").read_text()
    assert ENTRY.match(text)
    assert "rows=3" in text


def test_the_command_line_wins_over_the_environment_and_that_over_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def levels(config: PipelineConfig) -> list[str]:
        with log_file_of(config):
            for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
                logging.getLogger("dltsync.run").log(level, "x")
        found = [entry["level"] for entry in entries(tmp_path / "log")]
        (tmp_path / "log").unlink()
        return found

    assert levels(config_of(tmp_path)) == ["info", "warning", "error"]
    assert levels(config_of(tmp_path, log_level="error")) == ["error"]
    monkeypatch.setenv("DLT_SYNC_LOG_LEVEL", "warning")
    assert levels(config_of(tmp_path, log_level="error")) == ["warning", "error"]
    with overridden_log("DEBUG", None):
        assert levels(config_of(tmp_path, log_level="error")) == ["debug", "info", "warning", "error"]
    monkeypatch.setenv("DLT_SYNC_LOG_LEVEL", "LOUD")
    with pytest.raises(ConfigError, match="DLT_SYNC_LOG_LEVEL") as raised:
        levels(config_of(tmp_path))
    assert "DEBUG" in raised.value.remedy


def test_pipelines_of_one_process_have_files_of_their_own(tmp_path: Path) -> None:
    log = logging.getLogger("dltsync.run")
    configs = [config_of(tmp_path, pipeline_name=name, log_file=tmp_path / name) for name in ("one", "two")]
    with log_file_of(configs[0]), log_file_of(configs[0]), log_file_of(configs[1]):
        log.info("of two")
        logging.getLogger("dlt").warning("of a library")
        with bound(pipeline="one", run_id="r1"):
            log.info("of one")
    log.info("of none")
    assert [entry["event"] for entry in entries(tmp_path / "one")] == ["of one"], "opened twice, written once"
    assert [entry["event"] for entry in entries(tmp_path / "two")] == ["of two", "of a library"]
    assert entries(tmp_path / "one")[0]["run_id"] == "r1"


def test_a_closed_file_leaves_the_log_of_the_host_as_it_was(tmp_path: Path) -> None:
    names = (LOGGER_NAME, *LIBRARIES, *STORE_DRIVERS)
    before = [(logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in names]
    with log_file_of(config_of(tmp_path, log_level="DEBUG")):
        assert logging.getLogger("dltsync.run").isEnabledFor(logging.DEBUG)
    assert [(logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in names] == before


def test_libraries_obey_the_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="ERROR")
    with log_file_of(config_of(tmp_path, log_level="ERROR")):
        for name in ("dlt", "sqlalchemy.pool"):
            logging.getLogger(name).warning("slow")
            logging.getLogger(name).error("broken")
    assert [entry["event"] for entry in entries(tmp_path / "log")] == ["broken", "broken"]
    assert "slow" not in capsys.readouterr().err


def test_dlt_cannot_give_our_handlers_another_form(tmp_path: Path) -> None:
    """dlt formats the first handler that it finds at its logger anew."""
    with log_file_of(config_of(tmp_path)):
        for handler in logging.getLogger("dlt").handlers:
            handler.setFormatter(logging.Formatter("{message}", style="{"))
        logging.getLogger("dlt").warning("PWD=%s", SECRET)
    assert entries(tmp_path / "log")[0]["event"] == "PWD=***"


@pytest.mark.parametrize(("level", "shown"), [("INFO", False), ("DEBUG", True)])
def test_drivers_of_object_stores_show_no_traceback_beside_our_error_and_never_a_secret(
    level: str, shown: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure_logging(level=level, secrets=[SECRET])
    error = PermissionError(f"no such key: {SECRET}")
    with log_file_of(config_of(tmp_path, log_level=level)):
        logging.getLogger("gcsfs").error("_call out of retries on exception: %s", error, exc_info=error)
    for written in (capsys.readouterr().err, (tmp_path / "log").read_text()):
        assert ("out of retries" in written) is shown
        assert SECRET not in written
