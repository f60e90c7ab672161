"""What each form would be in a SQL Server warehouse: nothing narrower than what the lake holds."""

from __future__ import annotations

from typing import Any

import pytest

from dltsync_core.config import StaticTableConfig
from dltsync_core.typemap import map_columns
from dltsync_core.warehouse.sqlserver.columns import sqlserver_type
from tests.support.table_facts import column, table


@pytest.mark.parametrize(
    ("type_name", "facts", "kept", "expected"),
    [
        ("bit", {}, None, "bit"),
        ("tinyint", {}, None, "tinyint"),
        ("decimal", {}, None, "decimal(38,10)"),
        ("money", {}, None, "money"),
        ("real", {}, None, "real"),
        ("varchar", {"max_length": 50}, None, "nvarchar(50)"),
        ("varchar", {"max_length": 8000}, None, "nvarchar(max)"),
        ("varchar", {"max_length": -1}, None, "nvarchar(max)"),
        ("varchar", {"max_length": 50}, "bytes", "varbinary(50)"),
        ("nvarchar", {"max_length": 100}, None, "nvarchar(50)"),
        ("nchar", {"max_length": 20}, None, "nchar(10)"),
        ("text", {"max_length": 16}, None, "nvarchar(max)"),
        ("ntext", {"max_length": 16}, "bytes", "varbinary(max)"),
        ("image", {"max_length": 16}, None, "varbinary(max)"),
        ("rowversion", {}, None, "binary(8)"),
        ("uniqueidentifier", {}, None, "uniqueidentifier"),
        ("datetime2", {}, None, "datetime2(7)"),
        ("datetime2", {}, "text", "datetime2(7)"),
        ("time", {}, None, "time(7)"),
        ("datetimeoffset", {}, None, "datetimeoffset(7)"),
        ("datetimeoffset", {}, "utc", "datetimeoffset(7)"),
        ("xml", {"max_length": -1}, None, "nvarchar(max)"),
        ("sql_variant", {"max_length": 8016}, "text", "nvarchar(max)"),
        ("hierarchyid", {"max_length": 892, "is_clr": True}, None, "nvarchar(4000)"),
        ("hierarchyid", {"max_length": 892, "is_clr": True}, "bytes", "varbinary(max)"),
        ("geometry", {"max_length": -1, "is_clr": True}, None, "varbinary(max)"),
        ("geometry", {"max_length": -1, "is_clr": True}, "wkb", "varbinary(max)"),
        ("geometry", {"max_length": -1, "is_clr": True}, "text", "nvarchar(max)"),
        ("vector", {"max_length": 20}, "text", "nvarchar(max)"),
    ],
)
def test_each_form_has_its_type(type_name: str, facts: dict[str, Any], kept: str | None, expected: str) -> None:
    config = StaticTableConfig(table_name="t", column_representation={"c": kept} if kept else {})
    (mapping,) = map_columns(table(column("c", type_name, **facts)), config).columns
    assert sqlserver_type(mapping) == expected
