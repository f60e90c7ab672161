"""The warehouse in the config: a DuckDB file, or a destination by dlt's own name, with credentials that nobody sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dlt
import pytest

from dltsync_core.config import DestinationConfig, PipelineConfig, json_schema, load_config
from dltsync_core.config.dlt_destination import REFUSED, TABLE_FORMATS, TESTED, UNTESTED
from dltsync_core.errors import ConfigError
from dltsync_core.redaction import redacted, secrets_of
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.warehouse.delta.warehouse import DeltaWarehouse
from dltsync_core.warehouse.dlt.warehouse import DltWarehouse
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse
from dltsync_core.warehouse.open_warehouse import open_warehouse

PASSWORD = "s3cret-Wörd/42"
URL = "postgresql://loader:s3cret-W%C3%B6rd%2F42@db.example.com:5432/sales"
DATABASE = {"server": "s", "database": "d", "username": "u", "password": "other-word"}
TABLES = {"static_tables": [{"table_name": "Countries"}]}


def postgres(**values: Any) -> DestinationConfig:
    return DestinationConfig(**{"type": "dlt", "destination": "postgres", **values})


def test_every_destination_that_dlt_knows_is_named_once() -> None:
    """A new release of dlt may bring another one: it is to be looked at before a user finds it."""
    named = [*TESTED, *TABLE_FORMATS, *UNTESTED, *REFUSED]
    assert sorted(named) == sorted(set(named)) == sorted(dlt.destinations.__all__)


@pytest.mark.parametrize("name", [*TESTED, *UNTESTED, "Postgres", " SNOWFLAKE "])
def test_usable_destinations_are_taken_by_dlts_name(name: str) -> None:
    assert DestinationConfig(type="DLT", destination=name).destination == name.strip().lower()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_unusable_destinations_are_refused_with_the_reason_and_the_others(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DestinationConfig(type="dlt", destination=name)
    assert REFUSED[name] in str(caught.value)
    assert all(usable in str(caught.value) for usable in (*TESTED, *UNTESTED))


def test_a_wrong_name_is_answered_with_the_nearest_and_all_that_dlt_knows() -> None:
    with pytest.raises(ConfigError, match="did you mean postgres") as caught:
        DestinationConfig(type="dlt", destination="postgresql")
    assert all(name in str(caught.value) for name in dlt.destinations.__all__)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"type": "postgres"}, "write `type: dlt` and `destination: postgres`"),
        ({"type": "dlt"}, "`type: dlt` needs `destination`"),
        ({"destination": "postgres"}, "destination: for `type: dlt`"),
        ({"credentials": URL}, "credentials: for `type: dlt`"),
        ({"type": "dlt", "destination": "postgres", "credentials": "{not json"}, "neither a URL nor a JSON object"),
        ({"type": "oracle"}, "duckdb"),
        ({"type": "filesystem"}, "write `type: dlt` and `destination: filesystem`"),
        ({"type": "dlt", "destination": "filesystem", "bucket_url": "s3://b"}, "needs `table_format: delta`"),
        ({"type": "dlt", "destination": "filesystem", "table_format": "iceberg"}, "not Iceberg"),
        ({"type": "dlt", "destination": "filesystem", "table_format": "hudi"}, "write `table_format: delta`"),
        ({"type": "dlt", "destination": "postgres", "table_format": "delta"}, "table_format: for `type: dlt` with"),
        ({"bucket_url": "s3://b"}, "bucket_url: for `type: dlt` with `destination: filesystem`"),
        (
            {
                "type": "dlt",
                "destination": "filesystem",
                "table_format": "delta",
                "bucket_url": "s3://key:not json@b/x",
            },
            "without a login",
        ),
    ],
)
def test_fields_that_do_not_belong_together_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=r"destination|type|credentials|table_format") as caught:
        DestinationConfig(**values)
    assert said in str(caught.value)
    assert "not json" not in str(caught.value)


def test_an_old_config_still_means_a_duckdb_file() -> None:
    config = DestinationConfig(path=Path("house.duckdb"), dataset_name="sales")
    assert (config.type, config.name, config.database, config.system) == ("duckdb", "house.duckdb", "house", "duckdb")
    pipeline = PipelineConfig(database=DATABASE, destination=config, **TABLES)
    assert isinstance(open_warehouse(pipeline, on_wait=print), DuckDbWarehouse)


@pytest.mark.parametrize(
    "credentials",
    [
        URL,
        {"host": "db.example.com", "port": 5432, "database": "sales", "username": "loader", "password": PASSWORD},
        json.dumps({"host": "db.example.com", "database": "sales", "username": "loader", "password": PASSWORD}),
    ],
    ids=["url", "mapping", "json"],
)
def test_credentials_are_never_shown_and_the_address_is(credentials: Any) -> None:
    config = PipelineConfig(database=DATABASE, destination=postgres(credentials=credentials), **TABLES)
    for shown in (repr(config), str(config.model_dump()), config.model_dump_json()):
        assert PASSWORD not in shown
        assert "W%C3%B6rd" not in shown
    said = redacted(
        f"connection to db.example.com, database sales, as loader with {PASSWORD} failed", secrets_of(config)
    )
    assert said == "connection to db.example.com, database sales, as loader with *** failed"
    again = DestinationConfig(**config.destination.model_dump())
    assert again == config.destination


def test_credentials_come_from_variables_of_the_file_and_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dltsync.yaml"
    path.write_text(
        "database: {server: s, database: d, username: u, password: p}\n"
        "destination: {type: dlt, destination: postgres, credentials: {host: h, password: '${WAREHOUSE_PASSWORD}'}}\n"
        "static_tables: [{table_name: Countries}]\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("WAREHOUSE_PASSWORD", PASSWORD)
    credentials = load_config(path).destination.credentials
    assert credentials is not None
    assert credentials.get_secret_value() == {"host": "h", "password": PASSWORD}
    monkeypatch.setenv("DLT_SYNC_DESTINATION__CREDENTIALS", URL)
    credentials = load_config(path).destination.credentials
    assert credentials is not None
    assert credentials.get_secret_value() == URL


def test_delta_tables_lie_below_a_bucket_or_a_directory_beside_the_config(tmp_path: Path) -> None:
    for given, located in (("tables", str(tmp_path / "tables")), ("S3://b/x/", "S3://b/x"), (None, None)):
        destination = DestinationConfig(
            type="dlt", destination="filesystem", table_format=" Delta", bucket_url=given, credentials={"a": PASSWORD}
        )
        config = PipelineConfig(database=DATABASE, destination=destination, **TABLES).located_at(tmp_path)
        assert config.destination.bucket_url == located
        assert (config.destination.name, config.destination.system) == (located or "filesystem", "delta")
        assert isinstance(open_warehouse(config, on_wait=print), DeltaWarehouse)


def test_the_schema_for_editors_knows_every_type() -> None:
    fields = json_schema()["$defs"]["DestinationConfig"]["properties"]
    assert fields["type"]["enum"] == ["duckdb", "sqlserver", "dlt"]
    assert {"destination", "credentials", "table_format", "bucket_url"} <= set(fields)


def test_a_pipeline_opens_the_warehouse_its_config_names(tmp_path: Path) -> None:
    """Building it connects to nothing, and needs no path of a DuckDB file."""
    config = PipelineConfig(database=DATABASE, destination=postgres(credentials=URL), **TABLES)
    pipeline = IncrementalSQLServerParquetPipeline(config.located_at(tmp_path))
    assert isinstance(pipeline._warehouse, DltWarehouse)
