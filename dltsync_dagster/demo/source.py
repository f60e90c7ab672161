"""The application that owns the source tables: it creates them, fills them and later changes a few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import mssql_python
import pyarrow as pa
import pyodbc

from dltsync_core.config import DatabaseConfig
from dltsync_core.connect.driver import find_driver
from dltsync_core.errors import ExtractError
from dltsync_dagster.demo.dataset import AIRPORTS, FLIGHTS, OPERATORS, TABLES, WEATHER, Table

CHANGED_MONTH = ("2013-07-01", "2013-08-01")
"""The days of flights that change lie between these, whatever the round."""
_ROWS_PER_BATCH = 50_000
"""Rows per bulk-load batch: each is a transaction at the server."""


@dataclass(frozen=True)
class Change:
    """One statement's effect at the source."""

    table: str
    what: str
    rows: int


def connect(database: DatabaseConfig) -> pyodbc.Connection:
    """A control connection in autocommit."""
    return pyodbc.connect(f"DRIVER={{{find_driver(None)}}};{_address(database)}", autocommit=True)


def _address(database: DatabaseConfig) -> str:
    """Not the core's connection strings: the demo's own look at the source must not depend on them."""
    password = database.password.get_secret_value() if database.password is not None else ""
    return (
        f"SERVER={database.server},{database.port};DATABASE={database.database};UID={database.username};"
        f"PWD={{{password.replace('}', '}}')}}};Encrypt=yes;TrustServerCertificate=yes"
    )


def create_and_fill(
    database: DatabaseConfig, rows: Mapping[str, pa.Table], on_table: Callable[[str, int], None]
) -> None:
    """All tables with their declared types, filled by bulk load. Raises ExtractError when a count differs afterwards."""
    make_database(database)
    with closing(connect(database)) as control:
        for table in TABLES:
            for statement in _create(table):
                control.execute(statement)
            _bulk_load(database, table, rows[table.name])
            (count,) = control.execute(f"SELECT COUNT_BIG(*) FROM dbo.{table.name}").fetchone()
            if count != rows[table.name].num_rows:
                raise ExtractError(f"bulk load of {table.name}: {rows[table.name].num_rows} rows sent, {count} arrived")
            on_table(table.name, count)


def make_database(database: DatabaseConfig) -> None:
    """The database, which allows SNAPSHOT isolation, unless it is there."""
    with closing(connect(database.model_copy(update={"database": "master"}))) as master:
        if master.execute("SELECT DB_ID(?)", database.database).fetchval() is None:
            master.execute(f"CREATE DATABASE {database.database}")
            master.execute(f"ALTER DATABASE {database.database} SET ALLOW_SNAPSHOT_ISOLATION ON")


def _create(table: Table) -> Iterator[str]:
    columns = ", ".join(f"{column.name} {column.declared}" for column in table.columns)
    place = ""
    if table.partitioned is not None:
        function, column = table.partitioned
        values = ", ".join(f"'{boundary}'" for boundary in function.boundaries)
        kind = f"({function.declared}) AS RANGE {function.side}"
        yield f"CREATE PARTITION FUNCTION {function.name} {kind} FOR VALUES ({values})"
        yield f"CREATE PARTITION SCHEME {function.name} AS PARTITION {function.name} ALL TO ([PRIMARY])"
        place = f" ON {function.name}({column})"
    yield f"CREATE TABLE dbo.{table.name} ({columns}, {table.extra}){place}"


def _bulk_load(database: DatabaseConfig, table: Table, rows: pa.Table) -> None:
    with closing(mssql_python.connect(_address(database))) as connection:
        connection.cursor().bulkcopy_arrow(
            f"dbo.{table.name}",
            rows.select(table.names),
            batch_size=_ROWS_PER_BATCH,
            timeout=600,
            column_mappings=table.names,  # the default is by position
        )


def change_a_few_rows(database: DatabaseConfig, round_number: int) -> list[Change]:
    """What happens at a source in a day: flights of one month corrected, cancelled and added, the weather of another month
    corrected, an aircraft sold, an airport renamed. Each round (from 0) changes other rows."""
    with closing(connect(database)) as control:
        return [
            *_change_flights(control, round_number),
            *_correct_the_weather(control, round_number),
            *_sell_an_aircraft(control, round_number),
            *_edit(control),
        ]


def _change_flights(control: pyodbc.Connection, round_number: int) -> list[Change]:
    day = datetime(2013, 7, 1 + round_number % 28)
    between = (day.isoformat(), (day + timedelta(days=1)).isoformat())
    where = "WHERE time_hour >= CAST(? AS datetime2(0)) AND time_hour < CAST(? AS datetime2(0)) AND carrier = ?"
    updated = control.execute(
        f"UPDATE dbo.flights SET dep_delay = dep_delay + 1 {where} AND dep_delay IS NOT NULL", *between, "UA"
    ).rowcount
    deleted = control.execute(f"DELETE FROM dbo.flights {where} AND origin = ?", *between, "MQ", "LGA").rowcount
    names = (
        "time_hour, carrier, flight, tailnum, origin, dest, year, month, day, hour, minute, "
        "sched_dep_time, sched_arr_time, distance"
    )
    values = "CAST(? AS datetime2(0)), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
    extra = 9001 + round_number
    control.execute(
        f"INSERT INTO dbo.flights ({names}) VALUES ({values})",
        (day + timedelta(hours=12)).isoformat(),
        *("UA", extra, "N14228", "EWR", "SFO", day.year, day.month, day.day, 12, 30, 1230, 1545, 2565),
    )
    spoken = f"{day:%d %B}"
    return [
        Change(FLIGHTS.name, f"UPDATE: UA left a minute later on {spoken}", updated),
        Change(FLIGHTS.name, f"DELETE: MQ's flights from LaGuardia on {spoken}", deleted),
        Change(FLIGHTS.name, f"INSERT: UA {extra} to San Francisco on {spoken}", 1),
    ]


def _correct_the_weather(control: pyodbc.Connection, round_number: int) -> list[Change]:
    day = date(2013, 10, 1 + round_number % 28)
    warmer = control.execute(
        "UPDATE dbo.weather SET temp = temp + 0.5 WHERE day = CAST(? AS date) AND origin = ?", *(day.isoformat(), "JFK")
    ).rowcount
    return [Change(WEATHER.name, f"UPDATE: half a degree warmer at JFK on {day:%d %B}", warmer)]


def _sell_an_aircraft(control: pyodbc.Connection, round_number: int) -> list[Change]:
    open_versions = control.execute(
        "SELECT TailNumber, Carrier, EffectiveDate FROM dbo.aircraft_operator WHERE IsLatest = 1 ORDER BY TailNumber"
    ).fetchall()
    (last_change,) = control.execute("SELECT MAX(LastModified) FROM dbo.aircraft_operator").fetchone()
    tail, carrier, effective = open_versions[round_number % len(open_versions)]
    buyer = "DL" if carrier != "DL" else "UA"
    sold = max(effective, datetime(2014, 1, 1)) + timedelta(days=1)
    # After the window that every increment reads again, so that the demo shows what it reads because of this change.
    changed = (last_change + timedelta(hours=1)).isoformat()
    closed = control.execute(
        "UPDATE dbo.aircraft_operator SET IsLatest = 0, EndDate = CAST(? AS datetime2(0)), "
        "LastModified = CAST(? AS datetime2(3)) WHERE TailNumber = ? AND IsLatest = 1",
        *(sold.isoformat(), changed, tail),
    ).rowcount
    control.execute(
        "INSERT INTO dbo.aircraft_operator (TailNumber, Carrier, EffectiveDate, EndDate, IsLatest, LastModified) "
        "VALUES (?, ?, CAST(? AS datetime2(0)), NULL, 1, CAST(? AS datetime2(3)))",
        *(tail, buyer, sold.isoformat(), changed),
    )
    return [
        Change(OPERATORS.name, f"a version closed: {tail} leaves {carrier}", closed),
        Change(OPERATORS.name, f"a new version: {tail} flies for {buyer}", 1),
    ]


def _edit(control: pyodbc.Connection) -> list[Change]:
    edited = control.execute("UPDATE dbo.airports SET alt = alt + 1 WHERE faa = ?", "JFK").rowcount
    return [Change(AIRPORTS.name, "edited: John F. Kennedy lies a foot higher", edited)]


def read_rows(control: pyodbc.Connection, table: Table, schema: str = "dbo", rows_at_a_time: int = 50_000) -> Any:
    """The rows of a table as tuples, in portions."""
    cursor = control.execute(f"SELECT {', '.join(table.names)} FROM {schema}.{table.name}")
    while portion := cursor.fetchmany(rows_at_a_time):
        yield portion
