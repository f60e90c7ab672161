"""What this machine has: drivers, directories that can be written, room on the disks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dltsync_core.checkup.requirement import Area, Requirement, missing, ok, warning
from dltsync_core.config.pipeline import PipelineConfig
from dltsync_core.connect.driver import find_driver, load_mssql_python, load_pyodbc
from dltsync_core.errors import NotWritable, SyncError
from dltsync_core.run.housekeeping import check_places

LITTLE_ROOM = 1_000_000_000
"""Free bytes below which a warning is due: a load needs room for its own files twice."""


def driver_requirements(config: PipelineConfig) -> list[Requirement]:
    """pyodbc with its ODBC driver, and mssql-python: can be loaded, and their versions."""
    found: list[Requirement] = []
    drivers = {"source": config.database.driver}
    if config.destination.connection is not None:
        drivers["warehouse"] = config.destination.connection.driver
    try:
        load_pyodbc()
        named = " and ".join(dict.fromkeys(_short(find_driver(driver)) for driver in drivers.values()))
        found.append(ok("machine", f"pyodbc {_version('pyodbc')} with {named}"))
    except SyncError as error:
        found.append(missing("machine", error))
    try:
        load_mssql_python()
        found.append(ok("machine", f"mssql-python {_version('mssql-python')}"))
    except SyncError as error:
        found.append(missing("machine", error))
    return found


def _short(driver: str) -> str:
    return Path(driver).name if "/" in driver else driver


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(version unknown)"


def directory_requirements(config: PipelineConfig) -> list[Requirement]:
    """State, lake and warehouse can be written where the config says. `config` has absolute paths."""
    try:
        check_places(config, writing=True)
    except NotWritable as error:
        return [missing("machine", error)]
    return [ok("machine", f"may write to {name}: {path}") for name, path in _places(config)[:-1]]


def room_requirements(config: PipelineConfig) -> list[Requirement]:
    """Free bytes of each disk that a run writes to; one line per disk."""
    disks: dict[int, list[str]] = {}
    free: dict[int, int] = {}
    for name, path in _places(config):
        there = next(place for place in (path, *path.parents) if place.exists())
        disk = there.stat().st_dev
        disks.setdefault(disk, []).append(name)
        free[disk] = shutil.disk_usage(there).free
    return [_room("machine", names, free[disk]) for disk, names in disks.items()]


def _places(config: PipelineConfig) -> list[tuple[str, Path]]:
    places = [("state", config.state.state_directory)]
    if isinstance(config.state.parquet_directory, Path):
        places.append(("lake", config.state.parquet_directory))
    if config.destination.type == "duckdb":
        places.append(("warehouse", config.destination.path))
    return [*places, ("temporary files", Path(tempfile.gettempdir()))]


def _room(area: Area, names: Iterable[str], free: int) -> Requirement:
    text = f"{free / 1e9:,.1f} GB free for {', '.join(names)}"
    if free < LITTLE_ROOM:
        return warning(area, text, "make room: a load needs it for its own files twice, until it is committed")
    return ok(area, text)
