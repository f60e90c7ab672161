"""The ledger's tables, and the way from one version of them to the next. Plain SQL types: SQLite, PostgreSQL, SQL Server."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from dltsync_core.identity import TableName, digest_of, joined

LEDGER = sa.MetaData()

_EXACT = "Latin1_General_100_BIN2"
"""SQL Server's own collations mostly take `Orders` and `ORDERS` for one name. The other stores tell them apart anyway."""
_PIPELINE = sa.String(64).with_variant(mssql.VARCHAR(64, collation=_EXACT), "mssql")
_NAME = sa.Unicode(128).with_variant(mssql.NVARCHAR(128, collation=_EXACT), "mssql")

versions = sa.Table(
    "dltsync_schema_version",
    LEDGER,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("applied_at", sa.String(32), nullable=False),
)

loads = sa.Table(
    "dltsync_loads",
    LEDGER,
    # SQLite only counts up by itself in a column declared INTEGER.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("pipeline", _PIPELINE, nullable=False),
    sa.Column("schema_name", _NAME, nullable=False),
    sa.Column("table_name", _NAME, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("unit", sa.UnicodeText, nullable=False),
    sa.Column("unit_key", sa.String(64), nullable=False),
    sa.Column("load_id", sa.String(64), nullable=False),
    sa.Column("run_id", sa.String(128), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("rows", sa.BigInteger),
    sa.Column("detail", sa.UnicodeText, nullable=False),
    sa.Index("dltsync_loads_unit", "unit_key"),
    sa.Index("dltsync_loads_load", "load_id"),
)
"""Append-only: what happened to every load."""

committed_units = sa.Table(
    "dltsync_committed_units",
    LEDGER,
    sa.Column("unit_key", sa.String(64), primary_key=True),
    sa.Column("pipeline", _PIPELINE, nullable=False),
    sa.Column("schema_name", _NAME, nullable=False),
    sa.Column("table_name", _NAME, nullable=False),
    sa.Column("unit", sa.UnicodeText, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("is_live", sa.Boolean, nullable=False),
    sa.Column("load_id", sa.String(64), nullable=False),
    sa.Column("run_id", sa.String(128), nullable=False),
    sa.Column("probe_method", sa.String(32), nullable=False),
    sa.Column("probe_rows", sa.BigInteger, nullable=False),
    sa.Column("probe_signature", sa.UnicodeText, nullable=False),
    sa.Column("probe_watermark", sa.UnicodeText),
    sa.Column("watermark", sa.UnicodeText),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("warehouse_rows", sa.BigInteger, nullable=False),
    sa.Column("definition_digest", sa.String(64), nullable=False),
    sa.Column("source", sa.Unicode(400), nullable=False),
    sa.Column("lake", sa.String(64), nullable=False),
    sa.Column("committed_at", sa.String(32), nullable=False),
    sa.Index("dltsync_committed_units_table", "pipeline", "schema_name", "table_name"),
)
"""One row per unit that was ever committed. A unit that is gone keeps its row (is_live false), so that its generation
never starts again and an old expectation can never come true by accident."""

leases = sa.Table(
    "dltsync_leases",
    LEDGER,
    sa.Column("unit_key", sa.String(64), primary_key=True),
    sa.Column("pipeline", _PIPELINE, nullable=False),
    sa.Column("schema_name", _NAME, nullable=False),
    sa.Column("table_name", _NAME, nullable=False),
    sa.Column("unit", sa.UnicodeText, nullable=False),
    sa.Column("holder", sa.Unicode(400), nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("acquired_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)
"""One row per unit that was ever leased; `holder` is empty when it was given back. Moments in milliseconds since 1970 by the
store's own clock."""

fences = sa.Table(
    "dltsync_fences",
    LEDGER,
    sa.Column("table_key", sa.String(64), primary_key=True),
    sa.Column("fence", sa.BigInteger, nullable=False),
)
"""The highest fence handed out for each table."""

FIRST_VERSION = 3
"""The version that the first step makes. Versions 1 and 2 were never released and are not read."""

MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (
    lambda connection: LEDGER.create_all(connection, tables=[versions, loads, committed_units, leases, fences]),
)
"""Step 0 makes the tables of FIRST_VERSION in an empty database, each further step brings them to the next version."""

VERSION = FIRST_VERSION + len(MIGRATIONS) - 1


def unit_key(pipeline: str, table: TableName, unit: str) -> str:
    """The primary key of a unit: fixed length, because boundaries of character partitions outgrow any index."""
    return digest_of(joined(pipeline, table.schema, table.table, unit))


def table_key(pipeline: str, table: TableName) -> str:
    """The primary key of what is kept per table."""
    return digest_of(joined(pipeline, table.schema, table.table))
