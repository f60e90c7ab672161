"""What is loaded while processes die: one table of each kind, and of each way its next load can go.

A case is data. Another one joins the matrix by being in `CASES`.
"""

# ruff: noqa: ISC004 -- a statement over several lines reads better without brackets around it
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dltsync_core import checkpoints

NULL_SLOT = ""
"""Sorts before every value, as NULL does in SQL Server's partitions."""


KINDS = ("partition", "scd", "static")

Loss = Literal["ledger", "warehouse", "stray in the lake"]
"""What goes wrong while nothing runs. A stray is a second copy of a file of the load, under a name that dltsync never gives."""


def whole_table(row: tuple[Any, ...]) -> str:
    return "all"


def month(row: tuple[Any, ...]) -> str:
    return "late" if str(row[1] or NULL_SLOT) >= "2026-02-01" else "early"


def around_10(row: tuple[Any, ...]) -> str:
    return "above" if (row[1] or 0) > 10 else "below"


@dataclass(frozen=True)
class Case:
    """One table. `create` and `change` are statements at the source, {s} is the schema; without `change` it is the first
    load that is stopped, else the load of the change. `unit` says which unit of the load a row belongs to: no reader may ever see
    half of one. `keys` identify a row where loads add up (scd) or update (upsert).
    """

    name: str
    kind: Literal["partition", "scd", "static"]
    create: tuple[str, ...]
    columns: tuple[str, ...]
    change: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    table: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    unit: Callable[[tuple[Any, ...]], str] = whole_table
    upsert: bool = False
    together: bool = False
    """Several units, or loads, become visible together: the stop is between the first and the last."""
    lost: tuple[Loss, ...] = ()
    """The change is loaded, then these are lost or spoilt: it is the load that puts them right which is stopped."""
    passes: tuple[str, ...] = ()
    """Where the load after a loss is stopped every day."""
    misses: tuple[str, ...] = ()
    """Steps that such a load does not come by, other than its kind."""

    def tables(self, schema: str) -> dict[str, Any]:
        """The section of the config."""
        return {f"{self.kind}_tables": [{"table_name": "T", "schema_name": schema, **self.table}]}


def partitioned(side: str, boundary: str, values: str) -> tuple[str, ...]:
    column, literal = ("datetime2(3)", f"'{boundary}'") if "-" in boundary else ("int", boundary)
    return (
        f"CREATE PARTITION FUNCTION pf_{{s}} ({column}) AS RANGE {side} FOR VALUES ({literal})",
        "CREATE PARTITION SCHEME ps_{s} AS PARTITION pf_{s} ALL TO ([PRIMARY])",
        f"CREATE TABLE {{s}}.T (Id int NOT NULL, P {column} NULL, Amount decimal(12,2) NOT NULL, "
        "Note nvarchar(50) NULL) ON ps_{s}(P)",
        f"INSERT INTO {{s}}.T (Id, P, Amount, Note) VALUES {values}",
    )


RIGHT = partitioned(
    "RIGHT",
    "2026-02-01T00:00:00",
    "(1, NULL, 1.10, N'no moment'), (2, '2026-01-31T23:59:59.997', 2.20, N'höchste'), (3, '2026-02-01T00:00:00', 3.30, NULL), "
    "(4, '2026-03-05T10:00:00', 4.40, N''), (5, '2026-03-06T10:00:00', 5.50, N'x'), (6, '0001-01-01T00:00:00', 6.60, N'first')",
)
LEFT = partitioned(
    "LEFT",
    "10",
    "(1, NULL, 1.10, N'null'), (2, 10, 2.20, N'at'), (3, 11, 3.30, N'above'), (4, -5, 4.40, NULL), (5, 99, 5, N'x')",
)
PARTITION_COLUMNS = ("Id", "P", "Amount", "Note")
PARTITION_DROP = ("DROP PARTITION SCHEME ps_{s}", "DROP PARTITION FUNCTION pf_{s}")
SPLIT_AT_50 = (
    "ALTER PARTITION SCHEME ps_{s} NEXT USED [PRIMARY]",
    "ALTER PARTITION FUNCTION pf_{s}() SPLIT RANGE (50)",
)

VERSIONS = (
    "CREATE TABLE {s}.T (No int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL, IsLatest bit NOT NULL, "
    "Name nvarchar(100) NULL, Changed datetime2(7) NOT NULL, CONSTRAINT pk_{s} PRIMARY KEY (No, EffectiveDate))",
    "INSERT INTO {s}.T (No, EffectiveDate, EndDate, IsLatest, Name, Changed) VALUES "
    "(1, '2026-01-01', '2026-01-05', 0, N'Ann', '2026-01-01T08:00:00.1234567'), "
    "(1, '2026-01-05', NULL, 1, N'Anne', '2026-01-05T08:00:00.7654321'), "
    "(2, '2026-01-02', NULL, 1, N'Bøb', '2026-01-02T08:00:00.0000001')",
)
NEW_VERSION = (
    "UPDATE {s}.T SET EndDate = '2026-01-20', IsLatest = 0, Changed = '2026-01-20T09:00:00' WHERE No = 2",
    "INSERT INTO {s}.T (No, EffectiveDate, EndDate, IsLatest, Name, Changed) VALUES "
    "(2, '2026-01-20', NULL, 1, N'Bob', '2026-01-20T09:00:00.0000002')",
)
RENAMED_VERSION = ("UPDATE {s}.T SET Name = N'Bobby', Changed = '2026-01-20T09:00:00' WHERE No = 2",)
"""As many versions as before: no count tells the load of the change from the one before it."""
HIDDEN_DELETION = ("DELETE FROM {s}.T WHERE No = 1 AND IsLatest = 0", *NEW_VERSION)

COUNTRIES = (
    "CREATE TABLE {s}.T (Code char(2) NOT NULL, Name nvarchar(100) NULL, Area bigint NULL, CONSTRAINT pk_{s} PRIMARY KEY (Code))",
    "INSERT INTO {s}.T (Code, Name, Area) VALUES ('CH', N'Schweiz', 41285), ('FR', N'France', 643801), ('JP', N'日本', 377975)",
)
NEW_COUNTRIES = (
    "DELETE FROM {s}.T WHERE Code = 'FR'",
    "UPDATE {s}.T SET Name = N'Suisse' WHERE Code = 'CH'",
    "INSERT INTO {s}.T (Code, Name, Area) VALUES ('IS', N'Ísland', 103125)",
)

CASES = (
    Case(
        "partition RIGHT, first load",
        "partition",
        RIGHT,
        PARTITION_COLUMNS,
        drop=PARTITION_DROP,
        unit=month,
    ),
    Case(
        "partition RIGHT, NULL slot changed",
        "partition",
        RIGHT,
        PARTITION_COLUMNS,
        change=(
            "UPDATE {s}.T SET Note = N'geändert' WHERE Id = 1",
            "DELETE FROM {s}.T WHERE Id = 6",
            "INSERT INTO {s}.T (Id, P, Amount, Note) VALUES (7, NULL, 7.70, N'another')",
        ),
        drop=PARTITION_DROP,
        unit=month,
    ),
    Case(
        "partition LEFT, both slots changed",
        "partition",
        LEFT,
        PARTITION_COLUMNS,
        change=("UPDATE {s}.T SET Amount = Amount + 1", "DELETE FROM {s}.T WHERE Id = 5"),
        drop=PARTITION_DROP,
        unit=around_10,
    ),
    Case(
        "partition LEFT, SPLIT",
        "partition",
        LEFT,
        PARTITION_COLUMNS,
        change=SPLIT_AT_50,
        drop=PARTITION_DROP,
        unit=around_10,
        together=True,
    ),
    Case(
        "partition RIGHT, MERGE",
        "partition",
        RIGHT,
        PARTITION_COLUMNS,
        change=("ALTER PARTITION FUNCTION pf_{s}() MERGE RANGE ('2026-02-01T00:00:00')",),
        drop=PARTITION_DROP,
    ),
    Case(
        "scd, first load",
        "scd",
        VERSIONS,
        ("No", "EffectiveDate", "EndDate", "IsLatest", "Name", "Changed"),
        table={"last_modified_column": "Changed"},
        keys=("No", "EffectiveDate"),
    ),
    Case(
        "scd, increment",
        "scd",
        VERSIONS,
        ("No", "EffectiveDate", "EndDate", "IsLatest", "Name", "Changed"),
        change=NEW_VERSION,
        table={"last_modified_column": "Changed"},
        keys=("No", "EffectiveDate"),
        misses=(checkpoints.RETIRING,),
    ),
    Case(
        "scd, resync",
        "scd",
        VERSIONS,
        ("No", "EffectiveDate", "EndDate", "IsLatest", "Name", "Changed"),
        change=HIDDEN_DELETION,
        table={"last_modified_column": "Changed"},
        keys=("No", "EffectiveDate"),
        together=True,
    ),
    Case("static replace, first load", "static", COUNTRIES, ("Code", "Name", "Area")),
    Case(
        "static replace, changed with a new column",
        "static",
        COUNTRIES,
        ("Code", "Name", "Area", "Population"),
        change=("ALTER TABLE {s}.T ADD Population bigint NULL", *NEW_COUNTRIES),
    ),
    Case(
        "static upsert, changed",
        "static",
        COUNTRIES,
        ("Code", "Name", "Area"),
        change=NEW_COUNTRIES,
        table={"load_strategy": "upsert"},
        keys=("Code",),
        upsert=True,
    ),
    Case(
        "scd, warehouse lost",
        "scd",
        VERSIONS,
        ("No", "EffectiveDate", "EndDate", "IsLatest", "Name", "Changed"),
        change=RENAMED_VERSION,
        table={"last_modified_column": "Changed"},
        keys=("No", "EffectiveDate"),
        lost=("warehouse",),
        passes=(checkpoints.RELOADING, checkpoints.WAREHOUSE_COMMITTED),
        together=True,
    ),
    Case(
        "partition RIGHT, warehouse lost and a stray in the lake",
        "partition",
        RIGHT,
        PARTITION_COLUMNS,
        change=("UPDATE {s}.T SET Note = N'geändert' WHERE Id = 1",),
        drop=PARTITION_DROP,
        unit=month,
        lost=("warehouse", "stray in the lake"),
        passes=(checkpoints.SETTING_ASIDE, checkpoints.RELOADING),
    ),
    Case(
        "static replace, ledger lost",
        "static",
        COUNTRIES,
        ("Code", "Name", "Area"),
        change=NEW_COUNTRIES,
        lost=("ledger",),
        passes=(checkpoints.ADOPTING, checkpoints.LEDGER_WRITING),
    ),
)
