"""The config, from Python, a file and the environment."""

from __future__ import annotations

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.config.files import build_config, json_schema, load_config, read_values
from dltsync_core.config.pipeline import PipelineConfig
from dltsync_core.config.processing import DestinationConfig, ProcessingConfig, RepresentationConfig, StateConfig
from dltsync_core.config.tables import PartitionTableConfig, QualityRule, SCDTableConfig, StaticTableConfig, TableConfig

__all__ = [
    "DatabaseConfig",
    "DestinationConfig",
    "PartitionTableConfig",
    "PipelineConfig",
    "ProcessingConfig",
    "QualityRule",
    "RepresentationConfig",
    "SCDTableConfig",
    "StateConfig",
    "StaticTableConfig",
    "TableConfig",
    "build_config",
    "json_schema",
    "load_config",
    "read_values",
]
