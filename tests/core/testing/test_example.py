"""The example in the documentation of `dltsync_core.testing` runs as it stands there."""

from __future__ import annotations

import textwrap
from pathlib import Path

from dltsync_core import testing
from dltsync_core.config import DatabaseConfig, DestinationConfig, PipelineConfig, StateConfig, StaticTableConfig


def test_the_example_runs(tmp_path: Path) -> None:
    documentation = testing.__doc__ or ""
    example = textwrap.dedent("\n".join(line for line in documentation.splitlines() if line.startswith("    ")))
    assert "pipeline.run().success" in example
    config = PipelineConfig(
        database=DatabaseConfig(server="s", database="d", username="u", password="p"),
        static_tables=[StaticTableConfig(table_name="Countries")],
        state=StateConfig(state_directory=tmp_path / "state", parquet_directory=tmp_path / "lake"),
        destination=DestinationConfig(path=tmp_path / "warehouse.duckdb"),
    )
    exec(example, {"config": config})  # noqa: S102 -- our own documentation


def test_every_exported_name_is_documented() -> None:
    for name in testing.__all__:
        assert name == "Row" or getattr(testing, name).__doc__, name
