"""The catalogue procedures drivers call, and what sp_describe_* asks for."""

from __future__ import annotations

from typing import Any

import pytest

from sqlserver_sandbox.model import ResultSet, SqlType
from sqlserver_sandbox.wire.collations import find_collation
from tests.sandbox.engine.client import Client, fails, parameter

NAME = SqlType("nvarchar", 128)


@pytest.fixture
def client_with_table(client: Client) -> Client:
    client.do(
        "CREATE SCHEMA s",
        "CREATE TABLE s.Orders (id int IDENTITY NOT NULL, name nvarchar(50) NULL, amount decimal(12,2) NOT NULL DEFAULT 0, at datetime2(3) NULL,"
        " flag bit, big varchar(max), rv rowversion, CONSTRAINT pk_o PRIMARY KEY (id, amount), CONSTRAINT uq_o UNIQUE (name))",
        "INSERT s.Orders (name) VALUES (N'a')",
    )
    return client


def call(client: Client, procedure: str, **arguments: Any) -> list[dict[str, Any]]:
    passed = [(k, parameter(v, SqlType("int") if isinstance(v, int) else NAME)) for k, v in arguments.items()]
    for outcome in client.session.call(procedure, passed):
        if isinstance(outcome, ResultSet):
            names = [c.name for c in outcome.columns]
            return [
                dict(zip(names, row.values(), strict=True)) for batch in outcome.batches for row in batch.to_pylist()
            ]
    raise AssertionError("no result")


def test_type_info_answers_code_93_with_its_fractional_digits(client: Client) -> None:
    """Without this row pyodbc drops the fraction of datetime parameters without a word."""
    rows = call(client, "sp_datatype_info_100", data_type=93)
    assert [(r["TYPE_NAME"], r["PRECISION"], r["MAXIMUM_SCALE"], r["CREATE_PARAMS"]) for r in rows] == [
        ("datetime2", 27, 7, "scale"),
        ("datetime", 23, 3, None),
        ("smalldatetime", 16, 0, None),
    ]
    assert [r["TYPE_NAME"] for r in call(client, "sp_datatype_info_100", data_type=-155)] == ["datetimeoffset"]
    everything = call(client, "sp_datatype_info", data_type=0)
    codes = [r["DATA_TYPE"] for r in everything]
    assert (codes[0], codes[-1]) == (-155, 93)
    assert codes == sorted(codes)
    assert len(everything[0]) == 20


def test_tables_by_pattern_and_the_special_cases(client_with_table: Client) -> None:
    rows = call(client_with_table, "sp_tables", table_name="Ord%", table_owner="s", table_type="'TABLE'")
    assert [(r["TABLE_QUALIFIER"], r["TABLE_OWNER"], r["TABLE_NAME"], r["TABLE_TYPE"]) for r in rows] == [
        ("master", "s", "Orders", "TABLE")
    ]
    assert [
        r["TABLE_QUALIFIER"]
        for r in call(client_with_table, "sp_tables", table_name="", table_owner="", table_qualifier="%")
    ] == ["master"]
    assert "s" in [
        r["TABLE_OWNER"]
        for r in call(client_with_table, "sp_tables", table_name="", table_owner="%", table_qualifier="")
    ]


def test_columns_have_odbcs_codes_and_sizes(client_with_table: Client) -> None:
    rows = call(client_with_table, "sp_columns_100", table_name="Orders", table_owner="s")
    assert len(rows[0]) == 29
    found = [
        (r["COLUMN_NAME"], r["DATA_TYPE"], r["TYPE_NAME"], r["PRECISION"], r["LENGTH"], r["SCALE"], r["NULLABLE"])
        for r in rows
    ]
    assert found == [
        ("id", 4, "int identity", 10, 4, 0, 0),
        ("name", -9, "nvarchar", 50, 100, None, 1),
        ("amount", 3, "decimal", 12, 14, 2, 0),
        ("at", 93, "datetime2", 23, 16, 3, 1),
        ("flag", -7, "bit", 1, 1, None, 1),
        ("big", 12, "varchar", 0, 0, None, 1),
        ("rv", -2, "timestamp", 8, 8, None, 0),
    ]
    assert rows[2]["COLUMN_DEF"] == "(0)"
    assert [
        r["ORDINAL_POSITION"] for r in call(client_with_table, "sp_columns", table_name="Orders", column_name="a%")
    ] == [3, 4]


def test_keys_and_indexes(client_with_table: Client) -> None:
    assert [
        (r["COLUMN_NAME"], r["KEY_SEQ"], r["PK_NAME"])
        for r in call(client_with_table, "sp_pkeys", table_name="Orders", table_owner="s")
    ] == [
        ("id", 1, "pk_o"),
        ("amount", 2, "pk_o"),
    ]
    rows = call(client_with_table, "sp_statistics_100", table_name="Orders", is_unique="Y")
    assert [(r["TYPE"], r["INDEX_NAME"], r["COLUMN_NAME"], r["NON_UNIQUE"]) for r in rows] == [
        (0, None, None, None),
        (1, "pk_o", "id", 0),
        (1, "pk_o", "amount", 0),
        (3, "uq_o", "name", 0),
    ]
    assert [
        r["COLUMN_NAME"] for r in call(client_with_table, "sp_special_columns_100", table_name="Orders", col_type="R")
    ] == ["id", "amount"]
    assert [
        r["COLUMN_NAME"] for r in call(client_with_table, "sp_special_columns_100", table_name="Orders", col_type="V")
    ] == ["rv"]


@pytest.mark.parametrize(
    "collation",
    [
        "SQL_Latin1_General_CP1_CI_AS",
        "Latin1_General_CI_AS",
        "Latin1_General_CS_AS",
        "Latin1_General_BIN2",
        "Latin1_General_100_BIN2",
    ],
)
def test_a_columns_collation_has_the_bytes_of_the_wire(client: Client, collation: str) -> None:
    client.do(f"CREATE TABLE t (a int, b varchar(5) COLLATE {collation})")
    rows = call(client, "sp_tablecollations_100", object="[dbo].[t]")
    assert [(r["colid"], r["name"], r["tds_collation"], r["collation"]) for r in rows] == [
        (1, "a", None, None),
        (2, "b", find_collation(collation).wire, collation),
    ]


def test_unknown_procedures_and_arguments_are_errors(client: Client) -> None:
    with fails(2812):
        call(client, "sp_nothing")
    with fails(40517):
        call(client, "sp_rename", objname="x")
    with fails(8145):
        call(client, "sp_tables", nope="x")
    with fails(15250):
        call(client, "sp_tables", table_qualifier="elsewhere")


def test_a_result_is_described_without_running(client_with_table: Client) -> None:
    columns = client_with_table.session.describe_result(
        "SELECT id, name, amount * 2 AS twice FROM s.Orders WHERE id = @p", "@p int"
    )
    assert [(c.name, c.type.name, c.nullable) for c in columns] == [
        ("id", "int", False),
        ("name", "nvarchar", True),
        ("twice", "numeric", False),
    ]
    assert columns[0].is_identity
    assert client_with_table.session.describe_result("DELETE s.Orders", "") == ()


def test_undeclared_parameters_take_the_type_of_what_they_meet(client_with_table: Client) -> None:
    describe = client_with_table.session.describe_parameters
    assert describe("INSERT s.Orders (name, amount) VALUES (@P1, @P2)", "") == [
        ("p1", SqlType("nvarchar", 50, collation="SQL_Latin1_General_CP1_CI_AS")),
        ("p2", SqlType("decimal", precision=12, scale=2)),
    ]
    assert describe("UPDATE s.Orders SET at = @a WHERE id = @b AND amount > @c", "@c money") == [
        ("a", SqlType("datetime2", scale=3)),
        ("b", SqlType("int")),
    ]
    assert describe("SELECT 1 FROM s.Orders o WHERE o.id IN (@x, 2) AND CAST(@y AS date) = '2024-01-01'", "")[1] == (
        "y",
        SqlType("date"),
    )
    assert describe("SELECT 1", "") == []
    with fails(11508):
        describe("SELECT @a", "")
