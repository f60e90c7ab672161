"""SQLAlchemy reflects a table of the sandbox as it does one of SQL Server: by its own queries, over pyodbc."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote_plus

import pyodbc
import pytest
import sqlalchemy as sa

from tests.support.sandbox_server import SandboxServer


@pytest.fixture
def engine(sandbox: SandboxServer) -> Iterator[sa.Engine]:
    made = sa.create_engine(f"mssql+pyodbc:///?odbc_connect={quote_plus(sandbox.odbc())}")
    yield made
    made.dispose()


def test_columns_and_keys_are_reflected(engine: sa.Engine, connection: pyodbc.Connection, schema: str) -> None:
    connection.execute(
        f"CREATE TABLE {schema}.Lines (OrderNo int NOT NULL, Line int NOT NULL, Amount decimal(19,4) NULL,"
        f" Name nvarchar(20) NULL, CONSTRAINT pk_{schema} PRIMARY KEY CLUSTERED (OrderNo, Line),"
        f" CONSTRAINT uq_{schema} UNIQUE (Name))"
    )
    table = sa.Table("Lines", sa.MetaData(), schema=schema, autoload_with=engine)
    assert [(c.name, str(c.type).split(" ")[0], c.nullable) for c in table.columns] == [
        ("OrderNo", "INTEGER", False),
        ("Line", "INTEGER", False),
        ("Amount", "DECIMAL(19,", True),
        ("Name", "NVARCHAR(20)", True),
    ]
    assert [c.name for c in table.primary_key.columns] == ["OrderNo", "Line"]
    assert not table.foreign_keys
    inspected = sa.inspect(engine)
    assert inspected.get_pk_constraint("Lines", schema)["dialect_options"] == {"mssql_clustered": True}
    assert [index["column_names"] for index in inspected.get_indexes("Lines", schema)] == [["Name"]]


def test_a_property_of_a_key_is_asked_of_names_in_columns(connection: pyodbc.Connection, schema: str) -> None:
    connection.execute(
        f"CREATE TABLE {schema}.Two (a int NOT NULL, b int NOT NULL, CONSTRAINT pk2_{schema} PRIMARY KEY NONCLUSTERED (a),"
        f" CONSTRAINT uq2_{schema} UNIQUE CLUSTERED (b))"
    )
    found = connection.execute(
        "SELECT CONSTRAINT_NAME, OBJECTPROPERTY(OBJECT_ID(TABLE_SCHEMA + N'.' + CONSTRAINT_NAME), N'CnstIsClustKey'),"
        " OBJECTPROPERTY(OBJECT_ID(TABLE_SCHEMA + N'.' + TABLE_NAME), N'CnstIsClustKey')"
        f" FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = N'{schema}' ORDER BY CONSTRAINT_NAME"
    ).fetchall()
    assert [tuple(row) for row in found] == [(f"pk2_{schema}", 0, None), (f"uq2_{schema}", 1, None)]
