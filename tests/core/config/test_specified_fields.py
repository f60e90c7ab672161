"""Every field that users write is accepted, from a file and from the environment, and does something.

`PROVED_BY` names for each field the test that shows what it does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from dltsync_core.cli import app
from dltsync_core.config import (
    DatabaseConfig,
    PartitionTableConfig,
    PipelineConfig,
    ProcessingConfig,
    RepresentationConfig,
    SCDTableConfig,
    StateConfig,
    StaticTableConfig,
    build_config,
)

TESTS = Path(__file__).parents[2]
HERE = "core/run/test_specified_names.py"
STRINGS = "core/connect/test_connection_string.py::test_options_are_sent_when_asked_for"
LOGINS = "core/connect/test_connection_string.py::test_both_ends_log_in_in_every_way"
WIRE = "integration/source/test_reading_over_the_wire.py"
LOG = "core/test_logging.py::test_the_file_has_the_form_and_the_level_of_its_config"

PROVED_BY: dict[type[BaseModel], dict[str, str]] = {
    DatabaseConfig: {
        "server": STRINGS,
        "database": STRINGS,
        "username": LOGINS,
        "password": LOGINS,
        "port": f"{HERE}::test_the_port_is_that_of_the_config",
        "integrated_security": LOGINS,
        "trust_server_certificate": "integration/source/test_faults_over_the_wire.py::test_a_certificate_nobody_knows",
        "encrypt": STRINGS,
        "connection_timeout": "integration/source/test_faults_over_the_wire.py::test_a_server_that_says_nothing_is_given_up",
        "command_timeout": "integration/source/test_ends_of_statements.py::test_a_statement_is_cancelled_after_command_timeout",
        "application_intent": STRINGS,
    },
    PartitionTableConfig: {
        "table_name": f"{HERE}::test_target_names_are_those_of_the_warehouse",
        "schema_name": f"{HERE}::test_target_names_are_those_of_the_warehouse",
        "target_table": f"{HERE}::test_target_names_are_those_of_the_warehouse",
        "target_schema": f"{HERE}::test_target_names_are_those_of_the_warehouse",
        "partition_column": "core/extract/test_source.py::test_partition_tables",
    },
    SCDTableConfig: {
        "business_key_columns": "core/run/test_pipeline.py::test_business_keys_that_cannot_be_found_are_asked_for",
        "last_modified_column": f"{HERE}::test_versions_are_found_by_the_columns_of_the_config",
        "is_latest_column": f"{HERE}::test_versions_are_found_by_the_columns_of_the_config",
        "effective_date_column": f"{HERE}::test_versions_are_found_by_the_columns_of_the_config",
        "end_date_column": f"{HERE}::test_versions_are_found_by_the_columns_of_the_config",
        "lag_seconds": f"{HERE}::test_an_increment_reads_as_far_back_as_the_lag",
    },
    StaticTableConfig: {
        "hash_algorithm": "core/extract/test_probes.py::test_a_static_table_is_hashed_as_configured",
        "load_strategy": "core/run/test_run_flow.py::test_an_upsert_keeps_what_the_source_deleted_and_says_so",
        "force_reload_after": f"{HERE}::test_an_old_load_is_done_again",
        "quality": "core/run/test_run_flow.py::test_a_broken_quality_rule_keeps_the_old_rows",
    },
    ProcessingConfig: {
        "batch_size": f"{WIRE}::test_rows_arrive_once_in_batches_of_bounded_size",
        "max_workers": f"{HERE}::test_units_are_read_in_parallel_up_to_the_limits",
        "memory_limit_mb": "core/duckdb/test_memory.py::test_the_option_reaches_the_warehouse_of_a_pipeline",
        "retry_attempts": "core/run/test_failures.py::test_attempts_are_limited",
        "partition_parallel_limit": f"{HERE}::test_units_are_read_in_parallel_up_to_the_limits",
        "enable_sql_server_partition_switching": (
            "integration/sqlserver_warehouse/test_end_to_end.py::test_switching_that_is_switched_off_deletes_and_inserts"
        ),
        "validate_precision_end_to_end": (
            "integration/validation/test_damage_is_named.py::test_without_decimals_their_sums_are_left_out_and_whole_numbers_stay"
        ),
    },
    StateConfig: {
        "state_directory": f"{HERE}::test_state_and_lake_lie_where_the_config_says",
        "parquet_directory": f"{HERE}::test_state_and_lake_lie_where_the_config_says",
        "enable_self_healing": "core/run/test_run_flow.py::test_without_healing_a_loss_is_told_for_each_table",
        "state_retention_days": "core/run/test_state_options.py::test_copies_older_than_the_retention_go_with_the_next_run",
        "validate_state_consistency": (
            "core/run/test_state_options.py::test_losses_are_seen_by_the_comparison_and_by_nothing_else"
        ),
        "backup_state_before_run": "core/run/test_pipeline.py::test_the_copy_can_be_switched_off",
    },
    PipelineConfig: {
        "database": STRINGS,
        "partition_tables": f"{HERE}::test_a_run_may_choose_tables_and_kinds",
        "scd_tables": f"{HERE}::test_a_run_may_choose_tables_and_kinds",
        "static_tables": f"{HERE}::test_a_run_may_choose_tables_and_kinds",
        "processing": f"{HERE}::test_units_are_read_in_parallel_up_to_the_limits",
        "state": f"{HERE}::test_state_and_lake_lie_where_the_config_says",
        "destination": f"{HERE}::test_target_names_are_those_of_the_warehouse",
        "pipeline_name": f"{HERE}::test_state_and_lake_lie_where_the_config_says",
        "log_level": LOG,
        "enable_structured_logging": LOG,
        "log_file": LOG,
    },
}


@pytest.mark.parametrize(
    ("model", "field"),
    [pytest.param(m, f, id=f"{m.__name__}.{f}") for m, fields in PROVED_BY.items() for f in fields],
)
def test_every_specified_field_exists_and_a_test_shows_what_it_does(model: type[BaseModel], field: str) -> None:
    assert field in model.model_fields
    file, _, name = PROVED_BY[model][field].partition("::")
    text = (TESTS / file).read_text(encoding="utf-8")
    functions = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    assert name in functions, f"{file} has no test {name}"
    assert field in text, f"{file} does not mention {field}"


def test_no_field_of_the_config_is_accepted_and_ignored() -> None:
    """Each is read somewhere, as an attribute; the choices of `representation` are read by their names."""
    read = set()
    for package in ("dltsync_core", "dltsync_dagster"):
        for path in (TESTS.parent / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            read |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    by_name = set(RepresentationConfig.model_fields)
    ignored = {f"{model.__name__}.{name}" for model in _models() for name in set(model.model_fields) - read - by_name}
    assert ignored == set()


def _models() -> Iterator[type[BaseModel]]:
    """The config and all of its parts."""
    waiting: list[type[BaseModel]] = [PipelineConfig, *PROVED_BY]
    seen: set[type[BaseModel]] = set()
    while waiting:
        model = waiting.pop()
        if model in seen:
            continue
        seen.add(model)
        yield model
        waiting += [sub for field in model.model_fields.values() for sub in _inside(field.annotation)]


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _inside(part)


SAMPLES: dict[str, dict[str, Any]] = {
    "": {
        "server": "db",
        "database": "shop",
        "username": "u",
        "password": "p",
        "port": 1499,
        "trust_server_certificate": True,
        "encrypt": "strict",
        "connection_timeout": 7,
        "command_timeout": 8,
        "application_intent": "ReadOnly",
    },
    "processing": {
        "batch_size": 17,
        "max_workers": 3,
        "memory_limit_mb": 4096,
        "retry_attempts": 9,
        "partition_parallel_limit": 3,
        "enable_sql_server_partition_switching": False,
        "validate_precision_end_to_end": False,
    },
    "state": {
        "state_directory": "/a/state",
        "parquet_directory": "/a/lake",
        "enable_self_healing": False,
        "state_retention_days": 3,
        "validate_state_consistency": False,
        "backup_state_before_run": False,
    },
    "destination": {"dataset_name": "gold"},
}


def test_every_field_may_come_from_the_environment() -> None:
    """`DLT_SYNC_SERVER` and the like for the database, `DLT_SYNC_PROCESSING__BATCH_SIZE` and the like for the sections."""
    variables = {
        "_".join(["DLT_SYNC", *([section.upper(), ""] if section else []), field.upper()]): str(value)
        for section, fields in SAMPLES.items()
        for field, value in fields.items()
    }
    config = build_config({"static_tables": [{"table_name": "T"}]}, "test", variables)
    for section, fields in SAMPLES.items():
        part = getattr(config, section or "database").model_dump()
        found = {field: part[field] for field in fields}
        if not section:
            found["password"] = config.database.password.get_secret_value() if config.database.password else None
        assert {name: str(value) for name, value in found.items()} == {name: str(v) for name, v in fields.items()}


def test_every_command_of_the_specification_exists() -> None:
    found = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    assert {"init", "plan", "run", "validate", "status", "repair", "recover", "schema"} <= found
    assert "demo" in {point.name for point in entry_points(group="dltsync.commands")}
