"""A reader of the lake that knows its documented layout (docs/lake.md) and nothing of the project: manifests and DuckDB."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from tests.integration.crash.warehouses import Rows, named


def manifests(lake: Path) -> list[dict[str, Any]]:
    """The manifests of all tables that are not superseded, oldest first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in lake.glob("*/*/_manifests/*.json")]
    found.sort(key=lambda manifest: (manifest["sequence"], manifest["load_id"]))
    live: list[dict[str, Any]] = []
    for manifest in found:
        live = [older for older in live if not _replaces(manifest, older)]
        live.append(manifest)
    return live


def _replaces(manifest: dict[str, Any], older: dict[str, Any]) -> bool:
    same_unit = manifest["replaces_unit"] and manifest["unit"] == older["unit"]
    return bool(manifest["retires_all"] or same_unit or older["unit"] in manifest["retires"])


def rows_by_manifest(lake: Path, columns: Sequence[str], keys: Sequence[str] = ()) -> Rows:
    """The table as readers of manifests see it: for versions the newest change of each key."""
    files = [
        (str(directory / file["path"]), number)
        for number, manifest in enumerate(manifests(lake))
        for file in manifest["files"]
        for directory in lake.iterdir()
    ]
    return _rows(files, columns, keys)


def rows_by_glob(lake: Path, columns: Sequence[str], keys: Sequence[str] = ()) -> Rows:
    """The table as a plain glob shows it; load ids sort by time."""
    files = sorted(lake.glob("*/*/data/**/*.parquet"), key=lambda path: path.name)
    return _rows([(str(path), number) for number, path in enumerate(files)], columns, keys)


def clutter(lake: Path) -> list[str]:
    """What lies in the lake and belongs to no load, live or retired: staging directories and half written files."""
    private = list(lake.glob("*/*/_staging/*"))
    hidden = [path for path in lake.rglob(".*") if path.is_file()]
    return sorted(str(path.relative_to(lake)) for path in (*private, *hidden))


def _rows(files: Sequence[tuple[str, int]], columns: Sequence[str], keys: Sequence[str]) -> Rows:
    if not files:
        return []
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE loads (file VARCHAR, number INTEGER)")
        connection.executemany("INSERT INTO loads VALUES (?, ?)", files)
        newest = f"QUALIFY row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY number DESC) = 1" if keys else ""
        return named(
            connection.execute(
                "SELECT p.* FROM read_parquet(?, filename = true, hive_partitioning = false, union_by_name = true) AS p "
                f"JOIN loads ON loads.file = p.filename {newest}",
                [[file for file, _ in files]],
            ),
            columns,
        )
