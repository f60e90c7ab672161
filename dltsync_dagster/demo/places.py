"""Where the demo keeps everything, whose it is, and the environment that points dltsync and Dagster there.

.dltsync-demo/
  made-by-dltsync-demo    the marker: without it nothing here is written or removed
  dltsync.yaml            the demo's config
  lake/  state/  dltsync.duckdb
  dagster_home/           Dagster's instance and its workspace.yaml
  demo/                   the stand-in's databases, the diary, the log, the lock
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from dltsync_core.config import PipelineConfig, load_config
from dltsync_core.errors import ConfigError, NotWritable
from dltsync_dagster.demo.config_file import CONFIGS_INSIDE
from dltsync_dagster.demo.dataset import TABLES
from dltsync_dagster.demo.sandbox import HOST

MARKER = "made-by-dltsync-demo"
_MARKER_TEXT = (
    "`dltsync demo` made this directory and empties it whenever it starts afresh. Keep nothing of your own in it.\n"
)

_ANOTHER = "give the demo a directory of its own: dltsync demo --data DIRECTORY"

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
sensors:
  use_threads: true
  num_workers: 4
"""

WORKSPACE_YAML = """\
load_from:
  - python_module:
      module_name: dltsync_dagster.definitions
      location_name: dltsync
"""

_PREFIX = "DLT_SYNC_"
_STAYS = ("DLT_SYNC_PROCESSING__", "DLT_SYNC_REPRESENTATION__", "DLT_SYNC_DAGSTER_", "DLT_SYNC_DEBUG")
"""The variables that say how the work is done. The others say where a person's own data are: not the demo's business."""


@dataclass(frozen=True)
class Places:
    """The demo's directories below one base directory."""

    base: Path

    @property
    def marker(self) -> Path:
        """Says that the demo made `base`."""
        return self.base / MARKER

    @property
    def own(self) -> Path:
        """What only the demo knows: the stand-in's databases, its diary, its log."""
        return self.base / "demo"

    @property
    def config(self) -> Path:
        return self.base / "dltsync.yaml"

    @property
    def diary(self) -> Path:
        """Says that a demo came to its end here, and how often it changed the source."""
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
    def workspace(self) -> Path:
        """What the Dagster UI loads: the demo's own, whatever workspace.yaml lies in the current directory."""
        return self.dagster_home / "workspace.yaml"

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

    def claim(self) -> None:
        """Make the directory and mark it as the demo's. Raises ConfigError for one that holds anything and bears no marker, and
        NotWritable."""
        with self._writing():
            if self.base.exists() and not self.base.is_dir():
                raise ConfigError(f"{self.base} is a file", remedy=_ANOTHER)
            self.base.mkdir(parents=True, exist_ok=True)
            if self.marker.exists():
                return
            if found := sorted(path.name for path in self.base.iterdir()):
                raise ConfigError(
                    f"the demo did not make the directory {self.base} (it holds {_some(found)} and no {MARKER})",
                    remedy=f"{_ANOTHER}; or remove this one yourself if nothing else uses it",
                )
            self.marker.write_text(_MARKER_TEXT, encoding="utf-8")

    def start_afresh(self) -> None:
        """Remove what an earlier demo left. Raises ConfigError, and removes nothing, where the demo did not make the directory or
        a config of a person keeps tables in it."""
        self.claim()
        if others := self._tables_of_others():
            raise ConfigError(
                f"{self.base} holds tables that the demo did not make ({_some(others)})",
                remedy=f"{_ANOTHER}; and another directory to the config that keeps them here",
            )
        made = [self.config, self.lake, self.state, self.dagster_home, self.warehouse]
        made += self.base.glob(f"{self.warehouse.name}.*")  # write-ahead log, lock
        made += [path for path in self.own.glob("*") if path != self.lock]
        with self._writing():
            for path in made:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)

    def remove(self) -> list[str]:
        """Remove what the demo left, and its directory. Returns the names of what it did not make, which stays. Raises
        ConfigError."""
        if not self.base.exists():
            return []
        with self.alone():
            self.start_afresh()
        with self._writing():
            self.lock.unlink(missing_ok=True)
            self.own.rmdir()
            left = sorted(path.name for path in self.base.iterdir() if path != self.marker)
            if not left:
                self.marker.unlink()
                self.base.rmdir()
        return left

    def _tables_of_others(self) -> list[str]:
        """Tables in lake and warehouse that are not the demo's: someone pointed a config of their own here."""
        ours = {table.name for table in TABLES}
        in_lake = {
            path.name
            for path in self.lake.glob("*/*")
            if not any(path.name == f"dbo_{name}" or path.name.startswith(f"dbo_{name}-") for name in ours)
        }
        return sorted(
            in_lake | {name for name in self._tables_of_the_warehouse() if name.partition(".")[2] not in ours}
        )

    def _tables_of_the_warehouse(self) -> list[str]:
        """As `schema.table`, without what dltsync and dlt keep there for themselves."""
        if not self.warehouse.is_file():
            return []
        try:
            with closing(duckdb.connect(str(self.warehouse), read_only=True)) as house:
                found = house.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        except duckdb.Error as error:
            raise ConfigError(
                f"{self.warehouse} cannot be opened, so whose tables it holds is unknown: {str(error).splitlines()[0]}",
                remedy=f"stop the program that has it open; or remove the file yourself if nothing else uses it; or {_ANOTHER}",
            ) from error
        own = ("_dlt",)
        return [
            f"{schema}.{table}" for schema, table in found if not schema.startswith(own) and not table.startswith(own)
        ]

    def prepare(self, warehouse: str | None = None) -> None:
        """The directories and files that are needed before anything starts. `warehouse` is a kind of `CONFIGS_INSIDE`; None: that
        of the config that is there, else duckdb. Raises ConfigError, NotWritable."""
        self.claim()
        with self._writing():
            for directory in (self.own, self.dagster_home):
                directory.mkdir(parents=True, exist_ok=True)
            if warehouse is None and self.config.is_file():
                warehouse = next(
                    (k for k, t in CONFIGS_INSIDE.items() if t == self.config.read_text(encoding="utf-8")), None
                )
            self.config.write_text(CONFIGS_INSIDE[warehouse or "duckdb"], encoding="utf-8")
            (self.dagster_home / "dagster.yaml").write_text(DAGSTER_YAML, encoding="utf-8")
            self.workspace.write_text(WORKSPACE_YAML, encoding="utf-8")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within the block no other demo or `make dev` works on these places. Raises ConfigError when one does, or when the
        directory is not the demo's; NotWritable."""
        self.claim()
        lock = FileLock(self.lock)
        with self._writing():
            self.own.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise ConfigError(
                    f"another demo or its Dagster UI is using {self.base}",
                    remedy="stop it (Ctrl-C), or choose another place with --data",
                ) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NotWritable(
                f"cannot write to {error.filename or self.base}: {error.strerror}",
                remedy="choose another place with --data",
            ) from error

    def environment(self, port: int) -> dict[str, str]:
        """The environment in which dltsync and Dagster find the demo, whatever else is set: a person's own server, password,
        ledger and lake stay out of it."""
        others = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(_PREFIX) or name.upper().startswith(_STAYS)
        }
        return {
            **others,
            "DLT_SYNC_CONFIG": str(self.config),
            "DLT_SYNC_PORT": str(port),
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }

    def load_config(self, port: int) -> PipelineConfig:
        """The demo's config. Raises ConfigError when something leads it to another server than the stand-in."""
        config = load_config(self.config, self.environment(port))
        for database in filter(None, (config.database, config.destination.connection)):
            if (database.server, database.port) == (HOST, port):
                continue
            raise ConfigError(
                f"{self.config} leads the demo to {database.address}",
                remedy="the demo only writes to the server it started itself: give it another directory with --data",
            )
        return config


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
