"""Where things lie in the lake of one pipeline. Hive style, so DuckDB, Spark and pandas read it without us.

    <table>/data/dltsync_partition=<key part>/<load>-<n>.parquet    partition tables
    <table>/data/dltsync_load=<load>/<load>-<n>.parquet             scd tables: change files, only added to
    <table>/data/<load>-<n>.parquet                                 static tables
    <table>/_manifests/<load id>.json                               one per load that is part of the table
    <table>/_staging/<load id>/                                     private, being written
    <table>/_retired/<unit part>/<load>/...                         what that load replaced, kept for a while
    <table>/_quarantine/<when>/...                                  damaged or strange, set aside by recovery
    <table>/_retired/_unnamed/...                                   what lost its manifest, kept for a person to judge

`<load>` is `f<fence, twelve digits>-<load id>`: by name, loads sort in the order in which they count.

Readers that understand hive style show the directory's key as one more column; it is named so that no sensible source
column has that name (a table that does have one is refused). DuckDB leaves it out with `hive_partitioning = false`.
Spark, pandas and DuckDB ignore nothing else: the underscored directories are beside `data`, not below it.
"""

from __future__ import annotations

import re

from dltsync_core.committed import TableKind
from dltsync_core.identity import TableName, path_part

PARTITION_KEY = "dltsync_partition"
LOAD_KEY = "dltsync_load"
STAGING = "_staging"
MANIFESTS = "_manifests"
ABSENT = "_absent"
"""No lake has a file of this name."""

_FENCE_DIGITS = 12
_PUBLISHED = re.compile(r"f(?P<fence>\d{12,})-(?P<load_id>.+)-\d+\.parquet")


def table_directory(table: TableName) -> str:
    return path_part(str(table))


def data_directory(table: TableName) -> str:
    """What a plain glob over the current table starts from."""
    return f"{table_directory(table)}/data"


def load_part(order: tuple[int, str]) -> str:
    """The name of a load (fence, load id) in public paths."""
    fence, load_id = order
    return f"f{fence:0{_FENCE_DIGITS}d}-{load_id}"


def order_of(key: str) -> tuple[int, str] | None:
    """The fence and load id in the name of a published file; None for a file of another name."""
    match = _PUBLISHED.fullmatch(key.rpartition("/")[2])
    return (int(match["fence"]), match["load_id"]) if match else None


def file_key(directory: str, order: tuple[int, str], number: int) -> str:
    """Where a file of a load goes, below its unit's directory."""
    return f"{directory}/{load_part(order)}-{number}.parquet"


def partition_directory(table: TableName, unit: str) -> str:
    """Where all files of a partition lie."""
    return f"{data_directory(table)}/{PARTITION_KEY}={path_part(unit)}"


def unit_directory(table: TableName, kind: TableKind, unit: str, order: tuple[int, str]) -> str:
    """Where the files of one load of a unit go."""
    if kind == "partition":
        return partition_directory(table, unit)
    data = data_directory(table)
    return f"{data}/{LOAD_KEY}={load_part(order)}" if kind == "scd" else data


def manifests_directory(table: TableName) -> str:
    return f"{table_directory(table)}/{MANIFESTS}"


def manifest_key(table: TableName, load_id: str) -> str:
    return f"{manifests_directory(table)}/{load_id}.json"


def staging_directory(table: TableName, load_id: str) -> str:
    return f"{table_directory(table)}/{STAGING}/{load_id}"


def retired_directory(table: TableName, unit: str) -> str:
    return f"{table_directory(table)}/_retired/{path_part(unit)}"


def unnamed_directory(table: TableName) -> str:
    """Where published files go that no manifest named for so long that none ever will. Nothing removes them."""
    return f"{table_directory(table)}/_retired/_unnamed"


def quarantine_directory(table: TableName) -> str:
    """Where recovery puts what is damaged or strange. Nothing removes it."""
    return f"{table_directory(table)}/_quarantine"
