"""The lake is a directory or a prefix of an object store; what opens the store is shown to nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dltsync_core.config import DatabaseConfig, PipelineConfig, StateConfig, StaticTableConfig
from dltsync_core.config.files import load_config
from dltsync_core.errors import ConfigError
from dltsync_core.redaction import redacted, secrets_of

SECRET = "wJalrXUtnFEMI/K7MDENG"
OPTIONS = {"key": "AKIA1", "secret": SECRET, "client_kwargs": {"endpoint_url": "https://s3.example.com"}}


def pipeline(**state: Any) -> PipelineConfig:
    return PipelineConfig(
        database=DatabaseConfig(server="db1", database="shop", username="u", password=SecretStr("of-the-database")),
        static_tables=[StaticTableConfig(table_name="Countries", schema_name="dbo")],
        state=StateConfig(**state),
    )


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("lake", Path("lake")),
        ("/var/lake", Path("/var/lake")),
        (Path("lake"), Path("lake")),
        ("s3://bucket", "s3://bucket"),
        ("S3://bucket/a/b/", "s3://bucket/a/b"),
        ("abfss://box@account.dfs.core.windows.net/a", "abfss://box@account.dfs.core.windows.net/a"),
        ("gs://bucket/a", "gs://bucket/a"),
    ],
)
def test_a_directory_stays_a_path_and_a_url_stays_a_url(written: str | Path, kept: str | Path) -> None:
    assert StateConfig.model_validate({"parquet_directory": written}).parquet_directory == kept


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("memory://lake", "a lake cannot be stored at"),
        ("http://server/lake", "a lake cannot be stored at"),
        ("file:///lake", "as a path"),
        ("s3://", "s3://<bucket>/<prefix>"),
        (f"s3://key:{SECRET}@bucket/a", "storage_options"),
        (f"s3://{SECRET}@bucket/a", "storage_options"),
        (f"s3://bucket/a?secret={SECRET}", "storage_options"),
    ],
)
def test_a_place_where_nothing_would_be_remembered_or_that_tells_a_secret_is_refused(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match="parquet_directory") as caught:
        StateConfig.model_validate({"parquet_directory": written})
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_options_are_shown_to_nobody(tmp_path: Path) -> None:
    config = pipeline(parquet_directory="s3://bucket/a", storage_options=OPTIONS).located_at(tmp_path)
    assert config.state.storage_options is not None
    assert config.state.storage_options.get_secret_value() == OPTIONS
    assert config.state.parquet_directory == "s3://bucket/a"
    for shown in (repr(config), str(config), config.model_dump_json(), repr(config.model_dump())):
        assert SECRET not in shown
        assert "AKIA1" not in shown
    told = redacted(f"signature of {SECRET} at https://s3.example.com", secrets_of(config))
    assert told == "signature of *** at https://s3.example.com"


def test_a_config_that_is_built_anew_from_its_parts_keeps_its_options() -> None:
    """As the Dagster location does, to put its resources over it."""
    config = pipeline(parquet_directory="s3://bucket/a", storage_options=OPTIONS)
    again = StateConfig(**config.state.model_dump())
    assert again == config.state


@pytest.mark.parametrize("given", [f"not json {SECRET}", f'["{SECRET}"]', f'"{SECRET}"'])
def test_options_that_are_no_mapping_are_told_without_repeating_them(given: str) -> None:
    with pytest.raises(ConfigError, match="storage_options") as caught:
        StateConfig.model_validate({"parquet_directory": "s3://bucket", "storage_options": given})
    assert SECRET not in str(caught.value)


def test_options_without_a_store_are_a_mistake() -> None:
    with pytest.raises(ConfigError, match="parquet_directory is a directory"):
        pipeline(storage_options=OPTIONS)


def test_a_file_and_the_environment_give_them(tmp_path: Path) -> None:
    file = tmp_path / "dltsync.yaml"
    file.write_text(
        "database: {server: db1, database: shop, username: u, password: p}\n"
        "static_tables: [{schema_name: dbo, table_name: Countries}]\n"
        "state: {parquet_directory: 's3://bucket/a', storage_options: {key: '${KEY}', anon: false}}\n"
    )
    by_file = load_config(file, {"KEY": "AKIA1"}).state.storage_options
    assert by_file is not None
    assert by_file.get_secret_value() == {"key": "AKIA1", "anon": False}
    variables = {"KEY": "x", "DLT_SYNC_STATE__STORAGE_OPTIONS": '{"key": "AKIA2"}'}
    by_environment = load_config(file, variables).state.storage_options
    assert by_environment is not None
    assert by_environment.get_secret_value() == {"key": "AKIA2"}
