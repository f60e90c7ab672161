"""What a config accepts, what it refuses, and how it says so."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dltsync_core import (
    DatabaseConfig,
    DestinationConfig,
    PartitionTableConfig,
    PipelineConfig,
    ProcessingConfig,
    SCDTableConfig,
    StaticTableConfig,
)
from dltsync_core.config import QualityRule, json_schema
from dltsync_core.errors import ConfigError
from dltsync_core.identity import TableName

LOGIN: dict[str, Any] = {"server": "db.example.com", "database": "shop", "username": "reader", "password": "p"}

WAREHOUSE = {"server": "s", "database": "d", "username": "u", "password": "p"}


def _pipeline(**values: Any) -> PipelineConfig:
    return PipelineConfig(**{"database": LOGIN, "static_tables": [{"table_name": "a"}], **values})


def test_tables_come_in_the_order_partition_scd_static() -> None:
    config = _pipeline(
        static_tables=[StaticTableConfig(table_name="s")],
        scd_tables=[SCDTableConfig(table_name="c", last_modified_column="m")],
        partition_tables=[PartitionTableConfig(table_name="p", schema_name="sales")],
    )
    assert [str(table.name) for table in config.tables] == ["sales.p", "dbo.c", "dbo.s"]
    assert [table.kind for table in config.tables] == ["partition", "scd", "static"]
    assert config.tables[0].name == TableName("sales", "p")


def test_target_defaults_to_the_dataset_and_the_table_name() -> None:
    config = _pipeline(
        static_tables=[{"table_name": "a"}, {"table_name": "b", "target_schema": "ref", "target_table": "bees"}],
        destination={"dataset_name": "house"},
    )
    assert [config.target_of(table) for table in config.tables] == [("house", "a"), ("ref", "bees")]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"static_tables": []}, "no tables"),
        ({"static_tables": [{"table_name": "a"}, {"table_name": "A"}]}, "tables dbo.a and dbo.A differ in case only"),
        (
            {"static_tables": [{"table_name": "a"}, {"table_name": "a", "schema_name": "x"}]},
            "dbo.a and x.a would both become warehouse.a",
        ),
        ({"static_tables": [{"table_name": "a"}, {"table_name": "a"}]}, "table dbo.a is listed twice"),
        (
            {"static_tables": [{"table_name": "a"}, {"table_name": "A", "schema_name": "s"}]},
            "tables dbo.a and s.A would both become warehouse.A (the warehouse does not distinguish upper and lower case)",
        ),
        (
            {"static_tables": [{"table_name": "a"}], "partition_tables": [{"table_name": "b", "target_table": "a"}]},
            "tables dbo.b and dbo.a would both become warehouse.a; give one of them another target_table or target_schema",
        ),
        (
            {
                "static_tables": [
                    {"table_name": "a"},
                    {"table_name": "A", "schema_name": "s", "target_schema": "WAREHOUSE"},
                ]
            },
            "tables dbo.a and s.A would both become WAREHOUSE.A",
        ),
        ({"static_tabels": []}, "static_tabels: unknown field; did you mean `static_tables`?"),
        ({"static_tables": [{"tabel_name": "a"}]}, "static_tables[0].table_name: missing"),
        (
            {"static_tables": [{"table_name": "a", "quality": [{"column": "x", "alowed": [1]}]}]},
            "static_tables[0].quality[0].alowed: unknown field; did you mean `allowed`?",
        ),
        ({"destination": {"type": "sqlserver"}}, "destination: type sqlserver needs connection"),
        ({"destination": {"type": "mssql", "connection": {"server": "s"}}}, "destination.connection.database"),
        ({"destination": {"connection": WAREHOUSE}}, "destination: connection is for type sqlserver"),
        ({"destination": {"type": "sqlserver", "connection": WAREHOUSE, "path": "x"}}, "path is for type duckdb"),
        ({"processing": {"batch_size": 0}}, "processing.batch_size"),
        ({"pipeline_name": "../up"}, "pipeline_name"),
        ({"log_level": "LOUD"}, "log_level"),
        (
            {"database": {**LOGIN, "server": "host,1444", "port": 1433}},
            "database: server gives port 1444, and port gives another one",
        ),
        ({"database": {**LOGIN, "integrated_security": True}}, "integrated_security excludes username"),
        ({"database": {"server": "h", "database": "d"}}, "no login"),
        ({"database": {**LOGIN, "server": "h\\ONE", "port": 1}}, "names an instance and port is given"),
        (
            {"database": {"server": "h", "database": "d", "authentication": "ActiveDirectoryServicePrincipal"}},
            "needs username and password",
        ),
        (
            {"database": {**LOGIN, "access_token": "t"}},
            "database: access_token excludes username, password; keep one way to log in",
        ),
        (
            {"database": {"server": "h", "database": "d", "access_token": "t", "access_token_command": ["az"]}},
            "access_token excludes access_token_command",
        ),
        (
            {"database": {"server": "h", "database": "d", "access_token_command": ["az"], "integrated_security": True}},
            "access_token_command excludes integrated_security",
        ),
        ({"database": {"server": "h", "database": "d", "access_token_command": []}}, "database.access_token_command"),
        ({"database": {"server": "h", "database": "d", "access_token_command": [" "]}}, "names no program"),
        ({"static_tables": [{"table_name": "a", "key_columns": ["k"]}]}, "needs load_strategy upsert"),
        ({"static_tables": [{"table_name": "a", "force_reload_after": 7}]}, "write a number and a unit"),
        ({"static_tables": [{"table_name": "a", "include_columns": ["x"], "exclude_columns": ["X"]}]}, "both name X"),
        (
            {"partition_tables": [{"table_name": "p", "change_detection": "last_modified"}]},
            "needs last_modified_column",
        ),
        (
            {"partition_tables": [{"table_name": "p", "retention": {}}]},
            "partition_tables[0].retention: retention is empty",
        ),
        ({"partition_tables": [{"table_name": "p", "retention": {"partitions": 0}}]}, "retention.partitions"),
        ({"partition_tables": [{"table_name": "p", "retention": {"age": "12h"}}]}, "age must be a day or longer"),
        (
            {"partition_tables": [{"table_name": "p", "retention": {"partitions": 3, "date_format": "yyyymm"}}]},
            "date_format says how age reads boundaries: give age",
        ),
        (
            {"partition_tables": [{"table_name": "p", "retention": {"age": "90d", "date_format": "ddmmyyyy"}}]},
            "retention.date_format",
        ),
        (
            {"partition_tables": [{"table_name": "p", "retention": {"partitions": 3}}]},
            "partition_tables: dbo.p: retention removes partitions from a warehouse in SQL Server only",
        ),
        (
            {
                "partition_tables": [{"match": "s.*", "retention": {"age": "90d"}}],
                "destination": {"type": "dlt", "destination": "postgres"},
            },
            "partition_tables: match s.*: retention removes partitions",
        ),
        (
            {"static_tables": [{"table_name": "a", "retention": {"partitions": 3}}]},
            "static_tables[0].retention: unknown",
        ),
        ({"scd_tables": [{"table_name": "v"}]}, "scd_tables[0].last_modified_column: missing"),
        (
            {
                "scd_tables": [
                    {
                        "table_name": "c",
                        "last_modified_column": "m",
                        "business_key_columns": ["No", "effectivedate"],
                    }
                ]
            },
            "business_key_columns names EffectiveDate, the effective_date_column",
        ),
        (
            {"static_tables": [{"table_name": "s", "load_strategy": "upsert", "key_columns": ["Code", "code"]}]},
            "key_columns names a column twice",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _pipeline(**values)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        _pipeline(log_level="LOUD", processing={"batch_size": 0})
    problems = caught.value.facts["problems"]
    assert isinstance(problems, tuple)
    assert len(problems) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", timedelta(days=7)),
        ("12h", timedelta(hours=12)),
        ("30 m", timedelta(minutes=30)),
        ("P1D", timedelta(days=1)),
    ],
)
def test_durations_have_units(text: str, expected: timedelta) -> None:
    assert StaticTableConfig(table_name="a", force_reload_after=text).force_reload_after == expected


@pytest.mark.parametrize(
    ("given", "meant"), [(True, "yes"), (False, "no"), ("Mandatory", "yes"), ("optional", "no"), ("STRICT", "strict")]
)
def test_encrypt_takes_the_words_people_use(given: object, meant: str) -> None:
    assert DatabaseConfig(**{**LOGIN, "encrypt": given}).encrypt == meant


def test_configs_do_not_change() -> None:
    config = _pipeline()
    with pytest.raises(Exception, match="frozen"):
        config.pipeline_name = "other"  # type: ignore[misc]
    assert isinstance(config.static_tables, tuple)


def test_quality_keeps_values_as_written() -> None:
    rule = QualityRule(column="c", allowed=["1", 1, True, 1.5], min="2020-01-01")
    assert rule.allowed == ("1", 1, True, 1.5)
    with pytest.raises(ConfigError, match="checks nothing"):
        QualityRule(column="c")


def test_environment_fills_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SERVER": "from-env",
        "DATABASE": "d",
        "USERNAME": "u",
        "PASSWORD": "s",
        "PORT": "1444",
    }.items():
        monkeypatch.setenv(f"DLT_SYNC_{name}", value)
    config = _pipeline(database={"server": "given"})
    assert (config.database.server, config.database.database, config.database.port) == ("given", "d", 1444)
    alone = PipelineConfig(static_tables=[{"table_name": "a"}])
    assert alone.database.server == "from-env"
    assert alone.database.password is not None
    assert alone.database.password.get_secret_value() == "s"


def test_a_missing_database_names_the_variables() -> None:
    with pytest.raises(ConfigError, match=r"database\.server: missing \(or set DLT_SYNC_SERVER in the environment\)"):
        PipelineConfig(static_tables=[{"table_name": "a"}])


@pytest.mark.parametrize("secret", ["p;}{='s3cret😀", "secret", "{[}]", "pass word"])
def test_the_password_is_in_no_text_of_a_config(secret: str) -> None:
    config = _pipeline(database={**LOGIN, "password": secret}, state={"state_url": f"postgresql://u:{secret}@h/d"})
    for text in (repr(config), str(config), repr(config.database), config.model_dump_json(), repr(config.model_dump())):
        assert secret not in text


@pytest.mark.parametrize("field", ["passwd", "port", "encrypt", "connection_timeout"])
def test_a_password_in_the_wrong_field_is_not_repeated(field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DatabaseConfig(**{**LOGIN, field: "hunter2-secret"})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_relative_paths_get_a_home(tmp_path: Path) -> None:
    config = _pipeline(state={"parquet_directory": "/abs/lake"}, destination=DestinationConfig(), log_file="log.txt")
    placed = config.located_at(tmp_path)
    assert placed.state.state_directory == tmp_path / ".dltsync/state"
    assert placed.state.parquet_directory == Path("/abs/lake")
    assert placed.destination.path == tmp_path / ".dltsync/dltsync.duckdb"
    assert placed.log_file == tmp_path / "log.txt"


def test_the_schema_explains_every_field() -> None:

    schema = json_schema()
    json.dumps(schema)
    models = [schema, *schema["$defs"].values()]
    missing = [
        f"{model.get('title')}.{name}"
        for model in models
        for name, field in model.get("properties", {}).items()
        if not field.get("description") and "$ref" not in field  # then the model itself says it
    ]
    assert not missing
    assert schema["additionalProperties"] is False


def test_processing_defaults_are_the_documented_ones() -> None:
    processing = ProcessingConfig()
    assert (processing.batch_size, processing.max_workers, processing.memory_limit_mb) == (65536, 4, 2048)


def test_two_tables_whose_names_make_one_text_are_two() -> None:
    found = _pipeline(
        static_tables=[{"table_name": "c", "schema_name": "a.b"}, {"table_name": "b.c", "schema_name": "a"}]
    )
    assert [str(table.name) for table in found.tables] == ["[a.b].[c]", "[a].[b.c]"]


def test_a_warehouse_on_a_server_takes_nothing_from_the_variables_of_the_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its missing password is an error, not the source's password."""
    monkeypatch.setenv("DLT_SYNC_USERNAME", "reader")
    monkeypatch.setenv("DLT_SYNC_PASSWORD", "the source's")
    with pytest.raises(ConfigError, match="no login"):
        DestinationConfig(type="sqlserver", connection={"server": "s", "database": "d"})
    config = DestinationConfig(type="sqlserver", connection=WAREHOUSE)
    assert (config.name, config.database, config.system) == ("s:1433/d", "d", "sqlserver")
    assert "'p'" not in repr(config)
