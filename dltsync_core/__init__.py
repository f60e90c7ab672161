"""SQL Server tables into a Parquet lake and a warehouse, completely and exactly.

    from dltsync_core import PipelineConfig, DatabaseConfig, PartitionTableConfig, IncrementalSQLServerParquetPipeline

    pipeline = IncrementalSQLServerParquetPipeline(PipelineConfig(database=DatabaseConfig(…), partition_tables=[…]))
    results = pipeline.run()

Names are loaded when they are first used: importing the package itself opens nothing and costs next to nothing.
"""

from __future__ import annotations

import importlib
import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

# Before anything imports dlt: it reads these once. Nothing about a user's tables leaves their machine through us.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

if TYPE_CHECKING:
    __version__: str
    from dltsync_core.config import (
        DatabaseConfig,
        DestinationConfig,
        PartitionTableConfig,
        PipelineConfig,
        ProcessingConfig,
        QualityRule,
        RepresentationConfig,
        SCDTableConfig,
        StateConfig,
        StaticTableConfig,
        load_config,
    )
    from dltsync_core.errors import SyncError
    from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
    from dltsync_core.run.result import RunResult

__all__ = [
    "DatabaseConfig",
    "DestinationConfig",
    "IncrementalSQLServerParquetPipeline",
    "PartitionTableConfig",
    "PipelineConfig",
    "ProcessingConfig",
    "QualityRule",
    "RepresentationConfig",
    "RunResult",
    "SCDTableConfig",
    "StateConfig",
    "StaticTableConfig",
    "SyncError",
    "load_config",
]

_HOMES = {
    "IncrementalSQLServerParquetPipeline": "dltsync_core.run.pipeline",
    "RunResult": "dltsync_core.run.result",
    "SyncError": "dltsync_core.errors",
}
_CONFIG = "dltsync_core.config"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("dltsync")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, _CONFIG)), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
