"""Where the demo keeps everything, whose it is, and the environment that points dltsync and Dagster there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dltsync_core.config import PipelineConfig, load_config
from dltsync_core.errors import ConfigError, NotWritable
from dltsync_dagster.demo.config_file import CONFIG
from dltsync_dagster.demo.dataset import TABLES
from dltsync_dagster.demo.sandbox import HOST

DAGSTER_YAML = """\
telemetry:
  enabled: false
concurrency:
  pools:
    granularity: op
    default_limit: 2
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 60
"""


@dataclass(frozen=True)
class Places:
    """The demo's directories below one base directory."""

    base: Path

    @property
    def own(self) -> Path:
        """What only the demo knows: the stand-in's databases, its config, its diary."""
        return self.base / "demo"

    @property
    def config(self) -> Path:
        return self.own / "dltsync.yaml"

    @property
    def diary(self) -> Path:
        """Says that the demo made this state, and how often it changed the source."""
        return self.own / "diary.json"

    @property
    def lake(self) -> Path:
        return self.base / "lake"

    @property
    def state(self) -> Path:
        return self.base / "state"

    @property
    def warehouse(self) -> Path:
        return self.base / "dltsync.duckdb"

    @property
    def dagster_home(self) -> Path:
        return self.base / "dagster_home"

    @property
    def sandbox(self) -> Path:
        return self.own / "sandbox"

    @property
    def lock(self) -> Path:
        return self.own / "lock"

    def read_diary(self) -> dict[str, Any] | None:
        """What the last demo wrote, None when there was none that came to its end."""
        if not self.diary.is_file():
            return None
        diary: dict[str, Any] = json.loads(self.diary.read_text(encoding="utf-8"))
        return diary

    def write_diary(self, diary: dict[str, Any]) -> None:
        self.diary.write_text(json.dumps(diary, indent=2) + "\n", encoding="utf-8")

    def start_afresh(self) -> None:
        """Remove what an earlier demo left. Raises ConfigError when somebody else's state lies there, too."""
        found = [path for path in (self.lake, self.state, self.warehouse, self.dagster_home) if path.exists()]
        strangers = self._tables_of_others()
        if strangers or (found and not self.config.exists()):
            what = ", ".join(strangers) or ", ".join(path.name for path in found)
            raise ConfigError(
                f"{self.base} holds state that the demo did not make ({what})",
                remedy="give the demo a directory of its own: dltsync demo --data DIRECTORY",
            )
        beside = self.base.glob(f"{self.warehouse.name}?*")  # write-ahead log, lock
        inside = [path for path in self.own.glob("*") if path != self.lock]
        for path in [*found, *beside, *inside]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _tables_of_others(self) -> list[str]:
        """Tables in the lake that are not the demo's: someone pointed a config of their own here."""
        ours = tuple(f"dbo_{table.name}" for table in TABLES)
        return sorted(path.name for path in self.lake.glob("*/*") if not path.name.startswith(ours))

    def prepare(self) -> None:
        """The directories and files that are needed before anything starts. Raises NotWritable."""
        try:
            for directory in (self.own, self.dagster_home):
                directory.mkdir(parents=True, exist_ok=True)
            self.config.write_text(CONFIG, encoding="utf-8")
            (self.dagster_home / "dagster.yaml").write_text(DAGSTER_YAML, encoding="utf-8")
        except OSError as error:
            raise NotWritable(
                f"cannot write to {self.base}: {error.strerror}", remedy="choose another place with --data"
            ) from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within the block no other demo or `make dev` works on these places. Raises ConfigError when one does."""
        try:
            self.own.mkdir(parents=True, exist_ok=True)
            with FileLock(self.lock, timeout=0):
                yield
        except Timeout:
            raise ConfigError(
                f"another demo or its Dagster UI is using {self.base}",
                remedy="stop it (Ctrl-C), or choose another place with --data",
            ) from None
        except PermissionError as error:
            raise NotWritable(
                f"cannot write to {self.base}: {error.strerror}", remedy="choose another place with --data"
            ) from error

    def environment(self, port: int) -> dict[str, str]:
        """The environment in which dltsync and Dagster find the demo, whatever else is set."""
        return {
            **os.environ,
            "DLT_SYNC_CONFIG": str(self.config),
            "DLT_SYNC_PORT": str(port),
            "DLT_SYNC_STATE__STATE_DIRECTORY": str(self.state),
            "DLT_SYNC_STATE__PARQUET_DIRECTORY": str(self.lake),
            "DLT_SYNC_DESTINATION__PATH": str(self.warehouse),
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }

    def load_config(self, port: int) -> PipelineConfig:
        """The demo's config. Raises ConfigError when the environment leads it to another server than the stand-in."""
        config = load_config(self.config, self.environment(port))
        database = config.database
        if (database.server, database.port) != (HOST, port):
            raise ConfigError(
                f"the environment (DLT_SYNC_DATABASE__…) leads the demo to {database.server}:{database.port}",
                remedy="unset those variables; the demo only writes to the server it started itself",
            )
        return config
