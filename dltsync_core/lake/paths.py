"""Where things lie in the lake of one pipeline. Hive style, so DuckDB, Spark and pandas read it without us.

    <table>/data/dltsync_partition=<key part>/<load id>-<n>.parquet    partition tables
    <table>/data/dltsync_load=<load id>/<load id>-<n>.parquet          scd tables: change files, only added to
    <table>/data/<load id>-<n>.parquet                                 static tables
    <table>/_manifests/<load id>.json                                  one per load that is part of the table
    <table>/_staging/<load id>/                                        private, being written
    <table>/_retired/<unit part>/<load id>/...                         what that load replaced, kept for a while

Readers that understand hive style show the directory's key as one more column; it is named so that no sensible source
column has that name (a table that does have one is refused). DuckDB leaves it out with `hive_partitioning = false`.
Spark, pandas and DuckDB ignore nothing else: the underscored directories are beside `data`, not below it.
"""

from __future__ import annotations

from dltsync_core.identity import TableName, path_part
from dltsync_core.plan.steps import TableKind

PARTITION_KEY = "dltsync_partition"
LOAD_KEY = "dltsync_load"


def table_directory(table: TableName) -> str:
    return path_part(str(table))


def data_directory(table: TableName) -> str:
    """What a plain glob over the current table starts from."""
    return f"{table_directory(table)}/data"


def unit_directory(table: TableName, kind: TableKind, unit: str, load_id: str) -> str:
    """Where the files of one load of a unit go."""
    data = data_directory(table)
    if kind == "partition":
        return f"{data}/{PARTITION_KEY}={path_part(unit)}"
    if kind == "scd":
        return f"{data}/{LOAD_KEY}={load_id}"
    return data


def manifests_directory(table: TableName) -> str:
    return f"{table_directory(table)}/_manifests"


def manifest_key(table: TableName, load_id: str) -> str:
    return f"{manifests_directory(table)}/{load_id}.json"


def staging_directory(table: TableName, load_id: str) -> str:
    return f"{table_directory(table)}/_staging/{load_id}"


def retired_directory(table: TableName, unit: str) -> str:
    return f"{table_directory(table)}/_retired/{path_part(unit)}"
