"""A password is seen nowhere: not in results, logs, tracebacks, the ledger, the lake, the terminal, nor in what Dagster keeps."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from dltsync_core.cli.app import app
from dltsync_core.config import PipelineConfig, StaticTableConfig
from dltsync_core.connect.data import DataSession, open_data_session
from dltsync_core.errors import LoginFailed
from dltsync_core.redaction import encodings_of
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_dagster import LocationSettings, build_definitions
from tests.support.hostile_text import PASSWORDS
from tests.support.server_shop import Server, ServerShop


def _nowhere(secret: str, *texts: str) -> None:
    for text in texts:
        for spelling in encodings_of(secret):
            if len(spelling) > 3:
                assert spelling not in text


def _files(root: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in root.rglob("*") if path.is_file())


def _told(error: BaseException) -> str:
    """All of the chain, and the facts."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_wrong_password_is_told_by_neither_driver(server: Server, tmp_path: Path, password: str, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    shop = ServerShop(server, tmp_path)
    shop.database = {"password": password, "username": f"nobody{len(password)}"}
    config = shop.config()
    with pytest.raises(LoginFailed) as control, IncrementalSQLServerParquetPipeline(config) as pipeline:
        pipeline.run()
    with pytest.raises(LoginFailed) as data:
        open_data_session(config.database)
    _nowhere(
        password,
        _told(control.value),
        _told(data.value),
        repr(config),
        str(config),
        repr(config.database.model_dump()),
        config.model_dump_json(),
        caplog.text,
        _files(tmp_path),
    )


class Leaky(RuntimeError):
    """What a careless library might raise."""


@pytest.fixture
def leaking(monkeypatch: pytest.MonkeyPatch, server: Server) -> str:
    """Every read fails with an error of nobody's that quotes the connection string."""
    secret = server.password

    def rows(self: DataSession, *arguments: Any) -> None:
        raise Leaky("Driver={x};UID=sa;PWD={" + secret.replace("}", "}}") + "} and " + secret)

    monkeypatch.setattr(DataSession, "rows", rows)
    return secret


def test_an_unexpected_error_is_logged_and_reported_without_it(
    shop: ServerShop, leaking: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = shop.run()
    assert {unit.error_type for unit in result.failed} == {"Leaky"}
    assert "Traceback" in caplog.text
    assert "PWD={***}" in caplog.text
    _nowhere(leaking, caplog.text, repr(result.as_dict()), _files(shop.root))


def test_the_command_line_shows_it_in_no_way(
    shop: ServerShop, leaking: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = shop.config()
    monkeypatch.setenv("DLT_SYNC_PASSWORD", leaking)
    monkeypatch.setenv("DLT_SYNC_DEBUG", "1")
    file = tmp_path / "dltsync.yaml"
    file.write_text(
        f"database: {{server: {config.database.server}, port: {config.database.port}, "
        f"database: {config.database.database}, username: {config.database.username}, trust_server_certificate: true}}\n"
        f"static_tables: [{{schema_name: {shop.schema}, table_name: Countries}}]\n"
        "enable_structured_logging: false\nlog_file: log.jsonl\n"
    )
    for command in (["run"], ["run", "--json"], ["plan"], ["status"]):
        shown = CliRunner().invoke(app, [*command, "--config", str(file)])
        _nowhere(leaking, shown.output, shown.stderr)
    _nowhere(leaking, _files(tmp_path))


def test_dagster_keeps_it_out_of_its_event_log(
    shop: ServerShop, leaking: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run that fails in the middle, with all that Dagster stores of it: run config, events, captured output."""
    config = PipelineConfig(
        **{
            **dict(shop.config()),
            "partition_tables": [],
            "scd_tables": [],
            "static_tables": [StaticTableConfig(table_name="Countries", schema_name=shop.schema)],
        }
    )
    definitions = build_definitions(config, settings=LocationSettings(retry_delay_seconds=0))
    (countries,) = (key for key in definitions.resolve_all_asset_keys() if key.path[-2:] == ["warehouse", "Countries"])
    job = definitions.resolve_implicit_global_asset_job_def()
    (tmp_path / "dagster").mkdir()
    with dg.instance_for_test(temp_dir=str(tmp_path / "dagster")) as instance:
        result = job.execute_in_process(instance=instance, asset_selection=[countries], raise_on_error=False)
        events = "".join(repr(record) for record in instance.all_logs(result.run_id))
        run = instance.get_run_by_id(result.run_id)
    assert not result.success
    assert "Leaky" in events
    assert "***" in events
    output = capfd.readouterr()
    _nowhere(leaking, events, repr(run), output.out, output.err, _files(tmp_path))
