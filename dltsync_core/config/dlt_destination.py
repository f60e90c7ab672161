"""A warehouse that dlt reaches (`destination.type: dlt`): the destinations dlt knows, and their credentials. Pure: dlt is not
imported, so that help and completion stay quick; a test compares the names with dlt's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Secret, WithJsonSchema

from dltsync_core.config.error_messages import nearest

TESTED = ("postgres",)
"""Destinations that dltsync's own tests run against."""

TABLE_FORMATS: Mapping[str, tuple[str, ...]] = {"filesystem": ("delta",)}
"""Destinations whose tables have a format of their own, and those that dltsync loads, by dlt's name of the option. Tested too."""

UNTESTED = ("ducklake", "motherduck", "redshift", "snowflake", "sqlalchemy")
"""Destinations with transactions and the SQL that a load needs, by what dlt says of them."""

_TRANSACTIONS = "dlt has no transaction over several statements there, which rows and marker of a load need"
_VECTORS = "it is a store of vectors, whose rows dltsync cannot count and compare"
REFUSED: Mapping[str, str] = {
    "athena": _TRANSACTIONS,
    "bigquery": "its catalogue, its dates and its definitions in transactions are not standard SQL, which dltsync writes",
    "clickhouse": _TRANSACTIONS,
    "databricks": _TRANSACTIONS,
    "destination": "it is a function of your own, whose rows dltsync cannot count and compare",
    "dremio": _TRANSACTIONS,
    "duckdb": "dltsync loads DuckDB files itself: `type: duckdb`",
    "dummy": "it stores nothing",
    "fabric": "dltsync writes no T-SQL through dlt",
    "lance": _VECTORS,
    "lancedb": _VECTORS,
    "mssql": "dltsync writes no T-SQL through dlt",
    "qdrant": _VECTORS,
    "synapse": "dltsync writes no T-SQL through dlt",
    "weaviate": _VECTORS,
}
"""Destinations of dlt that are no warehouse for dltsync, and why."""


def known_destination(name: str) -> str:
    """The destination's name as dlt writes it. Raises ValueError with the names to choose from."""
    folded = name.strip().lower()
    usable = (*TESTED, *TABLE_FORMATS, *UNTESTED)
    if folded in usable:
        return folded
    choices = f"dltsync loads {', '.join(usable)}"
    if folded in REFUSED:
        raise ValueError(f"dlt's {folded} cannot be the warehouse: {REFUSED[folded]}; {choices}")
    close = nearest(folded, [*usable, *REFUSED])
    known = ", ".join(sorted({*usable, *REFUSED}))
    raise ValueError(
        f"dlt has no destination {name!r}"
        + (f"; did you mean {close}?" if close else "")
        + f" It knows {known}; {choices}"
    )


def known_table_format(value: str) -> str:
    """The format as dlt writes it. Raises ValueError for one that dltsync does not load."""
    folded = value.strip().lower()
    if any(folded in formats for formats in TABLE_FORMATS.values()):
        return folded
    if folded == "iceberg":
        raise ValueError(
            "dltsync loads Delta tables, not Iceberg, whose commits need a catalogue beside the store; "
            "write `table_format: delta`"
        )
    raise ValueError("write `table_format: delta`")


def check_table_format(destination: str | None, table_format: str | None, bucket_url: str | None) -> None:
    """Raises ValueError when a destination lacks its format, or has one that it does not know."""
    if destination in TABLE_FORMATS and table_format is None:
        raise ValueError(
            f"`destination: {destination}` needs `table_format: delta`: the rows of a partition and the marker of their load are "
            "replaced in one step in a Delta table only; the lake has plain Parquet files already"
        )
    given = {"table_format": table_format, "bucket_url": bucket_url}
    found = [name for name, value in given.items() if value is not None]
    if destination not in TABLE_FORMATS and found:
        raise ValueError(f"{' and '.join(found)}: for `type: dlt` with `destination: {' or '.join(TABLE_FORMATS)}`")


def bucket_location(value: str) -> str:
    """A URL of an object store, or a directory. Raises ValueError for a URL with a login."""
    location = value.strip().rstrip("/") or value.strip()
    login = location.partition("://")[2].partition("/")[0].rpartition("@")[0]  # abfss:// has its container there
    if not location or "?" in location or ":" in login or (login and not location.lower().startswith("abfs")):
        raise ValueError(
            "write <scheme>://<bucket>/<prefix> or a directory, without a login: that belongs in credentials"
        )
    return location


def _credentials(value: Any) -> Any:
    """A URL, a mapping, or (from an environment variable) JSON text of a mapping."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("neither a URL nor a JSON object") from None  # it may hold a password: it is not repeated
    return value


Credentials: TypeAlias = Annotated[
    Secret[str | dict[str, Any]],
    BeforeValidator(_credentials),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": True}]}),
]
"""What dlt takes as a destination's credentials: a URL or a mapping with dlt's field names. Never shown."""
