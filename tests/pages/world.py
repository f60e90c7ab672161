"""The server of the pages: a sandbox with the databases, tables and logins that the examples speak of."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import pyodbc

from tests.support.sandbox_server import SandboxServer

PASSWORD = "Reader-Pa55word"
"""Of every login of the pages, where they write `…`."""
READER = "dltsync_reader"

CUSTOMERS = (
    (
        "CREATE TABLE dbo.Customers (CustomerNo int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL, "
        "IsLatest bit NOT NULL, Name nvarchar(40) NOT NULL, LastModified datetime2(3) NOT NULL, "
        "CONSTRAINT pk_customers PRIMARY KEY (CustomerNo, EffectiveDate))"
    ),
    (
        "INSERT INTO dbo.Customers VALUES (1, '2023-01-01', '2024-01-10', 0, N'Ann', '2024-01-10'), "
        "(1, '2024-01-10', NULL, 1, N'Anne', '2024-01-10'), (2, '2023-01-01', NULL, 1, N'Bob', '2023-01-01')"
    ),
)

SALES = (
    "CREATE SCHEMA sales",
    "CREATE PARTITION FUNCTION by_month (date) AS RANGE RIGHT FOR VALUES ('2024-01-01', '2024-02-01', '2024-03-01')",
    "CREATE PARTITION SCHEME by_month AS PARTITION by_month ALL TO ([PRIMARY])",
    (
        "CREATE TABLE sales.Orders (OrderDate date NOT NULL, OrderNo int NOT NULL, Amount decimal(12,2) NOT NULL, "
        "CONSTRAINT pk_orders PRIMARY KEY (OrderDate, OrderNo)) ON by_month(OrderDate)"
    ),
    "INSERT INTO sales.Orders VALUES ('2024-01-05', 1, 100.10), ('2024-01-31', 2, 20.00), ('2024-02-01', 3, 300.00)",
    "CREATE TABLE sales.Countries (Code char(2) NOT NULL CONSTRAINT pk_countries PRIMARY KEY, Name nvarchar(40) NOT NULL)",
    "INSERT INTO sales.Countries VALUES ('CH', N'Schweiz'), ('JP', N'日本')",
    "CREATE TABLE dbo.Countries (Code char(2) NOT NULL CONSTRAINT pk_c PRIMARY KEY, Name nvarchar(40) NOT NULL)",
    "INSERT INTO dbo.Countries VALUES ('CH', N'Schweiz'), ('JP', N'日本')",
    *CUSTOMERS,
    (
        "CREATE TABLE dbo.Terms (TermNo int NOT NULL CONSTRAINT pk_terms PRIMARY KEY, StartDate datetime2(7) NOT NULL, "
        "EndDate datetime2(7) NOT NULL, Seen datetimeoffset(3) NULL)"
    ),
    "INSERT INTO dbo.Terms VALUES (7, '2024-01-01', '9999-12-31T23:59:59.9999999', '2024-01-01T00:00:00+02:00')",
)
"""Database `Sales`: orders by month, countries, versions of customers, terms with an open end."""

DEMO = (
    "CREATE PARTITION FUNCTION by_day (date) AS RANGE RIGHT FOR VALUES ('2013-02-01')",
    "CREATE PARTITION SCHEME by_day AS PARTITION by_day ALL TO ([PRIMARY])",
    "CREATE TABLE dbo.flights (FlightDate date NOT NULL, Flight int NOT NULL) ON by_day(FlightDate)",
    "INSERT INTO dbo.flights VALUES ('2013-01-01', 1), ('2013-02-01', 2), ('2013-02-02', 3)",
    (
        "CREATE TABLE dbo.aircraft (TailNumber varchar(10) COLLATE Latin1_General_100_BIN2 NOT NULL, "
        "EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL, "
        "IsLatest bit NOT NULL, Carrier char(2) NOT NULL, LastModified datetime2(3) NOT NULL, "
        "CONSTRAINT pk_aircraft PRIMARY KEY (TailNumber, EffectiveDate))"
    ),
    (
        "INSERT INTO dbo.aircraft VALUES ('N1', '2013-01-01', NULL, 1, 'UA', '2013-01-01'), "
        "('N2', '2013-01-01', NULL, 1, 'DL', '2013-01-02')"
    ),
)
"""Database `Demo`: two tables of `dltsync demo`, with a few rows."""

PARTS = (
    "CREATE SCHEMA sales",
    (
        "CREATE TABLE sales.Parts (Code nvarchar(20) COLLATE Latin1_General_100_BIN2 NOT NULL, Line int NOT NULL, "
        "Price decimal(9,2) NULL, CONSTRAINT pk_parts PRIMARY KEY (Code, Line))"
    ),
    *(
        f"INSERT INTO sales.Parts VALUES {', '.join(f'''(N'part', {n}, {n}.25)''' for n in range(start, start + 500))}"
        for start in range(0, 2500, 500)
    ),
)
"""Database `Parts`: a table long enough for a row diff that works by buckets."""


class World:
    """Databases are made when a page first asks for one, and shared by the pages, which only read them."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self._databases: set[str] = set()
        self._logins: set[str] = set()

    def execute(self, database: str, *statements: str) -> None:
        with closing(pyodbc.connect(self.server.odbc(database=database), autocommit=True)) as connection:
            for statement in statements:
                connection.execute(statement)

    def database(self, name: str, statements: Sequence[str] = ()) -> str:
        """A database with SNAPSHOT isolation that `dltsync_reader` may read."""
        if name not in self._databases:
            self._databases.add(name)
            self.execute("master", f"CREATE DATABASE {name}", f"ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON")
            self.user(name, READER)
            self.execute(name, *statements, f"GRANT SELECT TO {READER}", f"GRANT VIEW DEFINITION TO {READER}")
        return name

    def user(self, database: str, login: str) -> None:
        """A login with a user in the database, with no rights yet."""
        if login not in self._logins:
            self._logins.add(login)
            self.execute("master", f"CREATE LOGIN {login} WITH PASSWORD = '{PASSWORD}'")
        self.execute(database, f"CREATE USER {login} FOR LOGIN {login}")
